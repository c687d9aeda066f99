"""A relay that adds a bearer token to every request and changes nothing else; the official suite cannot send one.

It works on bytes: a request's head gets one more line, its body and the whole answer pass as they are and as they
come, so that streams, header spelling, white space, Host and Origin arrive untouched.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

_HEAD_LIMIT = 65_536
_PIECE = 65_536


@contextmanager
def relaying(url: str, token: str) -> Iterator[str]:
    """Another URL for `url`, on 127.0.0.1, through which every request carries `token`. Runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    target = urlsplit(url)
    relay = _Relay(target, token)
    port = asyncio.run_coroutine_threadsafe(relay.start(), loop).result(10)
    try:
        yield urlunsplit(("http", f"127.0.0.1:{port}", target.path, target.query, ""))
    finally:
        asyncio.run_coroutine_threadsafe(relay.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Relay:
    """The listener and its open connections."""

    def __init__(self, target: SplitResult, token: str) -> None:
        self._target = target
        self._line = f"Authorization: Bearer {token}\r\n".encode()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; gives the port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and cut what is open."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                async with _closing(writer), self._dialled() as (answers, requests):
                    await _until_one_ends(self._onward(reader, requests), _copy(answers, writer))
        except asyncio.CancelledError:
            pass  # our own `stop`; asyncio would report the task otherwise
        finally:
            self._open.discard(task)

    @asynccontextmanager
    async def _dialled(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        secure = self._target.scheme == "https"
        port = self._target.port or (443 if secure else 80)
        context = ssl.create_default_context() if secure else None
        reader, writer = await asyncio.open_connection(self._target.hostname, port, ssl=context)
        async with _closing(writer):
            yield reader, writer

    async def _onward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests of one connection, one after the other, each with the token in its head."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line, rest = head.split(b"\r\n", 1)
            writer.write(line + b"\r\n" + self._line + rest)
            async for piece in _body(reader, rest):
                writer.write(piece)
            await writer.drain()


async def _body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """The body that a head announces (RFC 9112 section 6), as it stands on the wire."""
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n"))
    }
    left = int(fields.get(b"content-length", 0))
    while left:
        piece = await reader.readexactly(min(left, _PIECE))
        left -= len(piece)
        yield piece
    size = 1 if fields.get(b"transfer-encoding", b"").endswith(b"chunked") else 0
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        yield line + await reader.readexactly(size + 2)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()


async def _until_one_ends(*ways: Coroutine[Any, Any, None]) -> None:
    """When either side goes away, the other one is told."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
