"""A small OTLP/HTTP collector on loopback, in a thread of its own. It can be slow."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Stop = Callable[[], object]


@dataclass
class Collector:
    """What came. Answers wait for `open`; `came` is set by the first request."""

    url: str = ""
    open: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)
    heads: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request after the other."""
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
            body = await reader.readexactly(int(lines["content-length"]))
            self.heads.append(head)
            message = ExportTraceServiceRequest.FromString(body)
            spans = [span for batch in message.resource_spans for scope in batch.scope_spans for span in scope.spans]
            self.names += [span.name for span in spans]
            self.came.set()
            await asyncio.to_thread(self.open.wait)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()

    async def run(self, ready: Callable[[Stop], None]) -> None:
        """Listen until what `ready` was given is called, which any thread may."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready(partial(loop.call_soon_threadsafe, over.set))
            await over.wait()


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that answers at once; clear its `open` for one that does not."""
    made, started = Collector(), queue.Queue[Stop]()
    made.open.set()
    thread = threading.Thread(target=lambda: asyncio.run(made.run(started.put)))
    thread.start()
    stop = started.get(timeout=60)
    try:
        yield made
    finally:
        made.open.set()
        stop()
        thread.join(60)
