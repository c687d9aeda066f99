"""Requests that go to the server: validated, recorded before and after, sent, judged, released.

Nothing is sent before the intent is durable, nothing released before the outcome is. What goes to the server is made
from what was judged, headers included.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from msgspec import Struct

from access.policy import Reason
from gateway import answers, bounds, jsonrpc
from gateway.asks import Asks, Mark
from gateway.bulkhead import Bulkheads
from gateway.calls import Calls, Ended, Waiting
from gateway.capabilities import has_tasks, passed_on
from gateway.capture import Captured, Captures
from gateway.eras import HANDSHAKE, REFUSED, Eras
from gateway.errors import HEADER_MISMATCH, INVALID_PARAMS, UPSTREAM_FAILED, Refused, modern_status
from gateway.exchange import Admitted, error_reply, invalid
from gateway.front import Head
from gateway.handles import Handles
from gateway.headers import HeaderMap, disagreement, param_headers, unknown_headers
from gateway.hearing import Hearing
from gateway.jsonrpc import Response
from gateway.looking import Looks
from gateway.operation import Leg
from gateway.problems import Problem
from gateway.protocol import CLIENT_CAPABILITIES, LOG_LEVEL, Wire
from gateway.reading import Way as Look
from gateway.reading import way_of
from gateway.recorder import Outcome, Recorder
from gateway.released import Release, Released
from gateway.reply import Reply
from gateway.rounds import Rounds
from gateway.session import Session
from gateway.session_store import Shelf
from gateway.shared_sessions import SharedSessions
from gateway.snapshot import ServerPart, Token
from gateway.telemetry import Telemetry
from gateway.transport import Interrupted, UpstreamFailed
from gateway.upstream import Outgoing, Sessions, Upstream

# The parameters of each method that travel; what the protocol does not know stays here.
_SENT: Final[Mapping[str, tuple[str, ...]]] = {
    "completion/complete": ("ref", "argument", "context", "_meta"),
    "logging/setLevel": ("level", "_meta"),
    "prompts/get": ("name", "arguments", "_meta"),
    "resources/read": ("uri", "_meta"),
    "resources/subscribe": ("uri", "_meta"),
    "resources/unsubscribe": ("uri", "_meta"),
    "tasks/cancel": ("taskId", "_meta"),
    "tasks/get": ("taskId", "_meta"),
    "tasks/result": ("taskId", "_meta"),
    "tasks/update": ("taskId", "inputResponses", "_meta"),
    "tools/call": ("name", "arguments", "task", "_meta"),
}


# How a call can end that is no failure of the exchange.
_WELL: Final = frozenset({"ok", "input_required", "task", "detached"})
_ENDED: Final = {**dict.fromkeys(_WELL, "ok"), "withheld": "denied"}  # in telemetry


class Way(Struct, frozen=True):
    """The sessions and the era that carry a request, and what the client can be asked on this way."""

    sessions: Sessions | None
    wire: Wire
    capabilities: Mapping[str, Any]


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
    telemetry: Telemetry
    captures: Captures
    eras: Eras = field(default_factory=Eras)

    def look(self, token: Token, server: ServerPart, session: Session | None) -> Look:
        """The way that looks for a caller take: that of its calls, in the session that carries them."""
        way = way_of(token, server)
        if session is None or not self.eras.speaks_handshake(server.upstream, server.url):
            return way
        return replace(way, wire=HANDSHAKE, sessions=self.shared.behind(session.id))


class Dispatch:
    """Sends admitted requests."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._release = Release(parts.rounds, parts.handles)

    # What only hands on returns the very work: a coroutine around it would be passed through with each of its waits.
    def tool(self, admitted: Admitted) -> Awaitable[Reply]:
        """`tools/call`."""
        definition, arguments = admitted.definition, admitted.request.params.get("arguments")
        if definition is None or not isinstance(arguments, dict | None):
            raise invalid("The parameter arguments must be an object.", code=INVALID_PARAMS)
        headers: dict[str, str] = {}
        arguments, checks = arguments or {}, definition.checks
        if admitted.wire.modern:
            if checks.headers:  # most tools have none
                _check_param_headers(checks.headers, arguments, admitted.exchange.head)
            headers = unknown_headers(checks.headers, admitted.exchange.head.headers)
        params = self._params(admitted)
        problem = checks.input.first_problem(arguments) if checks.input is not None else None
        if problem is not None:
            raise wrong_arguments(problem)
        if checks.headers and admitted.server.upstream.modern:
            headers |= param_headers(checks.headers, arguments)
        return self._sent(admitted, params, headers)

    def other(self, admitted: Admitted) -> Awaitable[Reply]:
        """Every other method that goes to the server."""
        return self._sent(admitted, self._params(admitted), {})

    def task(self, admitted: Admitted) -> Awaitable[Reply]:
        """A request about a task: with the server's own id for the handle."""
        handle = self._parts.handles.take(admitted.request.params.get("taskId"), admitted.place)
        return self._sent(admitted, {**self._params(admitted), "taskId": handle.task_id}, {})

    def _params(self, admitted: Admitted) -> dict[str, Any]:
        params, method, modern = admitted.request.params, admitted.request.method, admitted.wire.modern
        sent = {key: params[key] for key in _SENT[method] if params.get(key) is not None}
        if modern and method != "tasks/update" and ("requestState" in params or "inputResponses" in params):
            sent |= self._parts.rounds.opened(method, params, admitted.place)
        if "task" in sent and (modern or not has_tasks(admitted.capabilities, modern=False)):
            del sent["task"]
        return sent

    async def resume(self, admitted: Admitted, mark: Mark) -> Reply:
        """Go on with the stream of an earlier request, from the event that `mark` names (MCP 2025-11-25, transports).

        It is a call of its own in the record, with the earlier one as its parent.
        """
        admitted.exchange.recorded.parent_call_id = mark.call
        url, parts = admitted.server.url, self._parts
        with parts.bulkheads.call(admitted.exchange.slug, admitted.server.limits, admitted.token.holder):
            behind = await parts.shared.opened(admitted.session.id, url) if admitted.session is not None else None
            if behind is None:
                raise invalid("There is no event of this id any more.", status=404)
            way = self._plain_way(admitted) or await self._session_way(admitted)
            hearing = self.hearing(admitted, way.capabilities, lambda: mark)
            outgoing = self._outgoing(admitted, way, hearing, {}, {}, {})

            def go_on(_leg: Leg) -> Awaitable[Response]:
                return parts.upstream.go_on(outgoing, behind, mark.event, mark.upstream_id)

            await admitted.exchange.channel.open()
            return await self._exchanged(admitted, way, hearing, self._captured(admitted, {}), go_on)

    async def _sent(self, admitted: Admitted, params: dict[str, Any], headers: Mapping[str, str]) -> Reply:
        exchange, parts = admitted.exchange, self._parts
        with parts.bulkheads.call(exchange.slug, admitted.server.limits, admitted.token.holder):
            way = self._plain_way(admitted) or await self._session_way(admitted)
            hearing = self.hearing(admitted, way.capabilities, partial(_mark_of, admitted))

            def send(leg: Leg) -> Awaitable[Response]:
                return parts.upstream.send(self._outgoing(admitted, way, hearing, params, headers, leg.trace()))

            return await self._exchanged(admitted, way, hearing, self._captured(admitted, params), send)

    def _captured(self, admitted: Admitted, params: Mapping[str, Any]) -> Captured:
        return self._parts.captures.begin(admitted.server.capture, admitted.exchange.recorded.tool, params)

    async def _exchanged(
        self,
        admitted: Admitted,
        way: Way,
        hearing: Hearing,
        captured: Captured,
        send: "Callable[[Leg], Awaitable[Response]]",
    ) -> Reply:
        """Intent, the exchange, outcome, and only then the reply."""
        exchange, recorder = admitted.exchange, self._parts.recorder
        await recorder.intended(exchange.recorded, captured=captured)
        started, looked = time.monotonic(), None
        try:
            with exchange.operation.upstream(url=admitted.server.url, version=way.wire.version) as leg:
                released = await self._carried(admitted, way, hearing, send(leg))
                if released.status not in _WELL:
                    leg.failed(released.error_class or released.status)
            looked = answers.look_at_once(admitted, released) or await answers.look(admitted, released)
        finally:
            if looked is None:
                # We were stopped, or have a defect: what was sent must not stay without an end in the record.
                await asyncio.shield(recorder.completed(exchange.recorded, Outcome("failed", "internal")))
        latency, released = round((time.monotonic() - started) * 1000), looked.released
        size = len(released.result or b"")
        outcome = Outcome(released.status, released.error_class, latency, size, looked.found)
        await recorder.completed(exchange.recorded, outcome, captured=captured, released=released.said)
        exchange.operation.ended(_ENDED.get(released.status, released.status), released.error_class)
        if released.status == "detached":
            await exchange.channel.close()
        return _reply(admitted, released)

    async def _carried(self, admitted: Admitted, way: Way, hearing: Hearing, work: "Awaitable[Response]") -> Released:
        exchange = admitted.exchange
        waiting = Waiting((admitted.caller, admitted.request.id), admitted.wire, exchange.channel, exchange.hung_up)
        seconds = admitted.server.limits.total_seconds
        try:
            response = await self._parts.calls.carry(work, waiting, seconds=seconds)
        except Ended as ended:
            # Where the client has ids of the stream's events, it can come for the answer.
            resumable = isinstance(ended.__cause__, Interrupted) and hearing.marks > 0
            return Released("detached" if resumable else ended.status, ended.cls, failure=ended.refused)
        if hearing.has_told:
            await hearing.finish()
        return self._release.judge(admitted, response, way.capabilities)

    def _outgoing(
        self,
        admitted: Admitted,
        way: Way,
        hearing: Hearing,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        trace: Mapping[str, str],
    ) -> Outgoing:
        """What goes to the server."""
        looks = self._parts.looks
        return Outgoing(
            url=admitted.server.url,
            wire=way.wire,
            method=admitted.request.method,
            params=params,
            owner=admitted.caller,
            headers=headers,
            sessions=way.sessions,
            listener=hearing,
            progress="progressToken" in admitted.request.meta and _progress_of(admitted) is not None,
            changed=lambda: looks.heard(self._look(admitted)),
            presented=lambda card: looks.heard_card(self._look(admitted), card),
            capabilities=way.capabilities,
            trace=trace,
            limits=bounds.of_call(admitted.server.limits),
        )

    def _look(self, admitted: Admitted) -> Look:
        return self._parts.look(admitted.token, admitted.server, admitted.session)

    def hearing(self, admitted: Admitted, capabilities: Mapping[str, Any], mark: Callable[[], Mark]) -> Hearing:
        """Who hears what the server says while this request or stream is under way."""
        session = admitted.session
        return Hearing(
            admitted.exchange,
            self._parts.asks,
            capabilities=capabilities,
            server=admitted.capabilities,
            place=() if session is None else (*admitted.place, session.owner),
            readable=admitted.may_read,
            mark=mark,
            asks_for_log=LOG_LEVEL in admitted.request.meta,
        )

    def _plain_way(self, admitted: Admitted) -> Way | None:
        """The way that is known at once; None where a session must be opened, or asked for."""
        server, client = admitted.server, admitted.wire
        wire = self._parts.eras.way(client, server.upstream, server.url)
        if client.modern:
            declared = admitted.request.meta.get(CLIENT_CAPABILITIES)
            return Way(None, wire, passed_on(declared, admitted.capabilities) if declared and wire.modern else {})
        if admitted.session is None or wire.modern:
            return Way(None, wire, {})
        return self._known_way(admitted.session, server, wire)

    def _known_way(self, session: Session, server: ServerPart, wire: Wire) -> Way | None:
        """What `_session_way` finds, where nobody must be asked or waited for, as of nearly every call."""
        shared, row = self._parts.shared, self._parts.shelf.known(session.id)
        if row is None:
            return None
        if server.upstream.modern:
            if shared.known(session.id, server.url) is None:
                return None
            self._parts.eras.has_opened(server.url)
        return Way(shared.behind(session.id), wire, row.capabilities)

    async def _session_way(self, admitted: Admitted) -> Way:
        server, session, eras = admitted.server, admitted.session, self._parts.eras
        assert session is not None  # noqa: S101 -- or its way were plain
        wire = eras.way(admitted.wire, server.upstream, server.url)
        behind = self._parts.shared.behind(session.id)
        if server.upstream.modern:
            try:
                await behind.get(server.url)
            except UpstreamFailed as error:
                if error.cls not in REFUSED:
                    raise Refused(error.cls, error.sentence, code=UPSTREAM_FAILED) from error
                eras.is_modern_only(server.url)
                return Way(None, server.upstream, {})
            eras.has_opened(server.url)
        row = await self._parts.shelf.get(session.id)
        return Way(behind, wire, row.capabilities if row is not None else {})


def wrong_arguments(problem: Problem) -> Refused:
    """What the model can read and mend (MCP, tools, error handling); nothing was sent."""
    text = f"Invalid arguments: {problem.message} (at {problem.path}, rule {problem.rule})"
    data = {"path": problem.path, "rule": problem.rule}
    return Refused(Reason.INVALID_ARGUMENTS, text, code=INVALID_PARAMS, data=data, readable=True)


def _progress_of(admitted: Admitted) -> jsonrpc.Id | None:
    """The token under which the client wants to hear of progress."""
    token = admitted.request.meta.get("progressToken")
    # It comes back with every notice, so it may be no longer than the id of a request.
    return token if token is not None and jsonrpc.is_id(token) else None


def _mark_of(admitted: Admitted) -> Mark:
    request = admitted.request
    # By the member that policy judges: a stream that is gone on with is judged by what its mark names.
    name = str(request.params.get("uri" if request.method.startswith("resources/") else "name", ""))
    return Mark(admitted.exchange.id, request.id, request.method, name, token=_progress_of(admitted))


def _reply(admitted: Admitted, released: Released) -> Reply:
    if released.result is not None:
        return Reply(200, jsonrpc.result_bytes(admitted.request.id, released.result))
    if released.failure is not None:
        return error_reply(admitted.exchange, released.failure)
    error = dict(released.error or {})
    status = modern_status(error["code"]) if admitted.wire.modern else 200
    return Reply(status, jsonrpc.error_bytes(admitted.request.id, error))


def _check_param_headers(headers: HeaderMap, arguments: Mapping[str, Any], head: Head) -> None:
    name = disagreement(headers, arguments, head.headers)
    twice = head.repeated & set(headers.values())
    if name or twice:
        message = f"The header {name or min(twice)} does not agree with the arguments."
        raise invalid(message, code=HEADER_MISMATCH, status=400)
