"""What each method does once its caller was let in. A method that is not in the table is not supported."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from access.policy import Reason
from gateway import jsonrpc, protocol
from gateway.calls import Calls, Waiting
from gateway.errors import HEADER_MISMATCH, INVALID_PARAMS, Refused, modern_status
from gateway.exchange import Admitted, error_reply, invalid, result_reply
from gateway.front import Head
from gateway.headers import disagreement, param_headers, unknown_headers
from gateway.looking import Looks, way_of
from gateway.recorder import Outcome, Recorder
from gateway.reply import Reply
from gateway.session import Sessions
from gateway.snapshot import Definition
from gateway.upstream import Notify, Outgoing

Handler = Callable[[Admitted], Awaitable[Reply]]


class Methods:
    """The supported methods of both eras."""

    def __init__(self, *, recorder: Recorder, sessions: Sessions, calls: Calls, looks: Looks) -> None:
        self._recorder = recorder
        self._looks = looks
        self._sessions = sessions
        self._calls = calls
        # By (modern era, method).
        self._table: Mapping[tuple[bool, str], Handler] = {
            (False, "initialize"): self._initialize,
            (False, "ping"): self._ping,
            (False, "tools/call"): self._call_tool,
            (False, "tools/list"): self._list_tools,
            (True, "server/discover"): self._discover,
            (True, "tools/call"): self._call_tool,
            (True, "tools/list"): self._list_tools,
        }

    def find(self, method: str, *, modern: bool) -> Handler | None:
        """What answers a method, or None."""
        return self._table.get((modern, method))

    async def _initialize(self, admitted: Admitted) -> Reply:
        exchange, token = admitted.exchange, admitted.token
        version = protocol.negotiated(admitted.request.params.get("protocolVersion"))
        card = admitted.server.presented(exchange.now)
        await self._recorder.connected(exchange.recorded)
        session = self._sessions.issue(principal=token.holder, slug=exchange.slug, version=version, now=time.time())
        body = protocol.initialize_result(version, card.identity, card.instructions)
        return result_reply(admitted, body, (("mcp-session-id", session),))

    async def _discover(self, admitted: Admitted) -> Reply:
        card = admitted.server.presented(admitted.exchange.now)
        return result_reply(admitted, protocol.discover_result(card.identity, card.instructions))

    async def _ping(self, admitted: Admitted) -> Reply:
        return result_reply(admitted, b"{}")

    async def _list_tools(self, admitted: Admitted) -> Reply:
        if admitted.request.params.get("cursor") is not None:
            # Every list is one page, so no cursor was ever handed out.
            raise Refused(Reason.INVALID_REQUEST, "Invalid cursor", code=INVALID_PARAMS)
        exchange = admitted.exchange
        tools = admitted.snapshot.callable_tools(admitted.token, exchange.slug, exchange.now, admitted.shown)
        identity = admitted.server.presented(exchange.now).identity
        return result_reply(
            admitted, protocol.list_result("tools", (tool.body for tool in tools), admitted.wire, identity)
        )

    async def _call_tool(self, admitted: Admitted) -> Reply:
        exchange, params = admitted.exchange, admitted.request.params
        definition, arguments = admitted.definition, params.get("arguments")
        if definition is None or not isinstance(arguments, dict | None):
            raise invalid("The parameter arguments must be an object.", code=INVALID_PARAMS)
        if "requestState" in params or "inputResponses" in params:
            # We never handed out a state, so none can be ours.
            raise invalid("The request state is not one that was issued here.", code=INVALID_PARAMS)
        if admitted.wire.modern:
            _check_param_headers(definition, arguments or {}, exchange.head)
        sent = {key: params[key] for key in ("name", "arguments", "_meta") if params.get(key) is not None}
        return await self._carried(admitted, self._outgoing(admitted, sent, definition))

    def _outgoing(self, admitted: Admitted, params: dict[str, Any], definition: Definition) -> Outgoing:
        """What goes to the server: made from what was judged, headers included."""
        server = admitted.server
        way = way_of(admitted.token, server, admitted.session)
        headers: dict[str, str] = {}
        if server.upstream.modern:
            received = admitted.exchange.head.headers if admitted.wire.modern else {}
            headers = unknown_headers(definition.headers, received)
            headers |= param_headers(definition.headers, params.get("arguments", {}))
        return Outgoing(
            url=server.url,
            wire=server.upstream,
            method=admitted.request.method,
            params=params,
            owner=way.owner,
            headers=headers,
            notify=self._progress(admitted),
            changed=partial(self._looks.heard, way),
        )

    def _progress(self, admitted: Admitted) -> Notify | None:
        """What hands progress to the client, under the token that it chose; None when it did not ask."""
        token = admitted.request.meta.get("progressToken")
        if not isinstance(token, str | int) or isinstance(token, bool):
            return None

        async def notify(progress: Mapping[str, Any]) -> None:
            params = {"progressToken": token, **progress}
            await admitted.exchange.channel.notify(jsonrpc.notification_bytes("notifications/progress", params))

        return notify

    async def _carried(self, admitted: Admitted, outgoing: Outgoing) -> Reply:
        """Intent, dispatch, outcome. Nothing is sent before the first is durable, nothing released before the last."""
        exchange = admitted.exchange
        waiting = Waiting(
            key=(outgoing.owner, admitted.request.id),
            wire=admitted.wire,
            channel=exchange.channel,
            gone=exchange.gone,
            identity=admitted.server.presented(exchange.now).identity,
        )
        await self._recorder.intended(exchange.recorded)
        try:
            carried = await self._calls.carry(outgoing, waiting)
        except asyncio.CancelledError:
            # The process gives up on the request; the record of what was sent must not stay without an end.
            await asyncio.shield(self._recorder.completed(exchange.recorded, Outcome("cancelled", "shutdown")))
            raise
        await self._recorder.completed(exchange.recorded, carried.outcome)
        if carried.result is not None:
            return result_reply(admitted, carried.result)
        if carried.failure is not None:
            return error_reply(exchange, carried.failure)
        error = dict(carried.error or {})
        status = modern_status(error["code"]) if admitted.wire.modern else 200
        return Reply(status, jsonrpc.error_bytes(admitted.request.id, error))


def _check_param_headers(definition: Definition, arguments: Mapping[str, Any], head: Head) -> None:
    name = disagreement(definition.headers, arguments, head.headers)
    twice = head.repeated & set(definition.headers.values())
    if name or twice:
        message = f"The header {name or min(twice)} does not agree with the arguments."
        raise invalid(message, code=HEADER_MISMATCH, status=400)
