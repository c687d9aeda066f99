"""The way back to one client: one JSON answer, or a stream of events once something had to be said before it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from gateway import sse

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Without a body there is no content type."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Channel:
    """Sends one reply. `notify` and `ping` turn it into a stream, if the client takes streams, and else do nothing."""

    def __init__(self, send: Send, *, streams: bool) -> None:
        self._send = send
        self._streams = streams
        self._started = False
        self._lock = asyncio.Lock()

    async def notify(self, message: bytes) -> None:
        """One JSON-RPC notification before the answer."""
        await self._event(sse.frame(message))

    async def ping(self) -> None:
        """A comment, so that nothing between us and the client takes silence for the end."""
        await self._event(sse.PING)

    async def finish(self, reply: Reply) -> None:
        """The answer; on a stream its status and headers are gone already."""
        async with self._lock:
            if self._started:
                await self._body(sse.frame(reply.body) if reply.body else b"", more=False)
                return
            kind = [(b"content-type", b"application/json")] if reply.body else []
            own = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
            if b"cache-control" not in dict(own):
                own.append((b"cache-control", b"no-store"))  # what one principal was told is nobody else's
            length = [(b"content-length", str(len(reply.body)).encode())]
            await self._start(reply.status, [*kind, *length, *own])
            await self._body(reply.body, more=False)

    async def _event(self, frame: bytes) -> None:
        async with self._lock:
            if not self._streams:
                return
            if not self._started:
                self._started = True
                await self._start(200, list(sse.HEADERS))
            await self._body(frame, more=True)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
