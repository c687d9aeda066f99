"""What the tests of the hot path's client share: a server of scripted bytes, quick limits, one exchange."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from core.outbound import OutboundError, OutboundPolicy, Resolver
from core.wire import WireClient, WireLimits
from tests.core.exchanges import LOOPBACK

QUICK = WireLimits(
    connect_seconds=0.5,
    head_seconds=0.5,
    idle_seconds=0.3,
    total_seconds=0.8,
    lifetime_seconds=0.8,
    body_bytes=1_000_000,
    event_bytes=100_000,
)
# Where something else than time is to end it: a machine that stands still for a moment must not.
PATIENT = replace(QUICK, connect_seconds=60, head_seconds=60, idle_seconds=60, total_seconds=60, lifetime_seconds=60)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"


@dataclass
class Talk:
    """One request that arrived, and the connection to answer on."""

    request: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_left(self) -> None:
        """Wait for the client to close; whatever it still says is lost."""
        while await self.reader.read(65536):
            pass


Step = bytes | Callable[[Talk], Awaitable[None]]


@dataclass
class Server:
    """Answers the first request with the first step and so on, the rest with the last; bytes are sent as they are."""

    steps: list[Step]
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    left: int = 0  # connections that are over
    requests: list[bytes] = field(default_factory=list)
    raw: Callable[[Talk], Awaitable[None]] | None = None  # does all of it instead, from the first byte on
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/mcp"

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so; it is looked at whenever a request arrives or a connection comes or goes."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(true)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._tell()
        try:
            if self.raw is not None:
                await self.raw(Talk(b"", reader, writer))
            while self.raw is None:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.left += 1
            await self._tell()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        request = head + await reader.readexactly(int(length or b"0"))
        step = self.steps[min(len(self.requests), len(self.steps) - 1)]
        self.requests.append(request)
        await self._tell()
        talk = Talk(request, reader, writer)
        await (talk.send(step) if isinstance(step, bytes) else step(talk))

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def serving(
    *steps: Step, tls: ssl.SSLContext | None = None, raw: Callable[[Talk], Awaitable[None]] | None = None
) -> AsyncIterator[Server]:
    """A server for as long as the context is open; at its end no client may still hold a connection."""
    found = Server(list(steps), scheme="https" if tls else "http", raw=raw)
    listener = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = listener.sockets[0].getsockname()[1]
    try:
        yield found
        await found.until(lambda: found.left == found.connections)
    finally:
        listener.close()


@asynccontextmanager
async def client(
    policy: OutboundPolicy = LOOPBACK, *, resolver: Resolver | None = None, **options: Any
) -> AsyncIterator[WireClient]:
    # What rests must not be closed by a machine that stands still between two requests.
    made = WireClient(policy, resolver=resolver, **{"keepalive_seconds": 60, **options})
    try:
        yield made
    finally:
        await made.close()


async def post(wire: WireClient, url: str, limits: WireLimits = PATIENT, method: str = "POST") -> tuple[int, bytes]:
    async with wire.request(method, url, {}, b"", limits) as answer:
        return answer.status, await answer.read()


async def failing(
    url: str, limits: WireLimits = PATIENT, policy: OutboundPolicy = LOOPBACK, resolver: Resolver | None = None
) -> OutboundError:
    async with client(policy, resolver=resolver) as wire:
        with pytest.raises(OutboundError) as caught:
            await post(wire, url, limits)
    return caught.value


def closes(data: bytes) -> Step:
    """Send, then close in order."""

    async def step(talk: Talk) -> None:
        await talk.send(data)
        talk.writer.close()

    return step


def stays(data: bytes = b"") -> Step:
    """Send, then say nothing until the client leaves."""

    async def step(talk: Talk) -> None:
        await talk.send(data)
        await talk.until_left()

    return step
