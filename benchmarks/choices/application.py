"""An ASGI application of the gateway's shape: reads a body, answers with JSON. Nothing else."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from benchmarks.catalogue import TEXT

_RESULT: Final = {"content": [{"type": "text", "text": TEXT}], "isError": False}
_ANSWER: Final = json.dumps({"jsonrpc": "2.0", "id": 1, "result": _RESULT}).encode()
_HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI: one answer for everything."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})
