"""A server that misbehaves on purpose, one misbehaviour per path, on bare sockets so that nothing corrects it.

    python hostile.py        prints its port

`/http/<name>` are plain HTTP misbehaviours, `/meta/<name>` answers of a protected resource's metadata.
`/mcp/<name>` is an MCP endpoint of the handshake era that behaves until its tools are listed, then does what
`<name>` says; some names misbehave from the first request. `/mcp/call-<any>` behaves until its tool is called, and then
does what the argument `do` says; `/mcp/turn-<name>` behaves until a request to `/turn/<name>`. `/count` tells how many
requests each path and method got.
"""

import asyncio
import gzip
import json
import socket
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON_TYPE = "application/json"
EVENTS = "text/event-stream"
MEGABYTE = b"x" * 1_048_576
LONG = 1_000_000  # bytes of a request that `/mcp/call-<any>` does not read


@dataclass
class Exchange:
    """One request and the means to answer it badly."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    writer: asyncio.StreamWriter
    raw: bytes = b""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> Any:
        """The JSON-RPC id of the request."""
        return self.body.get("id") if isinstance(self.body, dict) else None

    @property
    def rpc(self) -> str:
        """The JSON-RPC method of the request."""
        return str(self.body.get("method", "")) if isinstance(self.body, dict) else ""

    async def send(self, data: bytes) -> None:
        """Write as it is."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int, content: bytes = b"", content_type: str = JSON_TYPE, **headers: str) -> None:
        """A whole answer."""
        await self.head(status, content_type, **{"content-length": str(len(content)), **headers})
        await self.send(content)

    async def head(self, status: int, content_type: str = JSON_TYPE, **headers: str) -> None:
        """Only the head of an answer."""
        lines = [f"HTTP/1.1 {status} Any", f"content-type: {content_type}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in {**self.extra, **headers}.items()]
        await self.send(("\r\n".join(lines) + "\r\nconnection: close\r\n\r\n").encode("latin-1"))

    async def chunks(self, parts: AsyncIterator[bytes], content_type: str = JSON_TYPE) -> None:
        """A chunked answer."""
        await self.head(200, content_type, transfer_encoding="chunked")
        async for part in parts:
            await self.send(b"%x\r\n%s\r\n" % (len(part), part))
        await self.send(b"0\r\n\r\n")

    async def result(self, result: Any) -> None:
        """An honest JSON-RPC answer."""
        await self.answer(200, json.dumps({"jsonrpc": "2.0", "id": self.id, "result": result}).encode())

    async def result_text(self, result: str | bytes) -> None:
        """A JSON-RPC answer around text that need not be JSON."""
        text = result.encode() if isinstance(result, str) else result
        await self.answer(200, b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (self.id, text))

    async def error(self, code: int, status: int = 200) -> None:
        """A JSON-RPC error."""
        error = {"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": "<script>no</script>"}}
        await self.answer(status, json.dumps(error).encode())


Handler = Callable[[Exchange], Awaitable[None]]


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A tool of the usual shape."""
    return {"name": name, "description": "d", "inputSchema": {"type": "object"}, **more}


async def forever(exchange: Exchange) -> None:
    """Hold the connection until the other side leaves."""
    while not exchange.writer.is_closing():
        await asyncio.sleep(0.2)
        exchange.writer.write(b"")


# --- plain HTTP ---------------------------------------------------------------------------------------------


async def ok(exchange: Exchange) -> None:
    await exchange.answer(200, b"fine", "text/plain", set_cookie="who=alice; Path=/")


async def echo_headers(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps(dict(exchange.headers)).encode())


async def redirect(exchange: Exchange) -> None:
    await exchange.answer(302, location=exchange.query["to"][0])


async def gigabyte(exchange: Exchange) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield MEGABYTE

    await exchange.chunks(parts())


async def compressed(exchange: Exchange) -> None:
    await exchange.answer(200, gzip.compress(b"0" * 10_000_000), content_encoding="gzip")


async def drip(exchange: Exchange) -> None:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    await exchange.chunks(parts())


async def drip_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"x-a: b\r\n")
        await asyncio.sleep(0.05)


async def big_header(exchange: Exchange) -> None:
    await exchange.answer(200, x_big="y" * 5_000_000)


async def many_headers(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(200_000)) + b"\r\n")


async def some_headers(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(1000)) + b"\r\n")


async def endless_continue(exchange: Exchange) -> None:
    while True:
        await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.01)


async def not_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n")


async def closed(exchange: Exchange) -> None:
    exchange.writer.close()


async def reset(exchange: Exchange) -> None:
    await exchange.head(200, content_length="100000")
    await exchange.send(b'{"jsonrpc"')
    reset_connection(exchange.writer)


async def idle_events(exchange: Exchange) -> None:
    await exchange.head(200, EVENTS)
    await exchange.send(b": hello\n\n")
    await forever(exchange)


async def busy_events(exchange: Exchange) -> None:
    await exchange.head(200, EVENTS)
    while True:
        await exchange.send(b'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n')
        await asyncio.sleep(0.02)


async def endless_event(exchange: Exchange) -> None:
    await exchange.head(200, EVENTS)
    while True:
        await exchange.send(b"data: " + MEGABYTE + b"\n")


def reset_connection(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


HTTP: dict[str, Handler] = {
    "ok": ok,
    "echo-headers": echo_headers,
    "redirect": redirect,
    "gigabyte": gigabyte,
    "gzip": compressed,
    "drip": drip,
    "drip-head": drip_head,
    "big-header": big_header,
    "many-headers": many_headers,
    "some-headers": some_headers,
    "endless-continue": endless_continue,
    "not-http": not_http,
    "closed": closed,
    "reset": reset,
    "hang": forever,
    "idle-events": idle_events,
    "busy-events": busy_events,
    "endless-event": endless_event,
}


# --- MCP: behaves until tools are listed ----------------------------------------------------------------------


async def well_behaved(exchange: Exchange) -> None:
    """Two tools; one holds a field of the future and a bound beyond 2**63."""
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**64 - 1, "minimum": 0.1}}}
    future = tool("future", inputSchema=schema, fromTheFuture={"a": [None, True, 1.0, 2**80]}, _meta={"x": 1})
    await exchange.result({"tools": [tool("plain"), future]})


async def many_tools(exchange: Exchange) -> None:
    await exchange.result({"tools": [tool(f"t{n}") for n in range(100_000)]})


async def endless_pages(exchange: Exchange) -> None:
    number = int((exchange.body.get("params") or {}).get("cursor", "0"))
    await exchange.result({"tools": [tool(f"t{number}")], "nextCursor": str(number + 1)})


async def empty_pages(exchange: Exchange) -> None:
    number = int((exchange.body.get("params") or {}).get("cursor", "0"))
    await exchange.result({"tools": [], "nextCursor": str(number + 1)})


async def cursor_loop(exchange: Exchange) -> None:
    cursor = (exchange.body.get("params") or {}).get("cursor", "")
    following = {"": "a", "a": "b", "b": "a"}[cursor]
    await exchange.result({"tools": [tool(f"t-{cursor or 'first'}")], "nextCursor": following})


async def duplicate_names(exchange: Exchange) -> None:
    await exchange.result({"tools": [tool("same"), tool("other"), tool("same", description="different")]})


async def huge_description(exchange: Exchange) -> None:
    await exchange.result({"tools": [tool("big", description="d" * 10_000_000)]})


async def second_page_fails(exchange: Exchange) -> None:
    if (exchange.body.get("params") or {}).get("cursor"):
        return await exchange.answer(500, b"Traceback: secret", "text/plain")
    return await exchange.result({"tools": [tool("first")], "nextCursor": "2"})


async def many_values(exchange: Exchange) -> None:
    await exchange.result_text('{"tools":[' + ",".join(["[]"] * 4_000_000) + "]}")


async def wrong_id(exchange: Exchange) -> None:
    exchange.body["id"] += 1000
    await exchange.result({"tools": []})


async def wrong_id_events(exchange: Exchange) -> None:
    message = {"jsonrpc": "2.0", "id": exchange.id + 1000, "result": {"tools": []}}
    await exchange.answer(200, f"data: {json.dumps(message)}\n\n".encode(), EVENTS)


async def two_responses(exchange: Exchange) -> None:
    first, second = (
        json.dumps({"jsonrpc": "2.0", "id": exchange.id, "result": {"tools": [tool(name)]}})
        for name in ("first", "second")
    )
    await exchange.answer(200, f"data: {first}\n\ndata: {second}\n\n".encode(), EVENTS)


async def two_documents(exchange: Exchange) -> None:
    message = json.dumps({"jsonrpc": "2.0", "id": exchange.id, "result": {"tools": []}})
    await exchange.answer(200, f"{message}\n{message}".encode())


async def batch(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps([{"jsonrpc": "2.0", "id": exchange.id, "result": {"tools": []}}]).encode())


async def case_variant(exchange: Exchange) -> None:
    message = {"jsonrpc": "2.0", "id": exchange.id, "result": {"tools": []}, "Result": {"tools": [tool("other")]}}
    await exchange.answer(200, json.dumps(message).encode())


async def events_in_pieces(exchange: Exchange) -> None:
    """An honest stream: comments, a notification, CRLF, one message over several data lines."""
    text = json.dumps({"jsonrpc": "2.0", "id": exchange.id, "result": {"tools": [tool("streamed")]}}, indent=1)
    lines = "".join(f"data: {line}\r\n" for line in text.splitlines())
    note = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}'
    stream = f": hi\r\n\r\nid: 1\r\ndata:\r\n\r\nevent: message\r\ndata: {note}\r\n\r\n{lines}\r\n"
    await exchange.answer(200, stream.encode(), EVENTS)


async def notification_storm(exchange: Exchange) -> None:
    await exchange.head(200, EVENTS)
    note = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    while True:
        await exchange.send(note * 1000)


async def stream_without_answer(exchange: Exchange) -> None:
    await exchange.answer(200, b": nothing\n\n", EVENTS)


async def accepted(exchange: Exchange) -> None:
    await exchange.answer(202)


def texts() -> dict[str, str | bytes]:
    """Results of `tools/list` that are not acceptable JSON, by name."""
    return {
        "invalid-utf8": b'{"tools":[{"name":"a","description":"\xff\xfe","inputSchema":{}}]}',
        "deep": '{"tools":[{"name":"a","inputSchema":' + '{"a":' * 300 + "1" + "}" * 300 + "}]}",
        "very-deep": '{"tools":' + "[" * 200_000 + "]" * 200_000 + "}",
        "duplicate-keys": '{"tools":[{"name":"a","name":"b","inputSchema":{}}]}',
        "nan": '{"tools":[{"name":"a","inputSchema":{"maximum":NaN}}]}',
        "infinite": '{"tools":[{"name":"a","inputSchema":{"maximum":1e999}}]}',
        "long-number": '{"tools":[{"name":"a","inputSchema":{"maximum":' + "9" * 100_000 + "}}]}",
        "surrogate": '{"tools":[{"name":"a","description":"\\ud800","inputSchema":{}}]}',
        "nul-name": '{"tools":[{"name":"a\\u0000b","inputSchema":{}}]}',
        "no-name": '{"tools":[{"inputSchema":{}}]}',
        "empty-name": '{"tools":[{"name":"","inputSchema":{}}]}',
        "number-name": '{"tools":[{"name":7,"inputSchema":{}}]}',
        "not-objects": '{"tools":["a"]}',
        "not-a-list": '{"tools":{"name":"a"}}',
        "no-list": "{}",
        "bad-cursor": '{"tools":[],"nextCursor":7}',
        "result-list": "[]",
        "truncated": '{"tools":[{"name":',
    }


def sends(text: str | bytes) -> Handler:
    """A handler that answers with `text` as the result."""

    async def handler(exchange: Exchange) -> None:
        await exchange.result_text(text)

    return handler


LISTS: dict[str, Handler] = {
    "well-behaved": well_behaved,
    "many-tools": many_tools,
    "endless-pages": endless_pages,
    "empty-pages": empty_pages,
    "cursor-loop": cursor_loop,
    "duplicate-names": duplicate_names,
    "huge-description": huge_description,
    "second-page-fails": second_page_fails,
    "many-values": many_values,
    "wrong-id": wrong_id,
    "wrong-id-events": wrong_id_events,
    "two-responses": two_responses,
    "two-documents": two_documents,
    "batch": batch,
    "case-variant": case_variant,
    "events-in-pieces": events_in_pieces,
    "notification-storm": notification_storm,
    "stream-without-answer": stream_without_answer,
    "accepted": accepted,
    "list-error": lambda exchange: exchange.error(-32603),
    **{name: sends(text) for name, text in texts().items()},
    **{f"list-{name}": handler for name, handler in HTTP.items()},
}


# --- MCP: behaves until its tool is called ---------------------------------------------------------------------

CONTENT: dict[str, Any] = {"content": [{"type": "text", "text": "done"}]}
CHANGED = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
STORM_SECONDS = 2


def answering(**more: Any) -> dict[str, Any]:
    """A whole JSON-RPC answer to a call, laid over with `more`."""
    return {"jsonrpc": "2.0", "result": CONTENT, **more}


async def call_two_responses(exchange: Exchange) -> None:
    first, second = (
        json.dumps(answering(id=exchange.id, result={"content": [{"type": "text", "text": text}]}))
        for text in ("first", "second")
    )
    await exchange.answer(200, f"data: {first}\n\ndata: {second}\n\n".encode(), EVENTS)


async def call_wrong_id(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps(answering(id=exchange.id + 1)).encode())


async def call_wrong_id_events(exchange: Exchange) -> None:
    await exchange.answer(200, f"data: {json.dumps(answering(id=exchange.id + 1))}\n\n".encode(), EVENTS)


async def call_text_id(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps(answering(id=str(exchange.id))).encode())


async def call_no_version(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps({"id": exchange.id, "result": CONTENT}).encode())


async def call_both(exchange: Exchange) -> None:
    error = {"code": -32603, "message": "no"}
    await exchange.answer(200, json.dumps(answering(id=exchange.id, error=error)).encode())


async def call_case_variant(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps(answering(id=exchange.id, Result={"content": []})).encode())


async def call_batch(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps([answering(id=exchange.id)]).encode())


async def call_two_documents(exchange: Exchange) -> None:
    text = json.dumps(answering(id=exchange.id))
    await exchange.answer(200, f"{text}\n{text}".encode())


async def call_challenged(exchange: Exchange) -> None:
    """A challenge that names something to fetch, and something to run."""
    base = f"http://{exchange.headers['host']}"
    challenge = f'Bearer resource_metadata="{base}/meta/$(touch+x)", authorization_uri="{base}/meta/x;calc.exe"'
    await exchange.answer(401, b"{}", www_authenticate=challenge)


async def reset_in_events(exchange: Exchange) -> None:
    await exchange.head(200, EVENTS)
    await exchange.send(b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}\n\n')
    await exchange.send(b'data: {"jsonrpc":"2.0","id":')
    reset_connection(exchange.writer)


async def changed_storm(exchange: Exchange) -> None:
    """A thousand times a second for two seconds: a list has changed. Then an honest answer."""
    await exchange.head(200, EVENTS)
    for _ in range(STORM_SECONDS * 20):
        await exchange.send(CHANGED * 50)
        await asyncio.sleep(0.05)
    await exchange.send(f"data: {json.dumps(answering(id=exchange.id))}\n\n".encode())


async def endless_storm(exchange: Exchange) -> None:
    """The same on the stream of a session, without an end."""
    await exchange.head(200, EVENTS)
    while True:
        await exchange.send(CHANGED * 50)
        await asyncio.sleep(0.05)


async def done(exchange: Exchange) -> None:
    await exchange.result(CONTENT)


def call_texts() -> dict[str, str | bytes]:
    """Results of `tools/call` that are not acceptable JSON, by name."""
    return {
        "invalid-utf8": b'{"content":[{"type":"text","text":"\xff\xfe"}]}',
        "deep-100": '{"content":[],"x":' + "[" * 100 + "]" * 100 + "}",
        "deep-200": '{"content":[],"x":' + "[" * 200 + "]" * 200 + "}",
        "very-deep": '{"content":' + "[" * 200_000 + "]" * 200_000 + "}",
        "duplicate-keys": '{"content":[],"content":[]}',
        "nan": '{"content":[],"x":NaN}',
        "infinite": '{"content":[],"x":1e999}',
        "long-number": '{"content":[],"x":' + "9" * 100_000 + "}",
        "surrogate": '{"content":[{"type":"text","text":"\\ud800"}]}',
        "result-list": "[]",
        "truncated": '{"content":[{"type":',
        "four-million-values": '{"content":[' + ",".join(["[]"] * 4_000_000) + "]}",
    }


CALLS: dict[str, Handler] = {
    **HTTP,
    "two-responses": call_two_responses,
    "wrong-id": call_wrong_id,
    "wrong-id-events": call_wrong_id_events,
    "text-id": call_text_id,
    "no-version": call_no_version,
    "both": call_both,
    "case-variant": call_case_variant,
    "batch": call_batch,
    "two-documents": call_two_documents,
    "challenged": call_challenged,
    "reset-in-events": reset_in_events,
    "notification-storm": notification_storm,
    "changed-storm": changed_storm,
    "stream-without-answer": stream_without_answer,
    "accepted": accepted,
    "html": lambda exchange: exchange.answer(200, b"<!doctype html><title>Welcome</title>", "text/html"),
    "500": lambda exchange: exchange.answer(500, b"Traceback: secret", "text/plain"),
    "503": lambda exchange: exchange.answer(503, b"", "text/plain", retry_after="1000000"),
    "404": lambda exchange: exchange.answer(404, b"<h1>Not found</h1>", "text/html"),
    "error": lambda exchange: exchange.error(-32603),
    "done": done,
    **{name: sends(text) for name, text in call_texts().items()},
}

TURNED: set[str] = set()
COUNT: Counter[str] = Counter()


async def turn(exchange: Exchange) -> None:
    """From now on `/mcp/turn-<name>` misbehaves."""
    TURNED.add(exchange.path.rpartition("/")[2])
    await exchange.answer(204)


async def count(exchange: Exchange) -> None:
    """How many requests each path and method got."""
    await exchange.answer(200, json.dumps(COUNT).encode())


async def behaves_until(name: str, exchange: Exchange) -> None:
    """`call-<any>` and `turn-<name>`."""
    how, _, what = name.partition("-")
    if exchange.rpc == "tools/call":
        return await CALLS[exchange.body["params"]["arguments"].get("do", "done")](exchange)
    if what == "changed-storm" and exchange.method == "GET":
        return await endless_storm(exchange)
    if exchange.method != "POST":
        return await exchange.answer(405, b"", "text/plain", allow="POST")
    if exchange.rpc == "tools/list":
        turned = how == "turn" and what in TURNED
        return await (LISTS[what] if turned else well_behaved)(exchange)
    return await handshake(exchange, tells=what == "changed-storm")


# --- MCP: misbehaves from the first request ---------------------------------------------------------------------


async def html(exchange: Exchange) -> None:
    await exchange.answer(200, b"<!doctype html><title>Welcome</title>", "text/html; charset=utf-8")


async def plain_404(exchange: Exchange) -> None:
    await exchange.answer(404, b"<h1>Not found</h1>", "text/html")


async def forbidden(exchange: Exchange) -> None:
    await exchange.answer(403, b"no", "text/plain")


async def failing(exchange: Exchange) -> None:
    await exchange.answer(500, b"Traceback: secret", "text/plain")


async def other_json(exchange: Exchange) -> None:
    await exchange.answer(200, b'{"hello": "world"}')


async def unauthorized(exchange: Exchange) -> None:
    base = f"http://{exchange.headers['host']}"
    challenge = f'Bearer realm="x", resource_metadata="{base}/meta/good", scope="a b"'
    await exchange.answer(401, b"{}", www_authenticate=challenge)


async def unauthorized_outside(exchange: Exchange) -> None:
    challenge = 'Bearer resource_metadata="http://169.254.169.254/latest/meta-data"'
    await exchange.answer(401, b"{}", www_authenticate=challenge)


async def legacy(exchange: Exchange) -> None:
    if exchange.method != "GET":
        return await exchange.answer(405, b"", "text/plain", allow="GET")
    await exchange.head(200, EVENTS)
    await exchange.send(b"event: endpoint\ndata: /messages?session=1\n\n")
    return await forever(exchange)


async def unknown_version(exchange: Exchange) -> None:
    if exchange.rpc == "initialize":
        return await exchange.result({"protocolVersion": "1999-01-01", "capabilities": {}, "serverInfo": {}})
    return await exchange.error(-32601)


async def modern_disjoint(exchange: Exchange) -> None:
    error = {"code": -32022, "message": "no", "data": {"supported": ["2099-01-01"], "requested": "2026-07-28"}}
    await exchange.answer(400, json.dumps({"jsonrpc": "2.0", "id": exchange.id, "error": error}).encode())


SESSION = "opaque-1"
SEEN: list[dict[str, str]] = []


async def session(exchange: Exchange) -> None:
    """An honest server with sessions; notes the headers that matter of every request."""
    given = exchange.headers.get("mcp-session-id", "")
    version = exchange.headers.get("mcp-protocol-version", "")
    SEEN.append({"method": exchange.method, "rpc": exchange.rpc, "session": given, "version": version})
    if exchange.rpc == "initialize":
        exchange.extra["mcp-session-id"] = SESSION
    elif exchange.rpc != "server/discover" and given != SESSION:
        return await exchange.answer(404)
    if exchange.method == "DELETE":
        return await exchange.answer(204)
    return await (well_behaved if exchange.rpc == "tools/list" else handshake)(exchange)


async def bad_session(exchange: Exchange) -> None:
    exchange.extra["mcp-session-id"] = "two words \xe9"
    await handshake(exchange)


async def seen(exchange: Exchange) -> None:
    await exchange.answer(200, json.dumps(SEEN).encode())


async def initialize_refused(exchange: Exchange) -> None:
    await exchange.error(-32601 if exchange.rpc == "server/discover" else -32600)


async def initialize_incomplete(exchange: Exchange) -> None:
    if exchange.rpc == "initialize":
        return await exchange.result({"protocolVersion": "2025-11-25"})
    return await exchange.error(-32601)


WHOLE: dict[str, Handler] = {
    "session": session,
    "seen": seen,
    "bad-session": bad_session,
    "initialize-refused": initialize_refused,
    "initialize-incomplete": initialize_incomplete,
    "html": html,
    "404": plain_404,
    "401": unauthorized,
    "401-outside": unauthorized_outside,
    "403": forbidden,
    "500": failing,
    "other-json": other_json,
    "legacy": legacy,
    "unknown-version": unknown_version,
    "modern-disjoint": modern_disjoint,
    **HTTP,
}


async def metadata(exchange: Exchange) -> None:
    """Protected resource metadata (RFC 9728)."""
    resource = f"http://{exchange.headers['host']}/mcp/401"
    good = json.dumps({"resource": resource, "authorization_servers": ["https://as.example"]}).encode()
    bodies = {
        "good": good,
        "list": b"[]",
        "duplicate-keys": b'{"a":1,"a":2}',
        "large": b'{"a":"' + b"x" * 100_000 + b'"}',
    }
    name = exchange.path.rpartition("/")[2]
    await exchange.answer(200 if name in bodies else 500, bodies.get(name, good))


async def handshake(exchange: Exchange, *, tells: bool = False) -> None:
    """Everything before the list: `initialize` and the notification after it. `tells`: of changed lists."""
    if exchange.rpc == "initialize":
        info = {"name": "hostile", "version": "0"}
        version = exchange.body["params"]["protocolVersion"]
        able = {"tools": {"listChanged": True} if tells else {}}
        return await exchange.result({"protocolVersion": version, "capabilities": able, "serverInfo": info})
    if exchange.rpc.startswith("notifications/"):
        return await exchange.answer(202)
    return await exchange.error(-32601, 400 if exchange.rpc == "server/discover" else 200)


async def route(exchange: Exchange) -> None:
    """Find the misbehaviour."""
    group, _, name = exchange.path.strip("/").partition("/")
    COUNT[f"{exchange.path} {exchange.rpc or exchange.method}"] += 1
    if group in ("turn", "count"):
        return await (turn if group == "turn" else count)(exchange)
    if group == "mcp" and name.startswith(("call-", "turn-")):
        return await behaves_until(name, exchange)
    if group == "http" and name in HTTP:
        return await HTTP[name](exchange)
    if group == "meta":
        return await HTTP.get(name, metadata)(exchange)
    if group == "mcp" and name in WHOLE:
        return await WHOLE[name](exchange)
    if group == "mcp" and name in LISTS:
        return await (LISTS[name] if exchange.rpc == "tools/list" else handshake)(exchange)
    return await plain_404(exchange)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, one request."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        length = int(headers.get("content-length", "0"))
        if length > LONG and target.startswith("/mcp/call-"):
            return await asyncio.sleep(60)  # stops reading
        raw = await reader.readexactly(length)
        url = urlsplit(target)
        body = json.loads(raw) if raw[:1] == b"{" else None
        await route(Exchange(method, url.path, parse_qs(url.query), headers, body, writer, raw))
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()


async def main() -> None:
    """Serve until told to stop."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
