"""A relay that spreads requests over its targets, remembers what passed, and can play a server that forgot.

with relaying(a, b) as front:
    front.url       # each request goes to the next target
    front.passed    # what passed, and where to
"""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_PIECE = 65_536


@dataclass(frozen=True)
class Passed:
    """One request that passed a relay."""

    verb: str
    headers: Mapping[str, str]
    message: Mapping[str, Any]
    target: str

    @property
    def method(self) -> str:
        """Of its JSON-RPC message, or the HTTP verb of one without."""
        return str(self.message.get("method", "")) or ("answer" if self.message else self.verb)

    @property
    def session(self) -> str:
        """The session that it belongs to."""
        return self.headers.get("mcp-session-id", "")


class Relay:
    """Passes each request to the next of its targets as it is, on a connection of its own, and writes down what passed.

    What it is told to forget it answers as a server does that knows no such session.
    """

    def __init__(self, *targets: str) -> None:
        self._turn = itertools.cycle(targets)
        self._path = urlsplit(targets[0]).path
        self._forgotten: set[str] = set()
        self.passed: list[Passed] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where to go instead of to the first target."""
        return f"http://127.0.0.1:{self.port}{self._path}"

    def methods(self) -> list[str]:
        """Of all that passed."""
        return [each.method for each in self.passed]

    def forget(self) -> None:
        """From now on every session that passed is unknown."""
        self._forgotten |= {each.session for each in self.passed if each.session}

    async def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which serves one request."""
        async with _closing(writer):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                line, headers, body = await _read(reader)
                target = next(self._turn)
                passed = Passed(line.split()[0].decode(), headers, json.loads(body) if body else {}, target)
                self.passed.append(passed)
                if passed.session in self._forgotten:
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    await writer.drain()
                    return
                async with _dialled(target) as (answers, requests):
                    lines = [f"{name}: {value}" for name, value in headers.items() if name != "connection"]
                    head = "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")
                    requests.write(line + b"\r\n" + head + body)
                    await _first(reader.read(), _copy(answers, writer))


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, dict[str, str], bytes]:
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    pairs = (each.decode("latin-1").partition(":") for each in rest if each)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return line, headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()


async def _first(*ways: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _dialled(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    async with _closing(writer):
        yield reader, writer


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextmanager
def relaying(*targets: str) -> Iterator[Relay]:
    """A relay that listens, in a thread."""
    relay, loop, started = Relay(*targets), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        open_: set[asyncio.Task[None]] = set()

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(relay.accepted(reader, writer))
            open_.add(task)
            task.add_done_callback(open_.discard)

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        relay.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        for task in list(open_):
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert started.wait(10)
        yield relay
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
