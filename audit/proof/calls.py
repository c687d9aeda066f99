"""Which calls have a beginning and no end, or an end too many, and what the log says about itself. Pure."""

import json
from typing import Any, Final

from audit.proof.findings import Finding, Kind, Report, at

_TYPE: Final = b'"type":"'
_BEGINS: Final = b'"type":"intent",'  # of one length, and behind `type` always follows `v`
_ENDS: Final = b'"type":"outcome"'
_TYPE_LENGTH: Final = len(_ENDS)
_ALONE: Final = b'"event":"request.answered"'  # what the gateway answers by itself has this one record
_CALL: Final = b'"call_id":"'
_CALL_START: Final = len(_CALL)
_CALL_END: Final = len(_CALL) + 36
_Place = tuple[Any, ...]  # an entry without what takes space


class Calls:
    """Pairs intents with outcomes as they pass by.

    The end of a call can stand before its beginning: they come from two writers where a link was lost between them.
    """

    __slots__ = ("_ended", "_open")

    def __init__(self) -> None:
        self._open: dict[bytes, _Place] = {}
        self._ended: dict[bytes, list[_Place]] = {}

    def read(self, place: _Place, body: bytes) -> None:
        """One record, by its entry or the first five of it."""
        # In JSON a quotation mark within a text has a backslash before it: these bytes are a member, not a text. The
        # record's own stand behind those of any details, because members are in order.
        at_type = body.rfind(_TYPE)
        kind = body[at_type : at_type + _TYPE_LENGTH]
        ends_it = kind == _ENDS
        if not (ends_it or kind == _BEGINS) or (call := _call(body)) is None:
            return
        if ends_it:
            if self._open.pop(call, None) is None and _ALONE not in body:
                self._ended.setdefault(call, []).append(place[:5])
        elif self._ended and (ends := self._ended.get(call)):
            ends.pop(0)
        else:
            self._open[call] = place[:5]

    def close(self, report: Report) -> None:
        """Tell what was left over."""
        for call, place in self._open.items():
            report.notice(_told(Kind.INTENT, call, place))
        for call, places in self._ended.items():
            for place in places:
                report.notice(_told(Kind.OUTCOME, call, place))


def _told(kind: Kind, call: bytes, place: _Place) -> Finding:
    index, shard, record, writer, seq = place
    return at(kind, (index, shard, record, writer, seq, None, None, None, None), found=call.decode("ascii", "replace"))


def facts(body: bytes) -> dict[str, Any]:
    """The body's members; none where it is no JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _call(body: bytes) -> bytes | None:
    """The call that the record is of; None for what is of none."""
    place = body.find(_CALL)
    if place < 0:
        return None
    if body.find(b"{", 1, place) < 0:  # nothing before it has members of its own, so it is the record's
        return body[place + _CALL_START : place + _CALL_END]
    call = facts(body).get("call_id")
    return call.encode("utf-8", "replace") if isinstance(call, str) else None
