"""The way back to one client: one JSON answer, or a stream of events once something had to be said before it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from msgspec import Struct

from gateway import sse
from gateway.shortcut import answered

_JSON: Final = (b"content-type", b"application/json")
_UNSTORED: Final = (b"cache-control", b"no-store")  # what one principal was told is nobody else's
_CLOSE: Final = (b"connection", b"close")

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Reply(Struct, frozen=True):
    """One answer. Without a body there is no content type."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Channel:
    """Sends one reply. `notify` and `ping` turn it into a stream, if the client takes streams, and else do nothing."""

    def __init__(self, send: Send, *, streams: bool, closes: Callable[[], bool] = bool) -> None:
        """`closes`: whether the connection is to end with the reply."""
        self._send = send
        self._closes = closes
        self.streams = streams
        self._started = False
        self._finished = False
        self._lock: asyncio.Lock | None = None  # made when something is said before the answer
        self.event_id = ""  # of the next message, where the server gave it one

    async def prime(self, id_: str, retry: int | None) -> None:
        """An id from which a client can go on that lost the stream."""
        await self._event(sse.priming(id_, retry))

    async def close(self) -> None:
        """End the stream without an answer: it is to be had by its last id."""
        async with self._turn():
            if self._finished:
                return
            self._finished = True
            if not self._started:
                await self._start(200, list(sse.HEADERS))
            await self._body(b"", more=False)

    async def open(self) -> None:
        """Begin the stream, so that the client knows that it is there."""
        await self._event(b"")

    async def notify(self, message: bytes) -> None:
        """One JSON-RPC message before the answer."""
        await self._event(sse.frame(message, self._taken_id()))

    async def ping(self) -> None:
        """A comment, so that nothing between us and the client takes silence for the end."""
        await self._event(sse.PING)

    def finished_at_once(self, reply: Reply) -> bool:
        """Whether the answer was sent by this: the usual one, before which nothing was said. Else `finish` does it."""
        if self._lock is not None or self._finished or reply.status != 200 or not reply.body or reply.headers:
            return False
        self._finished = not self._closes() and answered(self._send, reply.body)
        return self._finished

    async def finish(self, reply: Reply) -> None:
        """The answer; on a stream its status and headers are gone already, and one that was closed gets none."""
        if self._is_finished() or self.finished_at_once(reply):
            return
        if self._lock is None:  # nothing was said before
            self._finished = True
            await self._whole(reply)
            return
        async with self._turn():
            if self._is_finished():
                return
            self._finished = True
            if self._started:
                await self._body(sse.frame(reply.body, self._taken_id()) if reply.body else b"", more=False)
            else:
                await self._whole(reply)

    def _turn(self) -> asyncio.Lock:
        """What is said on a stream is said one after the other."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    def _is_finished(self) -> bool:
        return self._finished  # whoever waited asks again, and a type checker may not think that it knows

    def _taken_id(self) -> str:
        id_, self.event_id = self.event_id, ""
        return id_

    async def _whole(self, reply: Reply) -> None:
        headers = _headers(reply)
        if self._closes():
            headers.append(_CLOSE)
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body, "more_body": False})

    async def _event(self, frame: bytes) -> None:
        async with self._turn():
            if not self.streams or self._finished:
                return
            if not self._started:
                self._started = True
                await self._start(200, list(sse.HEADERS))
            await self._body(frame, more=True)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self._closes():
            headers = [*headers, _CLOSE]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    length = (b"content-length", b"%d" % len(reply.body))
    if reply.body and not reply.headers:
        return [length, _JSON, _UNSTORED]  # nearly all
    headers = [length, *((name.encode(), value.encode("latin-1")) for name, value in reply.headers)]
    given = {name for name, _ in headers}
    if reply.body and b"content-type" not in given:
        headers.append(_JSON)
    if b"cache-control" not in given:
        headers.append(_UNSTORED)
    return headers
