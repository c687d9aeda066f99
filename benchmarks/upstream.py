"""A minimal MCP server by hand, for both wires: `python -m benchmarks.upstream PORT [TOOLS]` in the environment `load`.

It costs some 30 microseconds a request, so that what is measured is the gateway. It answers with JSON, keeps no
session and checks nothing: not an example of a server.
"""

import asyncio
import sys
from typing import Any, Final, cast

import orjson

from benchmarks import catalogue

_INFO: Final = {"name": "benchmark", "version": "1"}
_CAPABILITIES: Final = {"tools": {"listChanged": False}}
_LIST: Final = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"}
_REASONS: Final = {200: b"OK", 202: b"Accepted", 405: b"Method Not Allowed"}


class Server:
    """Answers JSON-RPC messages; offers `count` tools, of which every one returns its argument `message`."""

    def __init__(self, count: int) -> None:
        self._list = orjson.dumps({"tools": catalogue.tools(count), **_LIST})

    def answer(self, raw: bytes) -> tuple[int, bytes]:
        """HTTP status and body."""
        message = orjson.loads(raw)
        if "id" not in message or "method" not in message:
            return 202, b""
        result = self._result(message["method"], message.get("params") or {})
        id_ = orjson.dumps(message["id"])
        if result is None:
            return 200, b'{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}' % id_
        return 200, b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (id_, result)

    def _result(self, method: str, params: dict[str, Any]) -> bytes | None:
        if method == "tools/call":
            text = (params.get("arguments") or {}).get("message", "")
            return orjson.dumps(
                {"content": [{"type": "text", "text": text}], "isError": False, "resultType": "complete"}
            )
        if method == "tools/list":
            return self._list
        if method == "initialize":
            return orjson.dumps(
                {"protocolVersion": catalogue.HANDSHAKE, "capabilities": _CAPABILITIES, "serverInfo": _INFO}
            )
        if method == "server/discover":
            versions = [catalogue.HANDSHAKE, catalogue.MODERN]
            return orjson.dumps(
                {"supportedVersions": versions, "capabilities": _CAPABILITIES, "serverInfo": _INFO, **_LIST}
            )
        return b"{}" if method == "ping" else None


class Http(asyncio.Protocol):
    """As much of HTTP/1.1 as clients of the benchmark speak."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, rest = self._received[:end].lower(), self._received[end + 4 :]
            found = _body(head, rest)
            if found is None:
                return
            body, self._received = found
            self._reply(*(self._server.answer(body) if head.startswith(b"post") else _without_body(head)))

    def _reply(self, status: int, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
            % (status, _REASONS[status], len(body), body)
        )


def _without_body(head: bytes) -> tuple[int, bytes]:
    return (405, b"") if head.startswith(b"get") else (200, b"")


def _body(head: bytes, rest: bytes) -> tuple[bytes, bytes] | None:
    """The request's body and what follows it, or None while it is not whole."""
    at = head.find(b"\r\ncontent-length:")
    if at < 0 and b"\r\ntransfer-encoding: chunked" in head:
        return _chunks(rest)
    length = int(head[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else 0
    return (rest[:length], rest[length:]) if len(rest) >= length else None


def _chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    found = b""
    while (end := rest.find(b"\r\n")) >= 0:
        size = int(rest[:end], 16)
        if len(rest) < end + 4 + size:
            return None
        found, rest = found + rest[end + 2 : end + 2 + size], rest[end + 4 + size :]
        if not size:
            return found, rest
    return None


async def main(port: int, count: int) -> None:
    """Serve until ended."""
    server = Server(count)
    listener = await asyncio.get_running_loop().create_server(lambda: Http(server), "127.0.0.1", port)
    await listener.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 30))
