"""Decoding of `text/event-stream` (HTML standard, 9.2.6) from bytes, in whatever pieces they come. Pure and linear.

Bytes, because invalid UTF-8 must be refused rather than replaced, which is for the JSON parser to say.
"""

from dataclasses import dataclass
from typing import Final

MAX_EVENT: Final = 16 * 1024 * 1024  # bytes of one event's data
_ID_MAX: Final = 1024  # bytes; a longer id is none


class EventTooLarge(Exception):
    """One event holds more than the limit."""


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event; `name` is `message` where the stream names none.

    `id` is its own id, empty where it has none; `retry` milliseconds, where the stream says when to come again.
    """

    name: str
    data: bytes
    id: str = ""
    retry: int | None = None


class EventDecoder:
    """Bytes in, complete events out. An unfinished event at the end is dropped, as the standard says."""

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._rest: list[bytes] = []  # pieces of the line that is still incomplete, and their length
        self._pending = 0
        self._data: list[bytes] = []  # data lines of the event that is still incomplete, and their length
        self._size = 0
        self._name = b""
        self._id = b""
        self._retry: int | None = None
        self._after_return = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises `EventTooLarge`."""
        if not chunk:
            return []
        lines = self._normal(chunk).split(b"\n")
        found: list[Event | None] = []
        for line in lines[:-1]:
            self._rest.append(line)
            found.append(self._line(b"".join(self._rest)))
            self._rest, self._pending = [], 0
        self._rest.append(lines[-1])
        self._pending += len(lines[-1])
        if self._size + self._pending > self._limit:
            raise EventTooLarge
        return [event for event in found if event is not None]

    def _normal(self, chunk: bytes) -> bytes:
        """`chunk` with every line end as LF; the LF of a CRLF that was cut in two ended its line already."""
        if self._after_return and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_return = False
        if chunk:
            self._after_return = chunk[-1:] == b"\r"
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == b"event":
            self._name = value
        elif name == b"id" and len(value) <= _ID_MAX and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self._retry = int(value)
        if self._size > self._limit:
            raise EventTooLarge
        return None

    def _dispatch(self) -> Event | None:
        name, id_ = self._name.decode("ascii", "replace") or "message", self._id.decode("utf-8", "replace")
        event = Event(name, b"\n".join(self._data), id_, self._retry)
        dispatched = bool(self._data)
        self._data, self._size, self._name, self._id, self._retry = [], 0, b"", b"", None
        return event if dispatched else None
