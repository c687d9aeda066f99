"""Two short ways through uvicorn for nearly every request: a body that is there whole, an answer of one piece.

ASGI's own way, an event with a wait for each end of a request and a check of every header, takes a call some twenty
microseconds. Here is done what uvicorn's `RequestResponseCycle` does, for the usual case alone; whatever is unusual in
any respect, another server included, goes ASGI's way. A test holds both ways equal on the wire.
"""

from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_USUAL: Final = b"content-type: application/json\r\ncache-control: no-store\r\n\r\n"


class _Written:
    """uvicorn's own headers as they were written last. `of` is kept, so that no other list can be taken for it."""

    of: object = None
    head = b""


_written: Final = _Written()


def whole_body(receive: Callable[[], Any]) -> bytes | None:
    """The body of a request that is there to its end, and is given by this; None where `receive` must be asked."""
    cycle = _cycle_of(receive)
    if cycle is None or cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
        return None
    body, cycle.body = bytes(cycle.body), bytearray()
    cycle.message_event.clear()  # from now on it says that the client hung up
    cycle.flow.resume_reading()
    return body


def answered(send: Callable[..., Any], body: bytes) -> bool:
    """Send 200 with this JSON, which nobody may store; False where nothing was sent, and `send` must do it."""
    cycle = _cycle_of(send)
    if cycle is None or not _is_usual(cycle):
        return False
    cycle.response_started, cycle.waiting_for_100_continue, cycle.chunked_encoding = True, False, False
    cycle.transport.write(b"%bcontent-length: %d\r\n%b%b" % (_head_of(cycle), len(body), _USUAL, body))
    cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True


def _head_of(cycle: RequestResponseCycle) -> bytes:
    """The status line and uvicorn's own headers, of which there is a new list when the second of `date` is another."""
    given = cycle.default_headers
    if _written.of is not given:
        head = b"".join([b"%b: %b\r\n" % each for each in given])
        _written.of, _written.head = given, STATUS_LINE[200] + head
    return _written.head


def _is_usual(cycle: RequestResponseCycle) -> bool:
    """Whether nothing but the answer is to be thought of."""
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused:
        return False
    return cycle.keep_alive and not cycle.access_log and cycle.scope["method"] == "POST"


def _cycle_of(end: Callable[..., Any]) -> RequestResponseCycle | None:
    cycle = getattr(end, "__self__", None)
    return cycle if type(cycle) is RequestResponseCycle else None
