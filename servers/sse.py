"""Decoding of `text/event-stream` (HTML standard, 9.2.6) from bytes. Pure and linear in what is fed.

Bytes, because invalid UTF-8 must be refused rather than replaced, which is for the JSON parser to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event."""

    name: str
    data: bytes


class EventDecoder:
    """Feed chunks, get events. The caller bounds how much it feeds."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked = 0
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes."""
        self._buffer += chunk
        for line in self._lines():
            if line:
                self._field(line)
            elif self._data:
                yield self._dispatch()
            else:
                self._name = b""

    def finish(self) -> Iterator[Event]:
        """The event that a final bare CR completes; an unfinished event is dropped, as the standard says."""
        if self._buffer == b"\r":
            yield from self.feed(b"\n")

    def _lines(self) -> Iterator[bytes]:
        start = 0
        while end := _LINE_END.search(self._buffer, max(start, self._looked)):
            if end.group() == b"\r" and end.end() == len(self._buffer):
                break  # half of a CRLF, perhaps
            yield bytes(self._buffer[start : end.start()])
            start = end.end()
        del self._buffer[:start]
        # No position is searched twice, however long a line grows.
        self._looked = max(0, len(self._buffer) - 1)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value

    def _dispatch(self) -> Event:
        event = Event(self._name.decode("ascii", "replace") or "message", b"\n".join(self._data))
        self._name, self._data = b"", []
        return event
