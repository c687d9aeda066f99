"""A small load balancer as operators run them: asks `/readyz` ten times a second, keeps connections, takes turns.

It sends nothing twice. Only where no connection was made at all does it take the next process. What was sent and got
no whole answer is in `lost`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.story import wire

CHECK_SECONDS = 0.1
PATIENCE = 60.0  # for a process that is ready
_Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(eq=False)
class Process:
    """One process behind, and the idle connections to it."""

    port: int
    ready: bool = False
    served: int = 0
    idle: deque[_Link] = field(default_factory=deque)

    async def link(self) -> _Link:
        """A connection on which nothing was sent yet, or whose last answer was whole. Raises `OSError`."""
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        async with asyncio.timeout(wire.CONNECT_SECONDS):
            return await asyncio.open_connection("127.0.0.1", self.port)

    async def look(self) -> None:
        """Ask whether it is ready."""
        try:
            async with asyncio.timeout(wire.CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
                    self.ready = wire.status(await wire.read_head(reader)) == 200
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            self.ready = False


class Balancer:
    """Listens, and passes requests on."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.processes = [Process(port) for port in ports]
        self.lost: list[str] = []
        self._turn = 0
        self._clients: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator["Balancer"]:
        """For the length of the block."""
        looks = [asyncio.create_task(self._look_forever(process)) for process in self.processes]
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=1000)
        try:
            yield self
        finally:
            server.close()
            for task in (*looks, *self._clients):
                task.cancel()
            await asyncio.gather(*looks, *self._clients, return_exceptions=True)
            for process in self.processes:
                for _, writer in process.idle:
                    writer.close()

    async def _look_forever(self, process: Process) -> None:
        while True:
            await process.look()
            await asyncio.sleep(CHECK_SECONDS)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._client(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await wire.read_head(reader):
                request = head + b"".join([raw async for raw, _ in wire.body(reader, head)])
                await self._pass_on(request, writer)
        except OSError:
            pass
        finally:
            writer.close()

    async def _pass_on(self, request: bytes, client: asyncio.StreamWriter) -> None:
        process, (reader, writer) = await self._taken()
        kept = False
        try:
            writer.write(request)
            head = await wire.read_head(reader)
            if not head:
                raise ConnectionError("closed without an answer")
            closes = wire.field(head, b"connection") == b"close"
            client.write(head.replace(b"connection: close\r\n", b"") if closes else head)
            async for raw, _ in wire.body(reader, head):
                client.write(raw)
                await client.drain()
            process.served += 1
            kept = not closes
        except OSError as error:
            self.lost.append(f"{process.port}: {error!r}: {request.partition(b'?')[0][:60]!r} {request[-200:]!r}")
            raise
        finally:
            if kept:
                process.idle.append((reader, writer))
            else:
                writer.close()

    async def _taken(self) -> tuple[Process, _Link]:
        """The next process that is ready and lets us in."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self._turn += 1
                ready = [process for process in self.processes if process.ready]
                if ready:
                    with suppress(ConnectionRefusedError):
                        process = ready[self._turn % len(ready)]
                        return process, await process.link()
                await asyncio.sleep(CHECK_SECONDS / 4)
