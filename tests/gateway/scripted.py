"""A server of the handshake era whose every answer a test writes, on a port of its own in the test's own event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from core.outbound import OutboundPolicy
from core.wire import WireClient, WireLimits

POLICY = OutboundPolicy(allow=(ip_network("127.0.0.0/8"),))
LIMITS = WireLimits(
    connect_seconds=2, head_seconds=2, total_seconds=5, idle_seconds=2, lifetime_seconds=5, body_bytes=4_000_000,
    event_bytes=4_000_000,
)  # fmt: skip
SECONDS = 60  # until something must have happened


@dataclass
class Got:
    """One request, and the way to answer it."""

    method: str
    headers: dict[str, str]
    raw: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    left: asyncio.Event = field(default_factory=asyncio.Event)  # the client has, whom `hang` keeps waiting

    @property
    def body(self) -> Any:
        """The JSON-RPC message."""
        return json.loads(self.raw) if self.raw else {}

    @property
    def rpc(self) -> str:
        """Its method; empty for an answer."""
        return str(self.body.get("method", ""))

    @property
    def session(self) -> str:
        """The session that it came in."""
        return self.headers.get("mcp-session-id", "")

    async def answer(
        self, status: int, body: bytes = b"", content_type: str = "application/json", **headers: str
    ) -> None:
        """A whole answer."""
        lines = [f"HTTP/1.1 {status} Any", f"content-length: {len(body)}"]
        lines += [f"content-type: {content_type}"] if body else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self._send(("\r\n".join([*lines, "connection: close"]) + "\r\n\r\n").encode() + body)

    async def result(self, result: Any, **headers: str) -> None:
        """A JSON-RPC answer."""
        await self.answer(200, _message(id=self.body["id"], result=result), **headers)

    async def error(self, code: int, *, status: int = 200, unread: bool = False) -> None:
        """A JSON-RPC error; `unread`: one that names no request."""
        id_ = None if unread else self.body["id"]
        await self.answer(status, _message(id=id_, error={"code": code, "message": "No."}))

    async def begin(self) -> None:
        """The head of a stream of events."""
        await self._send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")

    async def event(self, data: bytes | None, *, id_: str = "", retry: int | None = None) -> None:
        """One event; without data one that primes."""
        text = f"id: {id_}\n" if id_ else ""
        text += f"retry: {retry}\n" if retry is not None else ""
        await self._send(text.encode() + b"data: " + (data or b"") + b"\n\n")

    async def say(self, **message: Any) -> None:
        """A message on the stream."""
        await self.event(_message(**message))

    async def _send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


def _message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


Script = Callable[[Got], Awaitable[None]]


@dataclass
class Scripted:
    """An honest server of sessions but for what `scripts` say, by JSON-RPC method or by `GET` and `DELETE`."""

    url: str = ""
    scripts: dict[str, Script] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    _serving: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._idle.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving += 1
        self._idle.clear()
        try:
            got = await _read(reader, writer)
            self.got.append(got)
            self._came.set()
            await self._answer(got)
        except (OSError, asyncio.IncompleteReadError):
            return  # the client left
        finally:
            writer.close()
            self._serving -= 1
            if not self._serving:
                self._idle.set()

    async def _answer(self, got: Got) -> None:
        key = got.rpc if got.method == "POST" else got.method
        if got.session in self.forgotten:
            await got.answer(404)
        elif key in self.scripts:
            await self.scripts[key](got)
        elif key == "initialize":
            self.sessions.append(f"s-{len(self.sessions) + 1}")
            opened = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}
            await got.result(opened, mcp_session_id=self.sessions[-1])
        elif got.method == "POST" and got.rpc and "id" in got.body:
            await got.result({"content": [], "session": got.session})
        else:
            await got.answer(204 if got.method == "DELETE" else 202 if got.method == "POST" else 405)

    def of(self, key: str) -> list[Got]:
        """The requests of one JSON-RPC method, or HTTP method, so far; answers have the method `""`."""
        return [got for got in self.got if (got.rpc if got.method == "POST" else got.method) == key]

    async def until(self, key: str, count: int = 1) -> list[Got]:
        """Wait for so many."""
        async with asyncio.timeout(SECONDS):
            while len(self.of(key)) < count:
                self._came.clear()
                await self._came.wait()
        return self.of(key)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Got(head[0].split(" ")[0], headers, body, reader, writer)


@asynccontextmanager
async def scripted(**scripts: Script) -> AsyncIterator[Scripted]:
    """Run one."""
    made = Scripted(scripts=dict(scripts))
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    try:
        yield made
    finally:
        server.close()
        for got in made.got:
            got.writer.transport.abort()
        await asyncio.wait_for(made._idle.wait(), SECONDS)


@asynccontextmanager
async def wire_client() -> AsyncIterator[WireClient]:
    """The client of the hot path."""
    client = WireClient(POLICY)
    try:
        yield client
    finally:
        await client.close()


async def hang(got: Got) -> None:
    """Never answer; over when the client has left."""
    await got.reader.read()
    got.left.set()
