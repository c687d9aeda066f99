"""Requests that go to the server: validated, recorded before and after, sent, judged, released.

Nothing is sent before the intent is durable, nothing released before the outcome is. What goes to the server is made
from what was judged, headers included.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from access.policy import Reason
from core.wire import WireLimits
from gateway import jsonrpc
from gateway.asks import Asks
from gateway.bulkhead import Bulkheads
from gateway.calls import Calls, Ended, Waiting
from gateway.capabilities import has_tasks, passed_on
from gateway.eras import REFUSED, Eras
from gateway.errors import HEADER_MISMATCH, INVALID_PARAMS, modern_status, refuse
from gateway.exchange import Admitted, error_reply, invalid, result_reply
from gateway.front import Head
from gateway.handles import Handles
from gateway.headers import disagreement, param_headers, unknown_headers
from gateway.hearing import Hearing
from gateway.looking import Looks, way_of
from gateway.protocol import CLIENT_CAPABILITIES
from gateway.recorder import Outcome, Recorder
from gateway.released import Release, Released
from gateway.reply import Reply
from gateway.rounds import Rounds
from gateway.session_store import Shelf
from gateway.shared_sessions import SharedSessions
from gateway.snapshot import Definition
from gateway.telemetry import Leg
from gateway.transport import UpstreamFailed
from gateway.upstream import Outgoing, Sessions, Upstream
from gateway.validation import Problem

# The parameters of each method that travel; what the protocol does not know stays here.
_SENT: Final[Mapping[str, tuple[str, ...]]] = {
    "completion/complete": ("ref", "argument", "context"),
    "logging/setLevel": ("level",),
    "prompts/get": ("name", "arguments"),
    "resources/read": ("uri",),
    "resources/subscribe": ("uri",),
    "resources/unsubscribe": ("uri",),
    "tasks/cancel": ("taskId",),
    "tasks/get": ("taskId",),
    "tasks/result": ("taskId",),
    "tasks/update": ("taskId", "inputResponses"),
    "tools/call": ("name", "arguments", "task"),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What dispatching needs, shared by every request of a process."""

    upstream: Upstream
    shared: SharedSessions
    shelf: Shelf
    calls: Calls
    looks: Looks
    recorder: Recorder
    asks: Asks
    rounds: Rounds
    handles: Handles
    bulkheads: Bulkheads
    eras: Eras = field(default_factory=Eras)


class Dispatch:
    """Sends admitted requests."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._release = Release(parts.rounds, parts.handles)

    async def tool(self, admitted: Admitted) -> Reply:
        """`tools/call`."""
        definition, arguments = admitted.definition, admitted.request.params.get("arguments")
        if definition is None or not isinstance(arguments, dict | None):
            raise invalid("The parameter arguments must be an object.", code=INVALID_PARAMS)
        headers: dict[str, str] = {}
        if admitted.wire.modern:
            _check_param_headers(definition, arguments or {}, admitted.exchange.head)
            headers = unknown_headers(definition.headers, admitted.exchange.head.headers)
        params = self._params(admitted)
        problem = definition.input.first_problem(arguments or {}) if definition.input is not None else None
        if problem is not None:
            return await self._wrong_arguments(admitted, problem)
        if admitted.server.upstream.modern:
            headers |= param_headers(definition.headers, arguments or {})
        return await self._sent(admitted, params, headers)

    async def other(self, admitted: Admitted) -> Reply:
        """Every other method that goes to the server."""
        return await self._sent(admitted, self._params(admitted), {})

    async def task(self, admitted: Admitted) -> Reply:
        """A request about a task: with the server's own id for the handle."""
        handle = self._parts.handles.take(admitted.request.params.get("taskId"), admitted.place)
        return await self._sent(admitted, {**self._params(admitted), "taskId": handle.task_id}, {})

    def _params(self, admitted: Admitted) -> dict[str, Any]:
        params, method = admitted.request.params, admitted.request.method
        sent = {key: params[key] for key in (*_SENT[method], "_meta") if params.get(key) is not None}
        if admitted.wire.modern and method != "tasks/update":
            sent |= self._parts.rounds.opened(method, params, admitted.place)
        if "task" in sent and (admitted.wire.modern or not has_tasks(admitted.capabilities, modern=False)):
            del sent["task"]
        return sent

    async def _wrong_arguments(self, admitted: Admitted, problem: Problem) -> Reply:
        """A result that the model can read (MCP, tools, error handling); nothing was sent, and the record says so."""
        await self._parts.recorder.denied(admitted.exchange.recorded, Reason.INVALID_ARGUMENTS)
        admitted.exchange.operation.ended("denied", Reason.INVALID_ARGUMENTS)
        text = f"Invalid arguments: {problem.message} (at {problem.path}, rule {problem.rule})"
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
        if admitted.wire.modern:
            result = {"resultType": "complete", **result}
        return result_reply(admitted, jsonrpc.dumps(result))

    async def _sent(self, admitted: Admitted, params: dict[str, Any], headers: Mapping[str, str]) -> Reply:
        exchange, server, parts = admitted.exchange, admitted.server, self._parts
        with parts.bulkheads.call(exchange.slug, server.limits, admitted.token.client_id):
            outgoing = await self._outgoing(admitted, params, headers)
            await parts.recorder.intended(exchange.recorded)
            started = time.monotonic()
            with exchange.operation.upstream(url=server.url, version=outgoing.wire.version) as leg:
                released = await self._carried(admitted, outgoing, leg)
        await self._completed(admitted, released, started)
        return _reply(admitted, released)

    async def _carried(self, admitted: Admitted, outgoing: Outgoing, leg: Leg) -> Released:
        exchange = admitted.exchange
        outgoing = replace(outgoing, trace=leg.meta({}))
        waiting = Waiting((admitted.caller, admitted.request.id), admitted.wire, exchange.channel, exchange.hung_up)
        seconds = admitted.server.limits.total_seconds
        try:
            work = self._parts.upstream.send(outgoing)
            response = await self._parts.calls.carry(work, waiting, seconds=seconds)
        except Ended as ended:
            leg.failed(ended.cls)
            return Released(ended.status, ended.cls, failure=ended.refused)
        except asyncio.CancelledError:
            # The process gives up on the request; the record of what was sent must not stay without an end.
            outcome = Outcome("cancelled", "shutdown")
            await asyncio.shield(self._parts.recorder.completed(exchange.recorded, outcome))
            raise
        if isinstance(outgoing.listener, Hearing):
            await outgoing.listener.changes.finish()
        released = self._release.judge(admitted, response, outgoing.capabilities)
        if released.status not in ("ok", "input_required", "task"):
            leg.failed(released.error_class or released.status)
        return released

    async def _completed(self, admitted: Admitted, released: Released, started: float) -> None:
        outcome = Outcome(
            released.status,
            error_class=released.error_class,
            latency_ms=round((time.monotonic() - started) * 1000),
            bytes=len(released.result or b""),
        )
        await self._parts.recorder.completed(admitted.exchange.recorded, outcome)
        admitted.exchange.operation.ended(released.status, error_type=released.error_class)

    async def _outgoing(self, admitted: Admitted, params: dict[str, Any], headers: Mapping[str, str]) -> Outgoing:
        """What goes to the server."""
        sessions, wire, capabilities = await self._way(admitted)
        way = way_of(admitted.token, admitted.server, admitted.session)
        meta = admitted.request.meta
        hearing = self.hearing(admitted, capabilities, meta)
        return Outgoing(
            url=admitted.server.url,
            wire=wire,
            method=admitted.request.method,
            params=params,
            owner=way.owner,
            headers=headers,
            sessions=sessions,
            listener=hearing,
            progress=hearing.wants_progress,
            changed=lambda: self._parts.looks.heard(way),
            capabilities=capabilities,
            limits=wire_limits(admitted),
        )

    def hearing(
        self, admitted: Admitted, capabilities: Mapping[str, Any], meta: Mapping[str, Any], *, of_request: bool = True
    ) -> Hearing:
        """Who hears what the server says while this request or stream is under way."""
        session = admitted.session
        return Hearing(
            admitted.exchange,
            self._parts.asks,
            capabilities=capabilities,
            server=admitted.capabilities,
            place=() if session is None else (*admitted.place, session.owner),
            readable=admitted.may_read,
            meta=meta,
            of_request=of_request,
        )

    async def _way(self, admitted: Admitted) -> "tuple[Sessions | None, Any, Mapping[str, Any]]":
        """The sessions and the era that carry a request, and what the client can be asked on this way."""
        server, session, eras = admitted.server, admitted.session, self._parts.eras
        wire = eras.way(admitted.wire, server.upstream, server.url)
        if admitted.wire.modern:
            declared = admitted.request.meta.get(CLIENT_CAPABILITIES)
            return None, wire, passed_on(declared, admitted.capabilities) if wire.modern else {}
        if session is None or wire.modern:
            return None, wire, {}
        behind = self._parts.shared.behind(session.id)
        row = await self._parts.shelf.get(session.id)
        if server.upstream.modern:
            try:
                await behind.get(server.url)
            except UpstreamFailed as error:
                if error.cls not in REFUSED:
                    raise refused_way(error) from error
                eras.is_modern_only(server.url)
                return None, server.upstream, {}
        return behind, wire, row.capabilities if row is not None else {}


def refused_way(error: UpstreamFailed) -> Exception:
    """No session could be opened; nothing of the request was sent."""
    return Ended("failed", error.cls, error.sentence, UPSTREAM_FAILED).refused


def wire_limits(admitted: Admitted) -> WireLimits:
    """The bounds of one exchange with the server."""
    return admitted.server.wire_limits


def _reply(admitted: Admitted, released: Released) -> Reply:
    if released.result is not None:
        return result_reply(admitted, released.result)
    if released.failure is not None:
        return error_reply(admitted.exchange, released.failure)
    error = dict(released.error or {})
    status = modern_status(error["code"]) if admitted.wire.modern else 200
    return Reply(status, jsonrpc.error_bytes(admitted.request.id, error))


def _check_param_headers(definition: Definition, arguments: Mapping[str, Any], head: Head) -> None:
    name = disagreement(definition.headers, arguments, head.headers)
    twice = head.repeated & set(definition.headers.values())
    if name or twice:
        message = f"The header {name or min(twice)} does not agree with the arguments."
        raise invalid(message, code=HEADER_MISMATCH, status=400)
