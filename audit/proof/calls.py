"""Which calls have a beginning and no end, or an end too many, and what the log says about itself. Pure."""

import json
from typing import Any, Final

from audit.proof.findings import Entry, Finding, Kind, Report, at

_CALL: Final = b'"call_id":"'
_CALL_END: Final = len(_CALL) + 36


class Calls:
    """Pairs intents with outcomes as they pass by.

    The end of a call can stand before its beginning: they come from two writers where a link was lost between them.
    """

    __slots__ = ("_ended", "_open")

    def __init__(self) -> None:
        self._open: dict[bytes, Finding] = {}
        self._ended: dict[bytes, list[Finding]] = {}

    def read(self, entry: Entry, body: bytes) -> None:
        """One record."""
        # In JSON a quotation mark within a text has a backslash before it: these bytes are a member, not a text.
        if b'"type":"intent"' in body:
            self._begin(entry, body)
        elif b'"type":"outcome"' in body:
            self._end(entry, body)

    def close(self, report: Report) -> None:
        """Tell what was left over."""
        for notice in self._open.values():
            report.notice(notice)
        for notices in self._ended.values():
            for notice in notices:
                report.notice(notice)

    def _begin(self, entry: Entry, body: bytes) -> None:
        if (call := _call(body, "intent")) is None:
            return
        if ends := self._ended.get(call):
            ends.pop(0)
        else:
            self._open[call] = at(Kind.INTENT, entry, found=call.decode("ascii", "replace"))

    def _end(self, entry: Entry, body: bytes) -> None:
        call = _call(body, "outcome")
        if call is not None and self._open.pop(call, None) is None:
            notice = at(Kind.OUTCOME, entry, found=call.decode("ascii", "replace"))
            self._ended.setdefault(call, []).append(notice)


def facts(body: bytes) -> dict[str, Any]:
    """The body's members; none where it is no JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _call(body: bytes, kind: str) -> bytes | None:
    """The call of an intent or outcome; None for what is of no call, or of another type after all."""
    if body.find(b"{", 1) < 0:  # nothing within it has members of its own: the name stands there once
        place = body.find(_CALL)
        return body[place + len(_CALL) : place + _CALL_END] if place >= 0 else None
    found = facts(body)
    call = found.get("call_id")
    return call.encode("utf-8", "replace") if found.get("type") == kind and isinstance(call, str) else None
