"""Counting what comes back against its limit: a whole body, or a stream of events one event at a time."""

from core.outbound_failure import OutboundError, Refusal


def is_event_stream(content_type: str) -> bool:
    """Whether a `content-type` names a stream of server-sent events."""
    return content_type.lower().startswith("text/event-stream")


class BodyMeter:
    """Counts the pieces of one body. An event may have `limit` bytes (`by_event`), or else the body may."""

    def __init__(self, limit: int, *, by_event: bool) -> None:
        self._limit = limit
        self._by_event = by_event
        self._counted = 0
        self._tail = b""

    def count(self, chunk: bytes) -> None:
        """Take the next piece into account. Raises `OutboundError`, class `too_large`."""
        if self._by_event:
            self._count_event(chunk)
        else:
            self._counted += len(chunk)
        if self._counted > self._limit:
            raise OutboundError(Refusal.TOO_LARGE)

    def _count_event(self, chunk: bytes) -> None:
        # An event ends at an empty line (HTML standard, 9.2.5); the seam of two chunks is looked at too.
        seen = (self._tail + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = seen.rfind(b"\n\n")
        self._counted = len(seen) - end if end >= 0 else self._counted + len(chunk)
        self._tail = (self._tail + chunk)[-3:]
