"""One request, step by step; each step may refuse, and a refusal is recorded.

authenticate → parse strictly → agree on the era → look (`gateway.looking`) → decide → (in `gateway.methods`:)
validate arguments → intent (durable) → dispatch → check the answer → outcome (durable) → reply.
"""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

from access.policy import Allowed, Call, Denied, Reason, ServerFacts
from gateway import auth, front, jsonrpc
from gateway.auth import Tokens
from gateway.calls import Calls
from gateway.errors import INVALID_PARAMS, Refused, refuse, unknown_tool
from gateway.exchange import Admitted, Exchange, error_reply, invalid
from gateway.jsonrpc import Malformed, Message, Notification, Request
from gateway.looking import Looks, way_of
from gateway.methods import Methods
from gateway.recorder import Recorder
from gateway.reply import Reply
from gateway.session import Session, Sessions, UnknownSession
from gateway.site import Site
from gateway.snapshot import Definition, ServerPart, Shown, Snapshot, Token

_LONG: Final = 262_144  # bytes
_LOOKED_BEFORE: Final = frozenset({"tools/list", "tools/call"})
_LIKE_UNKNOWN: Final = frozenset({Reason.UNKNOWN_DEFINITION, Reason.NOT_GRANTED, Reason.NOT_SHOWN})
_NO_SERVER: Final = ServerPart(ServerFacts(slug="", resource="", environment="", active=False))


class Policy(Tokens, Protocol):
    """What the store gives."""

    def current(self) -> Snapshot:
        """The snapshot to decide by. Raises `Refused` when it is too old."""


class Pipeline:
    """Answers requests to the endpoint of one server."""

    def __init__(
        self, *, site: Site, policy: Policy, recorder: Recorder, sessions: Sessions, calls: Calls, looks: Looks
    ) -> None:
        self._site = site
        self._policy = policy
        self._recorder = recorder
        self._sessions = sessions
        self._calls = calls
        self._looks = looks
        self._methods = Methods(recorder=recorder, sessions=sessions, calls=calls, looks=looks)

    async def answer(self, exchange: Exchange, body: bytes | None) -> Reply:
        """The reply to one request; `body` is None for anything but POST. Raises nothing that a caller can cause."""
        try:
            if body is None:
                return await self._without_body(exchange)
            return await self._posted(exchange, body)
        except Refused as refused:
            return await self._refused(exchange, refused)

    async def _posted(self, exchange: Exchange, body: bytes) -> Reply:
        token = await self._authenticated(exchange)  # nothing of a stranger's body is parsed
        # A long body is parsed beside the event loop, or one caller would hold up everybody's calls.
        parsed = await asyncio.to_thread(_parsed, body) if len(body) > _LONG else _parsed(body)
        if isinstance(parsed, Malformed):
            exchange.request_id = parsed.id
            raise Refused(Reason.INVALID_REQUEST, parsed.message, code=parsed.code, status=400)
        if not isinstance(parsed, Request):
            return self._noticed(exchange, token, parsed)
        exchange.request_id = parsed.id
        exchange.recorded = replace(exchange.recorded, method=parsed.method)
        exchange.wire = front.wire_of(exchange.head, parsed)
        session = None if exchange.wire.modern or parsed.method == "initialize" else self._session(exchange, token)
        handler = self._methods.find(parsed.method, modern=exchange.wire.modern)
        if handler is None:
            raise refuse(Reason.METHOD_NOT_SUPPORTED)
        if parsed.method in _LOOKED_BEFORE:
            await self._look(exchange.slug, token, session)
        return await handler(self._admitted(exchange, parsed, token, session))

    async def _without_body(self, exchange: Exchange) -> Reply:
        """DELETE ends a session; GET would open a stream of server messages, which is not offered."""
        token = await self._authenticated(exchange)
        wire = front.wire_of_header(exchange.head)
        if wire.modern or exchange.head.method != "DELETE":
            return Reply(405, headers=(("allow", "POST" if wire.modern else "POST, DELETE"),))
        session = self._session(exchange, token)
        self._sessions.end(session)
        self._calls.forget(session.id.hex())
        return Reply(204)

    async def _authenticated(self, exchange: Exchange) -> Token:
        token = await auth.authenticate(exchange.head, exchange.slug, site=self._site, tokens=self._policy)
        exchange.token = token
        exchange.recorded = replace(
            exchange.recorded, principal=token.principal, agent=token.client_id, token_id=token.id
        )
        return token

    async def _look(self, slug: str, token: Token, session: Session | None) -> None:
        """Let the gateway look at what the server shows this caller's agent, if the caller may connect to it at all."""
        snapshot = self._policy.current()
        server = snapshot.servers.get(slug)
        if server is not None and isinstance(
            snapshot.decide(Call("tools/list"), token, slug, datetime.now(UTC)), Allowed
        ):
            await self._looks.before(way_of(token, server, session))

    def _session(self, exchange: Exchange, token: Token) -> Session:
        given = exchange.head.headers.get("mcp-session-id")
        if given is None:
            raise invalid("The header Mcp-Session-Id is missing.", status=400)
        try:
            session = self._sessions.open(given, principal=token.holder, slug=exchange.slug, now=time.time())
        except UnknownSession as error:
            raise invalid("There is no such session.", status=404) from error
        if exchange.head.headers.get("mcp-protocol-version", session.version) != session.version:
            raise invalid("The session was opened in another protocol version.", status=400)
        return session

    def _admitted(self, exchange: Exchange, request: Request, token: Token, session: Session | None) -> Admitted:
        """The request after the decision. Raises `Refused`."""
        exchange.now = datetime.now(UTC)  # a body may have been long in coming: what ended meanwhile has ended
        snapshot = self._policy.current()
        server = snapshot.servers.get(exchange.slug)
        if server is not None:
            exchange.recorded = replace(
                exchange.recorded, environment=server.facts.environment, owner_team=server.owner_team
            )
        shown = self._looks.shown(way_of(token, server, session)) if server is not None else None
        definition = self._definition(exchange, request, server, shown)
        call = Call(request.method, definition.facts if definition else None)
        decision = snapshot.decide(call, token, exchange.slug, exchange.now)
        if isinstance(decision, Denied) or server is None:
            denied = decision if isinstance(decision, Denied) else Denied(Reason.UNKNOWN_SERVER)
            raise self._denial(denied, exchange.slug, definition)
        exchange.recorded = replace(
            exchange.recorded, tool_hash=decision.digest, scopes_used=tuple(sorted(decision.scopes))
        )
        return Admitted(exchange, request, token, snapshot, server, session, definition, shown)

    def _definition(
        self, exchange: Exchange, request: Request, server: ServerPart | None, shown: Shown
    ) -> Definition | None:
        """The definition that a request names. A record of any decision about it names it too."""
        if request.method != "tools/call":
            return None
        name = request.params.get("name")
        if not isinstance(name, str) or not name:
            raise invalid("The parameter name must be the name of a tool.", code=INVALID_PARAMS)
        exchange.recorded = replace(exchange.recorded, kind="tool", tool=name)
        return (server or _NO_SERVER).definition("tool", name, shown)

    def _denial(self, denied: Denied, slug: str, definition: Definition | None) -> Refused:
        if definition is not None and denied.reason in _LIKE_UNKNOWN:
            # Alike on the wire: nobody learns what a server has that their role does not reach or that it hides.
            return unknown_tool(definition.facts.name, recorded_as=denied.reason)
        return auth.refused(denied, slug, site=self._site)

    def _noticed(self, exchange: Exchange, token: Token, message: Message) -> Reply:
        """Notifications and answers are owed no answer; the modern era knows neither from a client over HTTP."""
        if front.wire_of_header(exchange.head).modern:
            if isinstance(message, Notification):
                return Reply(202)
            raise invalid("A client sends requests and notifications only.", status=400)
        session = self._session(exchange, token)
        if isinstance(message, Notification) and message.method == "notifications/cancelled":
            self._calls.cancel((session.id.hex(), message.params.get("requestId")))
        return Reply(202)

    async def _refused(self, exchange: Exchange, refused: Refused) -> Reply:
        """Record the denial, then answer it. What cannot be recorded is answered as such."""
        if refused.recorded_as is not None:
            try:
                await self._recorder.denied(exchange.recorded, refused.recorded_as)
            except Refused as unrecorded:
                return error_reply(exchange, unrecorded)
        return error_reply(exchange, refused)


def _parsed(body: bytes) -> Message | Malformed:
    """The message, or what is wrong with it, which only a known caller is told."""
    try:
        return jsonrpc.parse(body)
    except Malformed as malformed:
        return malformed
