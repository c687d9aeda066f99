"""Reading a request's body: all of it or nothing, within bounds of bytes and time."""

from typing import Final

from access.policy import Reason
from core.deadline import Deadline
from gateway import jsonrpc
from gateway.errors import INVALID_REQUEST, Refused, refuse
from gateway.front import Head
from gateway.reply import Receive
from gateway.shortcut import whole_body

_DIGITS: Final = len(str(jsonrpc.MAX_BODY))
BODY_SECONDS: Final = 30.0  # how long a client may take to send a request


def body_at_once(head: Head, receive: Receive) -> bytes | None:
    """The whole body, where it is there already; None where `read_body` must wait for it. Raises `Refused` with 413."""
    declared = head.headers.get("content-length", "")
    if len(declared) >= _DIGITS and declared.isascii() and declared.isdigit() and int(declared[:20]) > jsonrpc.MAX_BODY:
        raise _too_large()
    body = whole_body(receive)
    if body is not None and len(body) > jsonrpc.MAX_BODY:
        raise _too_large()
    return body


async def read_body(head: Head, receive: Receive) -> bytes:
    """The whole body. Raises `Refused`: 413 as soon as it is known to be too large, 408 when it comes too slowly."""
    body = body_at_once(head, receive)
    if body is None:
        body = await _in_pieces(receive)  # which is bounded piece by piece
    return body


async def _in_pieces(receive: Receive) -> bytes:
    try:
        with Deadline(BODY_SECONDS):
            return await _pieces(receive)
    except TimeoutError as error:
        raise Refused(Reason.INVALID_REQUEST, "The body came too slowly.", code=INVALID_REQUEST, status=408) from error


async def _pieces(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise refuse(Reason.INVALID_REQUEST, "The request broke off.", recorded=False)
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > jsonrpc.MAX_BODY:
            raise _too_large()
        if not event.get("more_body", False):
            return b"".join(parts)


def _too_large() -> Refused:
    return Refused(Reason.INVALID_REQUEST, "The body is too large.", code=INVALID_REQUEST, status=413)
