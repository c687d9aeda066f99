"""The HTTP/1.1 client of the hot path: guarded like `core.outbound`, bounded, pooled, and short enough to be checked.

Addresses are judged where a connection is made (`wire_dial`), what is sent is refused before it is written
(`wire_message`), what comes back is read strictly (`wire_answer`, `wire_known`), and a connection is used again only
after an answer that ended where everybody agrees (`wire_pool`). No redirects, proxies, cookies, compression or
settings of the environment, and no retries: a request of which a byte was written is never written again.

Why not a library: docs/adr/0011-upstream-client.md. Everything but the hot path uses `core.outbound`.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
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
from core.wire_message import Lines, head_of, target_of
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
    """An answer whose head is there. Good until its exchange is over, for one reader. `kind`: its media type."""

    def __init__(
        self, connection: Connection, pool: Pool, reader: AnswerReader, limits: WireLimits, started: float
    ) -> None:
        self.status = reader.status
        self.headers: Mapping[str, str] = reader.headers or {}
        self.kind, is_stream = _media_of(self.headers.get("content-type", ""))
        self._loop = connection.loop
        self._connection: Connection | None = connection
        self._pool = pool
        self._reader = reader
        self._limits = limits
        self._is_stream = is_stream
        self._deadline = started + (limits.lifetime_seconds if is_stream else limits.total_seconds)
        self._meter: BodyMeter | None = None  # of a body that is taken piece by piece

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

    def whole(self, at_most: int) -> bytes | None:
        """What `read` returns, where all of it is there and no more than `at_most` bytes; else None: `read` it.

        Raises `OutboundError`.
        """
        reader, connection = self._reader, self._connection
        if not reader.complete or connection is None or self._is_stream or self._meter is not None:
            return None
        if reader.buffered > min(at_most, self._limits.body_bytes):
            return None
        if self._loop.time() >= self._deadline:
            raise OutboundError(Refusal.TIMEOUT)
        body = reader.take()
        connection.resume()
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; while nobody takes it, the server is made to wait. Raises `OutboundError`."""
        while piece := await self._next():
            yield piece

    def leave(self) -> None:
        """The exchange is over: what follows on the connection is somebody else's. An unread rest closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give(connection)

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
                self._count(piece)
                return piece
            if self._reader.complete:
                return b""
            await self._connection.arrival(latest)
            now = self._loop.time()

    def _count(self, piece: bytes) -> None:
        if self._meter is None:
            limit = self._limits.event_bytes if self._is_stream else self._limits.body_bytes
            self._meter = BodyMeter(limit, by_event=self._is_stream)
        self._meter.count(piece)


@functools.lru_cache(maxsize=64)
def _media_of(content_type: str) -> tuple[str, bool]:
    """The media type, in lower case and without parameters, and whether it is a stream of events."""
    return content_type.partition(";")[0].strip().lower(), is_event_stream(content_type)


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
        self._loop: asyncio.AbstractEventLoop | None = None  # known from the first request on: asking for it is dear
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
        return _Exchange(functools.partial(self.ask, method, url, headers, body, limits))

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str] | Lines, body: bytes, limits: WireLimits
    ) -> WireAnswer:
        """As `request`, for the hot path: whoever gets the answer must `leave` it, however they end."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        loop, pool = self._loop, self._pool
        started = loop.time()
        target = target_of(url)
        head = head_of(method, target, headers, len(body))
        connection = pool.take_rested(target.origin)
        if connection is None:
            connection = await pool.take(target.origin, started + limits.connect_seconds)
        try:
            reader = AnswerReader(
                method,
                header_bytes=limits.header_bytes,
                header_count=limits.header_count,
                known=connection.known,
            )
            connection.ask(reader, head, body)
            latest = loop.time() + limits.head_seconds
            while reader.headers is None:
                await connection.arrival(latest)
            return WireAnswer(connection, pool, reader, limits, started)
        except BaseException:
            pool.give(connection)
            raise

    async def close(self) -> None:
        """Close every connection; exchanges that go on fail."""
        await self._pool.close()
        # A lookup that hangs must not hold up whoever closes the client.
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Exchange:
    """One request and its answer. A class, because a generator as context manager costs a tenth of the whole call."""

    def __init__(self, ask: Callable[[], Awaitable[WireAnswer]]) -> None:
        self._ask = ask
        self._answer: WireAnswer

    async def __aenter__(self) -> WireAnswer:
        self._answer = await self._ask()
        return self._answer

    async def __aexit__(self, *_error: object) -> None:
        self._answer.leave()
