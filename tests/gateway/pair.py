"""Two gateways with one database and Valkey, what stands before and behind them, and clients that speak raw messages.

with gateways(django_db_blocker) as world, relaying(server_url) as tap, relaying(world.a, world.b) as front:
    front.url       # each request goes to the other gateway than the one before
    tap.passed      # what reached the server through the tap, and in which session
"""

import asyncio
import contextlib
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
from django.conf import settings
from django.test import override_settings
from redis import Redis

from audit.models import Record
from gateway.application import Gateway
from tests import databases
from tests.gateway.world import BOTH, META, World, free_port, running, until

_PIECE = 65_536
READ = "mcp:files:read"
CALL = "mcp:files:call"
VERSION = "2025-11-25"
ABLE: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}
TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
_NAMED = {"prompts/get": "name", "resources/read": "uri", "tools/call": "name"}
_NAMED |= dict.fromkeys(("tasks/get", "tasks/cancel", "tasks/update"), "taskId")


# --- what stands between ------------------------------------------------------------------------------------------
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


# --- clients ------------------------------------------------------------------------------------------------------
class Heard:
    """An answer that is read in a thread while it comes: `messages`, the ids of its events, and whether it ended."""

    def __init__(self, verb: str, url: str, headers: Mapping[str, str], body: Any = None) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.broken = False
        self._client = httpx2.Client(timeout=60)
        self._response: httpx2.Response | None = None
        content = b"" if body is None else json.dumps(body).encode()
        self._thread = threading.Thread(target=self._read, args=(verb, url, dict(headers), content), daemon=True)
        self._thread.start()

    def _read(self, verb: str, url: str, headers: dict[str, str], content: bytes) -> None:
        try:
            with self._client.stream(verb, url, headers=headers, content=content) as response:
                self._response = response
                self.headers = response.headers
                self.status = response.status_code
                self._take_all(response)
        except (httpx2.HTTPError, httpx2.StreamError, OSError):
            self.broken = True
        finally:
            self._client.close()

    def _take_all(self, response: httpx2.Response) -> None:
        if response.headers.get("content-type") != "text/event-stream":
            text = response.read()
            self.messages += [json.loads(text)] if text else []
            return
        for line in response.iter_lines():
            if line.startswith("id: "):
                self.ids.append(line[4:])
            elif line.startswith("data: ") and line[6:]:
                self.messages.append(json.loads(line[6:]))

    @property
    def ended(self) -> bool:
        """Whether the answer is complete, or broke off."""
        return not self._thread.is_alive()

    def opened(self) -> "Heard":
        """Once the head has come."""
        until(lambda: self.status, seconds=20)
        return self

    def first(self, method: str, *, after: int = 0) -> dict[str, Any]:
        """The first message of a method, of those after so many others."""
        return until(lambda: next((m for m in self.messages[after:] if m.get("method") == method), None), seconds=20)

    def count(self, method: str) -> int:
        """How many messages of a method have come."""
        return sum(message.get("method") == method for message in self.messages)

    def answer(self) -> dict[str, Any]:
        """The last message, once all has come."""
        self._thread.join(30)
        assert self.ended
        return self.messages[-1]

    def hang_up(self) -> None:
        """Leave in the middle."""
        assert self._response is not None
        self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(10)


@dataclass
class Speaker:
    """One client with a token; `url` may be changed to speak to another process."""

    url: str
    token: str
    headers: dict[str, str] = field(default_factory=dict)
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def at(self, url: str) -> "Speaker":
        """The same client, at another address."""
        return type(self)(url, self.token, self.headers, self.ids)

    def send(self, verb: str = "POST", message: Any = None, **headers: str) -> Heard:
        """One raw HTTP request."""
        sent = {"authorization": f"Bearer {self.token}", "accept": BOTH, "content-type": "application/json"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return Heard(verb, self.url, {**sent, **self.headers, **given}, message)

    def start(self, method: str, params: Mapping[str, Any] | None = None, **headers: str) -> Heard:
        """One request; what comes is heard while it comes."""
        message = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": dict(params or {})}
        return self.send(message=message, **headers)

    def ask(self, method: str, params: Mapping[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """One request, and its answer."""
        return self.start(method, params, **headers).answer()

    def result(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result of a request that must have one."""
        answer = self.ask(method, params)
        assert "result" in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The result of a call."""
        return self.result("tools/call", {"name": name, "arguments": arguments})

    def error(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The error of a request that must have one, without the id that differs each time."""
        answer = self.ask(method, params)
        assert "error" in answer, answer
        return without_id(answer["error"])

    def note(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """A notification; its status."""
        heard = self.send(message={"jsonrpc": "2.0", "method": method, "params": dict(params or {})}).opened()
        return heard.status

    def reply(self, id_: Any, result: Any) -> Heard:
        """The answer to what the server asked."""
        return self.send(message={"jsonrpc": "2.0", "id": id_, "result": result}).opened()


class Modern(Speaker):
    """A client of the modern era; `capabilities` of each request are those of `able`."""

    able: Mapping[str, Any] = {}

    def start(self, method: str, params: Mapping[str, Any] | None = None, **headers: str) -> Heard:
        """One request, headers in agreement with it."""
        given = dict(params or {})
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": self.able, **given.pop("_meta", {})}
        named = given.get(_NAMED.get(method, ""))
        agreed = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        agreed |= {"mcp_name": named} if isinstance(named, str) else {}
        return super().start(method, {**given, "_meta": meta}, **{**agreed, **headers})


class Able(Modern):
    """One that can be asked everything."""

    able = {**ABLE, **TASKS}


def initialized(url: str, token: str, *, able: Mapping[str, Any] = ABLE, version: str = VERSION) -> Speaker:
    """A client of the handshake era with its session."""
    speaker = Speaker(url, token)
    params = {"protocolVersion": version, "capabilities": able, "clientInfo": {"name": "test", "version": "1"}}
    opening = speaker.start("initialize", params)
    assert "result" in opening.answer(), opening.messages
    speaker.headers = {"mcp-session-id": opening.headers["mcp-session-id"], "mcp-protocol-version": version}
    assert speaker.note("notifications/initialized") == 202
    return speaker


def without_id(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error without the id of its own record."""
    data = {key: value for key, value in error.get("data", {}).items() if key != "request_id"}
    return {**error, "data": data} if "data" in error else dict(error)


def text_of(result: Mapping[str, Any]) -> str:
    """The text of a tool result's first block."""
    return str(result["content"][0]["text"])


# --- the gateways -------------------------------------------------------------------------------------------------
@dataclass
class Shared(World):
    """What a test sees of several gateways with one database; `url` is the first's."""

    others: list[Gateway] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    server: str = ""
    names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def a(self) -> str:
        """The endpoint at the first gateway."""
        return f"{self.urls[0]}/mcp/files"

    @property
    def b(self) -> str:
        """The endpoint at the second."""
        return f"{self.urls[-1]}/mcp/files"

    def settle(self) -> None:
        """Wait until every gateway knows the present state."""
        from access.models import Revision

        wanted = dict(Revision.objects.values_list("part", "n"))
        for gateway in (self.gateway, *self.others):
            until(lambda each=gateway: dict(each._store._snapshot.revisions) == wanted)

    def token(self, *scopes: str) -> str:
        """The token of a new agent."""
        return self.agent(*(scopes or (READ, CALL)), name=f"robot {next(self.names)}").token()

    def told(self, token: str, **filters: Any) -> list[tuple[str, str, str, str]]:
        """Event, method, subject and reason or status of the records about a token, oldest first."""
        from access.tokens import verify_access_token

        facts = verify_access_token(token)
        assert facts is not None
        found = Record.objects.filter(token_id=str(facts.public_id), **filters).exclude(type="admin").order_by("id")
        return [(each.event, each.method, each.tool, each.reason or each.status) for each in found if each.server]


@contextmanager
def gateways(blocker: Any, *, count: int = 2) -> Iterator[Shared]:
    """So many gateways, with a database of their own, for a module's tests."""
    ports = [free_port() for _ in range(count)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    with ExitStack() as stack:
        stack.enter_context(blocker.unblock())
        stack.enter_context(databases.fresh_copy())
        stack.enter_context(override_settings(PUBLIC_URL=urls[0], ISSUER=urls[0], GATEWAY_URL=f"{urls[0]}/mcp"))
        first, *others = [stack.enter_context(running(port)) for port in ports]
        try:
            yield Shared(urls[0], first, others=others, urls=urls)
        finally:
            # A server waits for streams that its tests left open, and nobody in this process is told by a signal.
            for gateway in (first, *others):
                gateway.drain()


def wait_for(look: Callable[[], Any]) -> Any:
    """The first answer of `look` that is true; the machine may be busy."""
    return until(look, seconds=30)
