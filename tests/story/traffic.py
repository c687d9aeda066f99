"""Agents that call without pause, in both eras, and check every answer; and streams that are opened again when they end.

Every call has a number: it is its JSON-RPC id, the argument that the server keeps in its journal, and the trace that
the gateway's records name.
"""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tests.story import wire

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
INITIALIZE = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}
LISTEN = {"notifications": {"toolsListChanged": True}}


class Answer:
    """One answer as it comes."""

    def __init__(self, head: bytes, parts: AsyncIterator[tuple[bytes, bytes]]) -> None:
        self.status = wire.status(head)
        self.session = wire.raw_field(head, b"mcp-session-id").decode()
        self._is_stream = wire.field(head, b"content-type").startswith(b"text/event-stream")
        self._parts = parts

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """The JSON-RPC messages. Raises `ConnectionError` when the answer is not whole."""
        received = b""
        async for _, data in self._parts:
            received += data
            while self._is_stream and b"\n\n" in received:
                event, _, received = received.partition(b"\n\n")
                for line in event.splitlines():
                    if line.startswith(b"data: {"):
                        yield json.loads(line[6:])
        if received.strip():
            yield json.loads(received)

    async def last(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """What was said before the answer, and the answer."""
        *before, answer = [message async for message in self.messages()]
        return before, answer


@dataclass
class Traffic:
    """What is sent, and what went wrong. `period`: seconds from one call of a caller to its next."""

    port: int
    path: str
    token: str
    failures: list[str] = field(default_factory=list)
    sent: dict[int, str] = field(default_factory=dict)  # number and tool
    answered: int = 0
    streams: dict[str, int] = field(default_factory=dict)  # how often each was opened
    open: set[str] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def caller(self, era: str, tool: str, period: float, **arguments: Any) -> None:
        """Call until the traffic is over."""
        connection, session = await self._connected(), ""
        if era == "handshake":
            session = await self._session(connection)
        due = time.monotonic()
        while not self.over.is_set():
            number = next(self._numbers)
            try:
                await self._call(connection, session, tool, number, arguments)
            except (OSError, ValueError, LookupError, AssertionError, TimeoutError) as error:
                self.failures.append(f"{era} {tool} {number}: {error!r}")
                connection[1].close()
                connection = await self._connected()
            due = max(due + period, time.monotonic() - period)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        connection[1].close()

    async def _call(self, connection: Any, session: str, tool: str, number: int, arguments: dict[str, Any]) -> None:
        progress = arguments.get("steps", 0) if arguments.get("told") else 0
        meta = {"traceparent": f"00-{number:032x}-00000000000000aa-01"} | (
            {"progressToken": number} if progress else {}
        )
        params = {"name": tool, "arguments": {**arguments, "text": str(number)}, "_meta": meta}
        self.sent[number] = tool
        async with asyncio.timeout(wire.ANSWER_SECONDS):
            before, answer = await (await self._post(connection, "tools/call", params, number, session, tool)).last()
        assert (answer["id"], "result" in answer) == (number, True), answer
        text = answer["result"]["content"][0]["text"]
        assert json.loads(text)["text"] == str(number), answer
        assert len(before) == progress, before
        assert all(each["params"]["progressToken"] == number for each in before), before
        self.answered += 1

    async def listener(self, name: str) -> None:
        """Keep a subscription of the modern era open."""

        async def opened(connection: Any) -> None:
            answer = await self._post(connection, "subscriptions/listen", LISTEN, 1)
            assert answer.status == 200, answer.status
            ended = None
            async for message in answer.messages():
                self.open.add(name)
                ended = message.get("result")
            assert ended is not None, "no result closed the subscription"
            assert ended["resultType"] == "complete", ended

        await self._kept_open(name, opened)

    async def hearer(self, name: str) -> None:
        """Keep the GET stream of a session open."""
        first = await self._connected()
        session = await self._session(first)
        first[1].close()

        async def opened(connection: Any) -> None:
            answer = await self._ask(connection, "GET", {"mcp-session-id": session, "accept": "text/event-stream"})
            assert answer.status == 200, answer.status
            self.open.add(name)
            async for message in answer.messages():
                assert "method" in message, message

        await self._kept_open(name, opened)

    async def _kept_open(self, name: str, opened: Any) -> None:
        while not self.over.is_set():
            connection = await self._connected()
            self.streams[name] = self.streams.get(name, 0) + 1
            try:
                await opened(connection)
            except (OSError, ValueError, AssertionError) as error:
                self.failures.append(f"{name}: {error!r}")
            finally:
                self.open.discard(name)
                connection[1].close()

    async def _session(self, connection: Any) -> str:
        answer = await self._post(connection, "initialize", INITIALIZE, 0)
        await answer.last()
        noted = await self._post(connection, "notifications/initialized", {}, None, answer.session)
        assert [message async for message in noted.messages()] == []
        return answer.session

    async def _connected(self) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _post(
        self, connection: Any, method: str, params: dict[str, Any], id_: int | None, session: str = "", name: str = ""
    ) -> Answer:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        message |= {"id": id_} if id_ is not None else {}
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if session:
            headers |= {"mcp-session-id": session, "mcp-protocol-version": HANDSHAKE}
        elif method != "initialize":
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method} | ({"mcp-name": name} if name else {})
            message["params"] = {**params, "_meta": {**META, **params.get("_meta", {})}}
        return await self._ask(connection, "POST", headers, json.dumps(message).encode())

    async def _ask(self, connection: Any, verb: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        reader, writer = connection
        given = {"host": f"127.0.0.1:{self.port}", "authorization": f"Bearer {self.token}", **headers}
        given |= {"content-length": str(len(body))} if body else {}
        lines = "".join(f"{key}: {value}\r\n" for key, value in given.items())
        writer.write(f"{verb} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        head = await wire.read_head(reader)
        if not head:
            raise ConnectionError("closed without an answer")
        return Answer(head, wire.body(reader, head))
