"""A closed-loop load client: `python -m benchmarks.load URL [options]` in the environment `load`.

Each connection sends its next request when the answer to the last has come, and every answer is checked. HTTP is
read by hand, no more of it than keep-alive answers of one message need, so that the client's own share is some 25
microseconds a request. Prints one JSON line for each number of connections.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from benchmarks import catalogue
from benchmarks.timing import quantile

MAX_ERRORS = 100  # then the run ends: it says nothing any more
FEWEST = 50  # answers that a figure needs
PATIENCE = 20.0  # seconds to wait for them
EXPECTED = {"tools/call": catalogue.TEXT.encode(), "tools/list": b'"tools"'}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. `wire` is "2025" or "2026"; `tokens` of several callers, taken by connections in turn; `handshake`:
    each connection opens a session first.

    What begins in the first `warm` seconds is not counted, what begins in the next `seconds` is. A server that is too
    slow for that gets longer.
    """

    url: str
    method: str = "tools/call"
    wire: str = "2026"
    tool: str = "echo"
    tokens: tuple[str, ...] = ()
    handshake: bool = False
    warm: float = 0.5
    seconds: float = 3.0

    def head(self, connection: int) -> dict[str, str]:
        """Request headers of one connection, without a session."""
        found = {"host": urlsplit(self.url).netloc, **catalogue.headers(self.method, self.wire, tool=self.tool)}
        if self.tokens:
            found["authorization"] = f"Bearer {self.tokens[connection % len(self.tokens)]}"
        return found


@dataclass(slots=True)
class Measured:
    """How one run went; times in milliseconds."""

    connections: int
    requests: int
    errors: int
    rps: float
    p50: float
    p95: float
    p99: float
    bytes: int
    first_error: str = ""


@dataclass(slots=True)
class _Tally:
    start: float
    end: float
    took: list[float] = field(default_factory=list)
    last: float = 0.0
    errors: int = 0
    bytes: int = 0
    first_error: str = ""

    def is_over(self, now: float) -> bool:
        """Whether time is up; what is very slow gets longer, so that there is something to tell."""
        patience = PATIENCE if len(self.took) < FEWEST else 0.0
        return now > self.end + patience or self.errors > MAX_ERRORS

    def failed(self, why: str) -> None:
        self.errors += 1
        self.first_error = self.first_error or why


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One keep-alive connection that carries one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(exc or "closed")))

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send; the future fails with `ConnectionError` when the connection ends first."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self._answer.set_exception(ConnectionError("closed"))
        else:
            self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        answer = read_answer(self._received)
        if answer is not None and self._answer is not None and not self._answer.done():
            self._received = b""
            self._answer.set_result(answer)


def read_answer(received: bytes) -> Answer | None:
    """The one answer that `received` holds, or None while it is not whole. The body may be chunked or events."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, body = received[:end], received[end + 4 :]
    length = header(head, b"content-length")
    if length:
        whole = len(body) >= int(length)
    else:
        whole = b"chunked" not in header(head, b"transfer-encoding") or body.endswith(b"0\r\n\r\n")
    return Answer(int(head[9:12]), head, body) if whole else None


def header(head: bytes, name: bytes) -> bytes:
    """A header's value, empty where it is missing. `name` is lower-case."""
    at = head.lower().find(b"\r\n%s:" % name)
    return head[at + len(name) + 3 :].partition(b"\r\n")[0].strip() if at >= 0 else b""


def request(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a POST."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {urlsplit(url).path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


async def run(plan: Plan, connections: int) -> Measured:
    """Call over so many connections. Raises `OSError` when one cannot be opened."""
    opened = await asyncio.gather(*(_connected(plan, number) for number in range(connections)))
    start = time.perf_counter() + plan.warm
    tally = _Tally(start, start + plan.seconds)
    await asyncio.gather(*(_work(plan, tally, number, *each) for number, each in enumerate(opened)))
    took = sorted(tally.took)
    p50, p95, p99 = (round(quantile(took, share) * 1000, 3) for share in (0.5, 0.95, 0.99))
    rps = round(len(took) / (tally.last - start), 1) if took else 0.0
    return Measured(connections, len(took), tally.errors, rps, p50, p95, p99, tally.bytes, tally.first_error)


async def _work(plan: Plan, tally: _Tally, number: int, connection: Connection, wire: bytes) -> None:
    expected = EXPECTED[plan.method]
    while not tally.is_over(began := time.perf_counter()):
        try:
            answer = await connection.ask(wire)
        except ConnectionError as error:
            tally.failed(repr(error))
            connection, wire = await _connected(plan, number)
            continue
        now = time.perf_counter()
        if not is_good(answer, expected):
            tally.failed(f"{answer.status} {answer.body[:300]!r}")
        elif began >= tally.start:
            tally.took.append(now - began)
            tally.last, tally.bytes = now, len(answer.body)
    connection.close()


def is_good(answer: Answer, expected: bytes) -> bool:
    """Whether an answer is the one that was asked for."""
    wrong = b'"isError":true' in answer.body or b'"isError": true' in answer.body
    return answer.status == 200 and expected in answer.body and not wrong


async def _connected(plan: Plan, number: int) -> tuple[Connection, bytes]:
    """A connection and the request that it repeats, which names its session where there is one."""
    parts = urlsplit(plan.url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
    head = plan.head(number)
    if plan.handshake:
        opened = await connection.ask(request(plan.url, head, catalogue.initialize()))
        if session := header(opened.head, b"mcp-session-id"):
            head["mcp-session-id"] = session.decode()
        note = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
        await connection.ask(request(plan.url, head, note))
    return connection, request(plan.url, head, catalogue.body(plan.method, plan.wire, tool=plan.tool))


def _parse(arguments: list[str]) -> tuple[Plan, list[int]]:
    parser = argparse.ArgumentParser(prog="benchmarks.load")
    parser.add_argument("url", help="or - for a whole plan as JSON on standard input")
    parser.add_argument("--method", default="tools/call", choices=sorted(EXPECTED))
    parser.add_argument("--wire", default="2026", choices=sorted(catalogue.WIRES))
    parser.add_argument("--tool", default="echo")
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--handshake", action="store_true", help="open a session first (handshake era)")
    parser.add_argument("--warm", type=float, default=0.5, help="seconds that are not counted")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", default="1,16", help="one run for each number")
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    levels = [int(level) for level in given.pop("connections").split(",")]
    token_file = given.pop("token_file")
    if given["url"] == "-":
        return Plan(**json.load(sys.stdin)), levels
    return Plan(tokens=(token_file.read_text().strip(),) if token_file else (), **given), levels


async def main(arguments: list[str]) -> None:
    """Measure and print."""
    plan, levels = _parse(arguments)
    for connections in levels:
        print(json.dumps(asdict(await run(plan, connections))), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1:]))
