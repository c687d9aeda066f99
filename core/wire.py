"""The HTTP/1.1 client of the hot path: guarded like `core.outbound`, bounded, pooled, and short enough to be checked.

Addresses are judged where a connection is made (`wire_dial`), what is sent is refused before it is written
(`wire_message`), what comes back is read strictly (`wire_answer`), and a connection is used again only after an
answer that ended where everybody agrees (`wire_pool`). No redirects, proxies, cookies, compression or settings of the
environment, and no retries: a request of which a byte was written is never written again.

Why not a library: docs/adr/0011-upstream-client.md. Everything but the hot path uses `core.outbound`.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from core.outbound_dial import OutboundPolicy, Resolver, look_up
from core.outbound_failure import OutboundError, Refusal
from core.outbound_meter import BodyMeter, is_event_stream
from core.wire_answer import AnswerReader
from core.wire_connection import Connection
from core.wire_dial import dial
from core.wire_message import head_of, target_of
from core.wire_pool import Pool

_LOOKUPS: Final = 16  # threads; a slow name server holds one of them, and the caller leaves after its limit


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds of one exchange; seconds and bytes. An event stream is bounded by its life and its largest event."""

    connect_seconds: float = 5.0  # waiting for a connection, name lookup and handshake included
    head_seconds: float = 300.0  # from the request to the end of the answer's head
    idle_seconds: float = 60.0  # between two pieces of a body
    total_seconds: float = 300.0  # the whole exchange, unless the answer is an event stream
    lifetime_seconds: float = 3600.0  # the same for an event stream
    body_bytes: int = 16 * 1024 * 1024
    event_bytes: int = 16 * 1024 * 1024
    header_bytes: int = 64 * 1024
    header_count: int = 200


class WireAnswer:
    """An answer whose head is there. Good inside the `async with` that gave it, for one reader."""

    def __init__(self, connection: Connection, reader: AnswerReader, limits: WireLimits, started: float) -> None:
        self.status = reader.status
        self.headers: Mapping[str, str] = reader.headers or {}
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = connection
        self._reader = reader
        self._limits = limits
        is_stream = is_event_stream(self.headers.get("content-type", ""))
        self._deadline = started + (limits.lifetime_seconds if is_stream else limits.total_seconds)
        self._meter = BodyMeter(limits.event_bytes if is_stream else limits.body_bytes, by_event=is_stream)

    async def read(self) -> bytes:
        """The whole body, which must not be larger than `body_bytes`. Raises `OutboundError`."""
        pieces, size = [], 0
        while piece := await self._next():
            pieces.append(piece)
            size += len(piece)
            if size > self._limits.body_bytes:
                raise OutboundError(Refusal.TOO_LARGE)
            if self._reader.complete and not self._reader.buffered:
                break  # nothing more to wait for: most bodies come in one piece
        return b"".join(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; while nobody takes it, the server is made to wait. Raises `OutboundError`."""
        while piece := await self._next():
            yield piece

    def detach(self) -> None:
        """The exchange is over: what follows on the connection is somebody else's."""
        self._connection = None

    async def _next(self) -> bytes:
        """The next piece of the body; empty at its end."""
        now = self._loop.time()
        latest = min(self._deadline, now + self._limits.idle_seconds)  # bytes that are no body do not put it off
        while True:
            if now >= self._deadline:
                raise OutboundError(Refusal.TIMEOUT)
            if self._connection is None:
                raise OutboundError(Refusal.PROTOCOL_ERROR, "The exchange is over.")
            if self._reader.buffered:
                piece = self._reader.take()
                self._connection.resume()
                self._meter.count(piece)
                return piece
            if self._reader.complete:
                return b""
            await self._connection.arrival(latest)
            now = self._loop.time()


class WireClient:
    """Pooled, guarded connections of one event loop."""

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        connections: int = 256,
        per_origin: int = 64,
        keepalive_seconds: float = 4.0,  # common servers close after five: we shall be first
        resolver: Resolver | None = None,
    ) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, "wire-dns")
        self._pool = Pool(
            functools.partial(dial, policy, resolver or functools.partial(look_up, self._threads)),
            connections=connections,
            per_origin=per_origin,
            keepalive_seconds=keepalive_seconds,
        )

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: WireLimits
    ) -> AbstractAsyncContextManager[WireAnswer]:
        """Send a request; inside the context is its answer. Raises `OutboundError`, here or while the body is read.

        A context that is left before the body's end closes the connection: cancelling hangs up.
        """
        return _Exchange(self._pool, method, url, headers, body, limits)

    async def close(self) -> None:
        """Close every connection; exchanges that go on fail."""
        await self._pool.close()
        # A lookup that hangs must not hold up whoever closes the client.
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Exchange:
    """One request and its answer. A class, because a generator as context manager costs a tenth of the whole call."""

    def __init__(
        self, pool: Pool, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: WireLimits
    ) -> None:
        self._pool = pool
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._limits = limits
        self._connection: Connection
        self._answer: WireAnswer | None = None

    async def __aenter__(self) -> WireAnswer:
        loop, limits = asyncio.get_running_loop(), self._limits
        started = loop.time()
        target = target_of(self._url)
        head = head_of(self._method, target, self._headers, len(self._body))
        reader = AnswerReader(self._method, header_bytes=limits.header_bytes, header_count=limits.header_count)
        self._connection = await self._pool.take(target.origin, started + limits.connect_seconds)
        try:
            self._connection.ask(reader, head, self._body)
            latest = loop.time() + limits.head_seconds
            while reader.headers is None:
                await self._connection.arrival(latest)
            self._answer = WireAnswer(self._connection, reader, limits, started)
            return self._answer
        finally:
            if self._answer is None:
                self._pool.give(self._connection)

    async def __aexit__(self, *_error: object) -> None:
        if self._answer is not None:
            self._answer.detach()
            self._pool.give(self._connection)
