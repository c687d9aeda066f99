"""Server-sent events: an incremental decoder with limits, and the frames that we write. Pure module."""

from typing import Final

MAX_EVENT: Final = 16 * 1024 * 1024  # bytes of one event's data
HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
PING: Final = b": ping\n\n"


class EventTooLarge(Exception):
    """One event holds more than the limit."""


def frame(data: bytes) -> bytes:
    """One message as an event. JSON that we serialise holds no line break, so one data line is enough."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"event: message\ndata: " + data + b"\n\n"


class Decoder:
    """Bytes in, data of complete `message` events out (WHATWG HTML, 9.2.6)."""

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._rest: list[bytes] = []  # pieces of the line that is still incomplete
        self._data: list[bytes] = []
        self._size = 0
        self._event = b"message"
        self._after_return = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that `chunk` completes. Raises `EventTooLarge`."""
        if self._after_return and chunk[:1] == b"\n":
            chunk = chunk[1:]  # the second half of a CRLF that was split over two chunks
        if chunk:
            self._after_return = chunk[-1:] == b"\r"
        first, *lines = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest.append(first)
        found: list[bytes | None] = []
        for line in lines:
            found.append(self._line(b"".join(self._rest)))
            self._rest = [line]
        if self._size + sum(map(len, self._rest)) > self._limit:
            raise EventTooLarge
        return [event for event in found if event is not None]

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value) + 1
            if self._size > self._limit:
                raise EventTooLarge
            self._data.append(value)
        elif name == b"event":
            self._event = value
        return None

    def _dispatch(self) -> bytes | None:
        data, event = b"\n".join(self._data), self._event
        self._data, self._size, self._event = [], 0, b"message"
        return data if data and event in (b"message", b"") else None
