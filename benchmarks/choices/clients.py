"""The client towards the servers: `tools/call` over kept connections to a server that costs nearly nothing.

Runs in the environment `choices` on uvloop; the first argument is the server's URL. `httptools` is a client by hand:
a pool of connections around the parser that uvicorn uses as well, with no redirects, cookies, proxies or encodings.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohttp
import httpcore2
import httptools
import httpx2
import uvloop
import zapros

from benchmarks import catalogue
from benchmarks.load import request
from benchmarks.timing import quantile

ROUNDS: Final = 5
SECONDS: Final = 0.6
LEVELS: Final = (1, 16)
_BODY: Final = catalogue.body("tools/call", "2026")
_HEADERS: Final = dict(catalogue.headers("tools/call", "2026"))

Post = Callable[[str], Awaitable[bytes]]


@asynccontextmanager
async def with_httpx2() -> AsyncIterator[Post]:
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def post(url: str) -> bytes:
            return (await client.post(url, content=_BODY, headers=_HEADERS)).content

        yield post


@asynccontextmanager
async def with_httpcore2() -> AsyncIterator[Post]:
    async with httpcore2.AsyncConnectionPool(max_connections=64) as pool:

        async def post(url: str) -> bytes:
            answer = await pool.request("POST", url, headers=list(_HEADERS.items()), content=_BODY)
            return answer.content

        yield post


@asynccontextmanager
async def with_aiohttp() -> AsyncIterator[Post]:
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def post(url: str) -> bytes:
            async with session.post(url, data=_BODY, headers=_HEADERS, allow_redirects=False) as answer:
                return bytes(await answer.read())

        yield post


@asynccontextmanager
async def with_zapros() -> AsyncIterator[Post]:
    async with zapros.AsyncClient() as client:

        async def post(url: str) -> bytes:
            answer = await client.request("POST", url, headers=_HEADERS, body=_BODY)
            return bytes(await answer.aread())

        yield post


class Connection(asyncio.Protocol):
    """One kept connection; carries one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None:
            self._answer.set_result(b"".join(self._parts))

    def ask(self, data: bytes) -> "asyncio.Future[bytes]":
        assert self._transport is not None
        self._parts.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._answer

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


@asynccontextmanager
async def with_httptools() -> AsyncIterator[Post]:
    idle: list[Connection] = []

    async def post(url: str) -> bytes:
        parts = urlsplit(url)
        if idle:
            connection = idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
        body = await connection.ask(request(url, {"host": parts.netloc, **_HEADERS}, _BODY))
        idle.append(connection)
        return body

    yield post
    for connection in idle:
        connection.close()


CLIENTS: Final[dict[str, Any]] = {
    "httpx2": with_httpx2,
    "httpcore2": with_httpcore2,
    "aiohttp": with_aiohttp,
    "zapros": with_zapros,
    "httptools, by hand": with_httptools,
}


async def main(url: str) -> None:
    """Print the figures."""
    print("\nHTTP clients: p50 ms, requests a second, CPU us of the client for a request")
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for _ in range(ROUNDS):
        for level in LEVELS:
            for name, opened in CLIENTS.items():
                async with opened() as post:
                    await post(url)
                    found.setdefault((name, level), []).append(await _round(post, url, level))
    for (name, level), samples in found.items():
        p50, rps, cpu = (median(figures) for figures in zip(*samples, strict=True))
        print(f"  {name:<30} c={level:<3} {p50:8.2f} {rps:8.0f} {cpu:8.0f}")


async def _round(post: Post, url: str, level: int) -> tuple[float, float, float]:
    """Milliseconds (median), requests a second, CPU microseconds a request."""
    took: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()

    async def work() -> None:
        while (start := time.perf_counter()) < began + SECONDS:
            if catalogue.TEXT.encode() not in await post(url):
                sys.exit("a client read something else than the answer")
            took.append((time.perf_counter() - start) * 1000)

    await asyncio.gather(*(work() for _ in range(level)))
    used, wall = time.process_time() - cpu, time.perf_counter() - began
    return quantile(sorted(took), 0.5), len(took) / wall, used / len(took) * 1e6


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
