"""Strict JSON-RPC over Streamable HTTP for observing: a dispatcher beneath the `mcp` package's client session.

The session knows both protocol eras: what to send, with which headers and metadata. This dispatcher carries it and
keeps what comes back exactly as it was received. The package's own transport parses leniently (the last of two
equal keys, NaN, any size, any id), which is not good enough to judge a server by.

What a server asks or tells besides the answer is dropped: an observer answers nothing.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.abc
import anyio.to_thread
import httpx2
from mcp.shared.dispatcher import CallOptions, OnNotify, OnNotifyIntercept, OnRequest
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, REQUEST_TIMEOUT

from core import strictjson
from core.outbound import OutboundError, Refusal, classify
from core.sse import Event, EventDecoder
from servers.limits import Limits
from servers.problems import ObservationFailed, of_outbound
from servers.surface import Problem

SESSION_HEADER: Final = "mcp-session-id"
OPENING: Final = frozenset({"server/discover", "initialize"})
_ENVELOPE: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_IN_THREAD_BYTES: Final = 256 * 1024
_ERROR_BODY_BYTES: Final = 64 * 1024
_REASON_CHARACTERS: Final = 500
_GOODBYE_SECONDS: Final = 2.0


class StrictDispatcher:
    """Implements the session's dispatcher protocol (`mcp.shared.dispatcher.Dispatcher`) for one server."""

    def __init__(
        self, client: httpx2.AsyncClient, url: str, limits: Limits, headers: Mapping[str, str] | None = None
    ) -> None:
        self._client = client
        self._url = url
        self._limits = limits
        self._headers = dict(headers or {})
        self._last_id = 0
        self._received = 0
        self._values = 0
        self._version: dict[str, str] = {}
        self.result: dict[str, Any] = {}  # the last answer's `result` as received
        self.result_bytes = 0  # an upper bound of its size
        self.challenge: str | None = None  # `WWW-Authenticate` of a 401 or 403
        self.asked_for_authentication = False

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """The `result` of one request, as received kept in `self.result`.

        A list is only kept there: the session would check it against types that know less than the server may send.
        Raises `MCPError` for a JSON-RPC error and `ObservationFailed` for everything else.
        """
        self._last_id += 1
        request: dict[str, Any] = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        if params:
            request["params"] = dict(params)
        seconds = self._limits.probe_seconds if method == "server/discover" else self._limits.answer_seconds
        try:
            with anyio.fail_after(seconds):
                async with self._post(request, opts) as response:
                    message = await self._message(response, method)
        except TimeoutError as error:
            raise _timed_out(method) from error
        result = _result(message, method)
        self.result = dict(result)
        return result if method in OPENING else {}

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send a notification; what the server answers to it does not matter."""
        notification: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params:
            notification["params"] = dict(params)
        try:
            with anyio.fail_after(self._limits.answer_seconds):
                async with self._post(notification, opts):
                    pass
        except TimeoutError as error:
            raise ObservationFailed(Problem.TIMEOUT) from error

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Nothing to drive: every answer is read where its request was sent."""
        task_status.started()
        await anyio.sleep_forever()

    async def end_session(self) -> None:
        """Tell the server that its session is over (DELETE); failures do not matter any more."""
        if SESSION_HEADER not in self._headers:
            return
        with anyio.move_on_after(_GOODBYE_SECONDS, shield=True):
            try:
                await self._client.delete(self._url, headers={**self._headers, **self._version})
            except OutboundError:
                return

    @asynccontextmanager
    async def _post(self, message: dict[str, Any], opts: CallOptions | None) -> AsyncIterator[httpx2.Response]:
        if stamped := (opts or {}).get("headers"):
            self._version = {name: value for name, value in stamped.items() if name.lower() == "mcp-protocol-version"}
        headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            **self._headers,
            **(stamped or {}),
        }
        content = json.dumps(message, ensure_ascii=False).encode()
        try:
            async with self._client.stream("POST", self._url, content=content, headers=headers) as response:
                self._keep_session(response, message)
                self._check_status(response)
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _outbound_failure(classify(error), message) from error

    def _keep_session(self, response: httpx2.Response, message: dict[str, Any]) -> None:
        session = response.headers.get(SESSION_HEADER)
        if session is None or message["method"] != "initialize":
            return
        if not session.isascii() or not session.isprintable() or " " in session or len(session) > 4096:
            raise ObservationFailed(Problem.PROTOCOL_ERROR, "The server's session id is not acceptable.")
        self._headers[SESSION_HEADER] = session

    def _check_status(self, response: httpx2.Response) -> None:
        if response.status_code in (401, 403):
            self.asked_for_authentication = True
            self.challenge = response.headers.get("www-authenticate")
            raise ObservationFailed(Problem.NEEDS_CREDENTIALS)
        if 300 <= response.status_code < 400:
            raise ObservationFailed(
                Problem.PROTOCOL_ERROR,
                "The server answers with a redirect, which is not followed; register the address that it leads to.",
            )

    async def _message(self, response: httpx2.Response, method: str) -> dict[str, Any]:
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code >= 400:
            return await self._refusal(response, method, content_type)
        if response.status_code == 202:
            raise ObservationFailed(Problem.PROTOCOL_ERROR, "The server accepts a request and gives no answer to it.")
        if content_type == "text/event-stream":
            return await self._from_stream(response, method)
        if content_type != "application/json":
            raise ObservationFailed(Problem.NOT_MCP if method in OPENING else Problem.PROTOCOL_ERROR)
        raw = bytearray()
        async for chunk in response.aiter_raw():
            raw += chunk
            self._count(len(chunk))
        return self._answer(await self._parsed(bytes(raw)), method)

    async def _refusal(self, response: httpx2.Response, method: str, content_type: str) -> dict[str, Any]:
        """The JSON-RPC error that a refusing status may carry (2026-07-28 sends some with 400 and 404)."""
        raw = bytearray()
        if content_type == "application/json":
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > _ERROR_BODY_BYTES:
                    break
        try:
            message = strictjson.loads(bytes(raw), max_depth=self._limits.depth)
        except strictjson.MalformedJSON:
            message = None
        if isinstance(message, dict) and isinstance(message.get("error"), dict):
            return message
        if method == "server/discover":
            raise MCPError(code=INTERNAL_ERROR, message="refused")  # evidence of an older server, not of a failure
        if response.status_code >= 500:
            raise ObservationFailed(Problem.PROTOCOL_ERROR, "The server fails with an internal error.")
        raise ObservationFailed(Problem.NOT_MCP if method in OPENING else Problem.PROTOCOL_ERROR)

    async def _from_stream(self, response: httpx2.Response, method: str) -> dict[str, Any]:
        seen = 0
        async for event in self._events(response):
            seen += 1
            if seen > self._limits.events:
                raise ObservationFailed(Problem.TOO_LARGE, "The server sends too much before its answer.")
            if (message := await self._response_in(event, method)) is not None:
                return message
        raise ObservationFailed(Problem.PROTOCOL_ERROR, "The server ends its stream without an answer.")

    async def _events(self, response: httpx2.Response) -> AsyncIterator[Event]:
        decoder, read = EventDecoder(limit=self._limits.answer_bytes), 0
        async for chunk in response.aiter_raw():
            read += len(chunk)
            self._count(len(chunk))
            if read > self._limits.answer_bytes:
                raise ObservationFailed(Problem.TOO_LARGE)
            for event in decoder.feed(chunk):
                yield event

    async def _response_in(self, event: Event, method: str) -> dict[str, Any] | None:
        if event.name != "message" or not event.data:
            return None
        message = await self._parsed(event.data)
        if isinstance(message, dict) and "method" in message and not {"result", "error"} & message.keys():
            return None
        return self._answer(message, method)

    async def _parsed(self, raw: bytes) -> Any:
        self._values += raw.count(b"[") + raw.count(b"{") + raw.count(b",")
        if self._values > self._limits.surface_values:
            raise ObservationFailed(Problem.TOO_MANY, "The server's answers hold more values than we accept.")
        self.result_bytes = len(raw)
        try:
            if len(raw) < _IN_THREAD_BYTES:
                return strictjson.loads(raw, max_depth=self._limits.depth)
            # A large body would hold up every other observation in this loop.
            return await anyio.to_thread.run_sync(
                lambda: strictjson.loads(raw, max_depth=self._limits.depth), abandon_on_cancel=True
            )
        except strictjson.MalformedJSON as error:
            raise ObservationFailed(Problem.MALFORMED, f"The server's answer is malformed: {error}.") from error

    def _answer(self, message: Any, method: str) -> dict[str, Any]:
        if not isinstance(message, dict) or not ({"result", "error"} & message.keys()):
            raise ObservationFailed(Problem.NOT_MCP if method in OPENING else Problem.PROTOCOL_ERROR)
        if any(key not in _ENVELOPE and key.lower() in _ENVELOPE for key in message):
            # Parsers that ignore case would read another message than ours.
            raise ObservationFailed(
                Problem.MALFORMED, "The server's answer spells a field of the protocol in two ways."
            )
        given = message.get("id")
        unknown = given is None and "error" in message  # rejected before its id was read: JSON-RPC 2.0, section 5
        if not unknown and (type(given) is not int or given != self._last_id):
            raise ObservationFailed(Problem.PROTOCOL_ERROR, "The server answers with the id of another request.")
        return message

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > self._limits.surface_bytes:
            raise ObservationFailed(Problem.TOO_LARGE)


def _result(message: dict[str, Any], method: str) -> dict[str, Any]:
    if "error" in message:
        raise _rpc_error(message["error"])
    result = message["result"]
    if not isinstance(result, dict):
        raise ObservationFailed(Problem.NOT_MCP if method in OPENING else Problem.PROTOCOL_ERROR)
    return result


def _rpc_error(error: Any) -> Exception:
    code = error.get("code") if isinstance(error, dict) else None
    if type(code) is not int:
        return ObservationFailed(Problem.PROTOCOL_ERROR)
    return MCPError(code=code, message=str(error.get("message"))[:_REASON_CHARACTERS], data=error.get("data"))


def _timed_out(method: str) -> Exception:
    if method == "server/discover":
        # An older server may never answer what it does not know; `initialize` decides.
        return MCPError(code=REQUEST_TIMEOUT, message="timed out")
    return ObservationFailed(Problem.TIMEOUT)


def _outbound_failure(error: OutboundError, message: dict[str, Any]) -> Exception:
    if error.cls is Refusal.TIMEOUT:
        return _timed_out(message["method"])
    return of_outbound(error)
