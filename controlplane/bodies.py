"""A bound on request bodies, before Django: its ASGI handler writes a whole body to disk whoever sends it."""

import json
from collections.abc import Callable
from typing import Any, Final

from controlplane.dispatch import Application

MAX_BODY: Final = 2 * 1024 * 1024  # bytes; more than any form or JSON body that a view accepts
_ANSWER: Final = json.dumps(
    {"error": {"code": "too_large", "message": f"At most {MAX_BODY} bytes.", "details": [], "request_id": ""}}
).encode()


class _TooLarge(Exception):
    """More came than was declared or than we take."""


class BoundedBodies:
    """Hands requests on, and answers those with a larger body than `limit` bytes with 413 as soon as that is known."""

    def __init__(self, application: Application, *, limit: int = MAX_BODY):
        self._application = application
        self._limit = limit

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        if self._declared(scope) > self._limit:
            await _refuse(send)
            return
        received = 0

        async def bounded() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise _TooLarge
            return message

        try:
            await self._application(scope, bounded, send)
        except _TooLarge:
            await _refuse(send)  # Django answers nothing before it has the whole body

    def _declared(self, scope: dict[str, Any]) -> int:
        for name, value in scope["headers"]:
            if name.lower() == b"content-length" and value.isdigit():
                return self._limit + 1 if len(value) > 18 else int(value)
        return 0


async def _refuse(send: Callable[..., Any]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_ANSWER)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER})
