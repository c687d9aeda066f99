"""Clients of both eras that speak raw messages, and hear what comes while it comes."""

import itertools
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.gateway.world import BOTH, META, PLAIN, until

READ = "mcp:files:read"
CALL = "mcp:files:call"
VERSION = "2025-11-25"
ABLE: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
_NAMED = {"prompts/get": "name", "resources/read": "uri", "tools/call": "name"}
_NAMED |= dict.fromkeys(("tasks/get", "tasks/cancel", "tasks/update"), "taskId")


class Heard:
    """An answer that is read in a thread while it comes: `messages`, the ids of its events, and whether it ended."""

    def __init__(self, verb: str, url: str, headers: Mapping[str, str], body: Any = None) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.broken = False
        self._client = httpx2.Client(timeout=120, verify=PLAIN)
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
        until(lambda: self.status)
        return self

    def first(self, method: str, *, after: int = 0) -> dict[str, Any]:
        """The first message of a method, of those after so many others."""
        return until(lambda: next((m for m in self.messages[after:] if m.get("method") == method), None))

    def count(self, method: str) -> int:
        """How many messages of a method have come."""
        return sum(message.get("method") == method for message in self.messages)

    def answer(self) -> dict[str, Any]:
        """The last message, once all has come."""
        self._thread.join(60)
        assert self.ended
        return self.messages[-1]

    def hang_up(self) -> None:
        """Leave in the middle."""
        assert self._response is not None
        self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(60)


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


def wait_for(look: Callable[[], Any]) -> Any:
    """The first answer of `look` that is true; the machine may be busy."""
    return until(look)
