"""What one call of an upstream client costs: `python -m benchmarks.clients [CALLS]`.

A bare server in a process of its own answers every POST with 105 bytes of JSON. The clients take turns, several rounds
each, in one process on one core, so that what else the machine does meets them alike: the client of the hot path
(`core.wire`), aiohttp behind a guarded connector, and httpx2 as `core.outbound` gives it. Printed are calls a second,
microseconds of our processor time a call, and the ratio of that time, which other load on the machine moves least.
aiohttp is no dependency of the project: where it is not installed its rows are left out.
"""

import asyncio
import importlib
import importlib.util
import ipaddress
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from core.addresses import Reach, reach
from core.outbound import OutboundLimits, OutboundPolicy, outbound_client
from core.wire import WireClient, WireLimits

ROUNDS = 5
POLICY = OutboundPolicy(allow=(ipaddress.ip_network("127.0.0.0/8"),))
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "echo",
}
BODY = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello there"}}}'
ANSWER = b'{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"hello there"}],"isError":false}}     '
Call = Callable[[], Awaitable[bytes]]


class Server(asyncio.Protocol):
    """Answers as soon as a request is whole; the requests are ours, so their length is known to be given."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0 and len(self._seen) >= end + 4 + len(BODY):
            self._seen = self._seen[end + 4 + len(BODY) :]
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(ANSWER), ANSWER)
            )


async def serve() -> None:
    """Print the port, then serve until killed."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[Call]:
    client, limits = WireClient(POLICY), WireLimits()

    async def call() -> bytes:
        async with client.request("POST", url, HEADERS, BODY, limits) as answer:
            return await answer.read()

    yield call
    await client.close()


@asynccontextmanager
async def aiohttp(url: str) -> AsyncIterator[Call]:
    library: Any = importlib.import_module("aiohttp")

    def guarded(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if reach(ipaddress.ip_address(address[0]), POLICY.allow) is not Reach.ALLOWED:
            raise OSError("blocked")
        return socket.socket(family, kind, protocol)

    connector = library.TCPConnector(limit=256, limit_per_host=64, keepalive_timeout=4.0, socket_factory=guarded)
    timeout = library.ClientTimeout(total=300, connect=5, sock_read=60)
    async with library.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=library.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("accept-encoding",),
    ) as session:

        async def call() -> bytes:
            async with session.post(url, data=BODY, headers=HEADERS, allow_redirects=False) as answer:
                body: bytes = await answer.read()
                return body

        yield call


@asynccontextmanager
async def httpx2(url: str) -> AsyncIterator[Call]:
    async with outbound_client(POLICY, OutboundLimits()) as client:

        async def call() -> bytes:
            return (await client.post(url, content=BODY, headers=HEADERS)).content

        yield call


async def measure(call: Call, callers: int, calls: int) -> tuple[float, float, float]:
    """Calls a second, microseconds of our processor time a call, median latency in microseconds."""
    latencies: list[float] = []

    async def caller() -> None:
        for _ in range(calls // callers):
            began = time.perf_counter()
            if await call() != ANSWER:
                sys.exit("a wrong answer")
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(call() for _ in range(callers)))
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    took, worked = time.perf_counter() - began, time.process_time() - used
    return len(latencies) / took, worked / len(latencies) * 1e6, statistics.median(latencies) * 1e6


async def compare(url: str, calls: int) -> None:
    """Print a row for each client and number of callers."""
    clients = {"core.wire": wire, "aiohttp": aiohttp, "httpx2": httpx2}
    if importlib.util.find_spec("aiohttp") is None:
        del clients["aiohttp"]
    for callers in (1, 16):
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in clients}
        for _ in range(ROUNDS):
            for name, client in clients.items():
                async with client(url) as call:
                    found[name].append(await measure(call, callers, calls))
        medians = {name: [statistics.median(each) for each in zip(*rows, strict=True)] for name, rows in found.items()}
        for name, (rate, cost, latency) in medians.items():
            ratio = cost / medians["core.wire"][1]
            print(f"{callers:2} callers  {name:10} {rate:6.0f} calls/s  {cost:5.0f} us of processor  "
                  f"p50 {latency:6.0f} us  {ratio:4.1f} times core.wire's cost")  # fmt: skip


def main(calls: int) -> None:
    """Start the server on another core than ours where there is one, then compare."""
    cores = sorted(os.sched_getaffinity(0))
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.clients", "serve"], stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(server.pid, {cores[-1]})
        os.sched_setaffinity(0, {cores[0]})
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/mcp"
        uvloop.run(compare(url, calls))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000)
