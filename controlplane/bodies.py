"""A bound on request bodies, before Django: its ASGI handler writes a whole body to disk whoever sends it.

A body that came in chunks gets its length here as well: REST framework takes one without a length for none.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from controlplane.dispatch import Application
from core.errors import envelope

MAX_BODY: Final = 2 * 1024 * 1024  # bytes; more than any form or JSON body that a view accepts
_ANSWER: Final = json.dumps(envelope("too_large", f"At most {MAX_BODY} bytes.", [], "")).encode()


class _TooLarge(Exception):
    """More came than we take."""


class _BrokeOff(Exception):
    """The client left before its body was complete."""


class BoundedBodies:
    """Hands requests on with their whole body; more than `limit` bytes are answered 413 as soon as that is known."""

    def __init__(self, application: Application, *, limit: int = MAX_BODY):
        self._application = application
        self._limit = limit

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        try:
            body = await self._whole(scope, receive)
        except _TooLarge:
            await _refuse(send)
        except _BrokeOff:
            return
        else:
            await self._application(_with_length(scope, len(body)), _replayed(body, receive), send)

    async def _whole(self, scope: dict[str, Any], receive: Callable[..., Any]) -> bytes:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > self._limit:
            raise _TooLarge
        parts: list[bytes] = []
        received, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _BrokeOff
            parts.append(message.get("body", b""))
            received, more = received + len(parts[-1]), message.get("more_body", False)
            if received > self._limit:
                raise _TooLarge
        return b"".join(parts)


def _with_length(scope: dict[str, Any], length: int) -> dict[str, Any]:
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*kept, *([(b"content-length", str(length).encode())] if length else [])]}


def _replayed(body: bytes, receive: Callable[..., Any]) -> Callable[..., Any]:
    message: dict[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}

    async def first_the_body() -> Any:
        nonlocal message
        if message is None:
            return await receive()
        given, message = message, None
        return given

    return first_the_body


async def _refuse(send: Callable[..., Any]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_ANSWER)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER})
