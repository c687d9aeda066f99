"""What looks read, without a network: one way, and a server that answers lists as it is told."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.jsonrpc import Response
from gateway.protocol import Wire
from gateway.reading import LIMITS, Reader, Way
from gateway.upstream import Outgoing
from servers.limits import Limits
from servers.surface import Surface

WIRE = Wire(modern=True, version="2026-07-28")
ECHO = ("tool", "echo")
WAY = Way(
    "files",
    "agent:robot",
    "https://up.example/mcp",
    WIRE,
    owner="a",
    lists=frozenset({"tool"}),
    polled={ECHO: "sha256:x"},
)
ONE = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
NO = Response(1, error={"code": -32601, "message": "no"})


class Upstream:
    """Answers lists as it is told; a fake of the network, which `test_upstream` has for real."""

    def __init__(self, *results: Any, error: Exception | None = None, card: Any = NO) -> None:
        self.results = list(results) or [ONE]
        self.error = error
        self.card = card
        self.sent: list[Outgoing] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def send(self, outgoing: Outgoing) -> Response:
        if outgoing.method == "server/discover":
            return self.card if isinstance(self.card, Response) else Response(1, result=self.card)
        self.sent.append(outgoing)
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        result = self.results[min(len(self.sent), len(self.results)) - 1]
        return result if isinstance(result, Response) else Response(1, result=result)


async def read(upstream: Upstream, way: Way, limits: Limits = LIMITS) -> Surface:
    """One reading."""
    with ThreadPoolExecutor(1) as threads:
        return (await Reader(upstream.send, threads, limits).read(way)).surface
