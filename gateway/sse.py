"""Server-sent events as we write them. Reading them is `core.sse`. Pure module."""

from typing import Final

HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
PING: Final = b": ping\n\n"


def frame(data: bytes) -> bytes:
    """One message as an event. JSON that we serialise holds no line break, so one data line is enough."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"event: message\ndata: " + data + b"\n\n"
