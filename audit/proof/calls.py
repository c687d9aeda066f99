"""Which calls have a beginning and no end, or an end too many, and what the log says about itself. Pure."""

import json
from typing import Any, Final

from audit.proof.findings import Entry, Finding, Kind, Report, at

_TYPE: Final = b'"type":"'
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

    def read(self, entry: Entry, body: bytes) -> None:
        """One record."""
        # In JSON a quotation mark within a text has a backslash before it: these bytes are a member, not a text. The
        # record's own stand behind those of any details, because members are in order.
        place = body.rfind(_TYPE) + len(_TYPE)
        if body.startswith(b'intent"', place):
            self._begin(entry, body)
        elif body.startswith(b'outcome"', place):
            self._end(entry, body)

    def close(self, report: Report) -> None:
        """Tell what was left over."""
        for call, place in self._open.items():
            report.notice(_told(Kind.INTENT, call, place))
        for call, places in self._ended.items():
            for place in places:
                report.notice(_told(Kind.OUTCOME, call, place))

    def _begin(self, entry: Entry, body: bytes) -> None:
        if (call := _call(body)) is None:
            return
        if self._ended and (ends := self._ended.get(call)):
            ends.pop(0)
        else:
            self._open[call] = entry[:5]

    def _end(self, entry: Entry, body: bytes) -> None:
        call = _call(body)
        if call is not None and self._open.pop(call, None) is None:
            self._ended.setdefault(call, []).append(entry[:5])


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
    if body.find(b"{", 1) < 0:  # nothing within it has members of its own: the name stands there once
        place = body.find(_CALL)
        return body[place + _CALL_START : place + _CALL_END] if place >= 0 else None
    call = facts(body).get("call_id")
    return call.encode("utf-8", "replace") if isinstance(call, str) else None
