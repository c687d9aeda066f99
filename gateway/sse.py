"""Server-sent events as we write them. Reading them is `core.sse`. Pure module."""

from typing import Final

HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
PING: Final = b": ping\n\n"


def frame(data: bytes, id_: str = "") -> bytes:
    """One message as an event. JSON that we serialise holds no line break, so one data line is enough."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    named = b"id: " + id_.encode() + b"\n" if id_ else b""
    return b"event: message\n" + named + b"data: " + data + b"\n\n"


def priming(id_: str, retry: int | None) -> bytes:
    """An event without data, from which a client can go on that lost the stream (SEP-1699)."""
    again = b"" if retry is None else b"retry: %d\n" % retry
    return b"id: " + id_.encode() + b"\n" + again + b"data: \n\n"
