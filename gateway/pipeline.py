"""One request, step by step; each step may refuse, and a refusal is recorded.

authenticate → parse strictly → agree on the era → look (`gateway.looking`) → decide → (in `gateway.methods`:)
validate arguments → intent (durable) → dispatch → judge and scan the answer → outcome (durable) → reply.
"""

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from access.intentions import KEY as INTENTION
from access.intentions import says_something
from access.policy import Allowed, Call, Decision, Denied, Reason, ServerFacts
from access.rules import Rule
from gateway import auth, capabilities, front, jsonrpc
from gateway.auth import Tokens
from gateway.dispatch import Dispatch, Parts
from gateway.errors import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Refused,
    intention_required,
    refuse,
    unknown_prompt,
    unknown_resource,
    unknown_tool,
)
from gateway.exchange import Admitted, Exchange, caller_of, error_reply, invalid
from gateway.handles import require_tasks
from gateway.jsonrpc import Malformed, Message, Notification, Request, Response
from gateway.kept_tokens import Bearer
from gateway.lists import Lists
from gateway.methods import Handler, Methods
from gateway.reading import class_of
from gateway.recorder import Outcome
from gateway.reply import Reply
from gateway.session import Session, Sessions, UnknownSession
from gateway.site import Site
from gateway.snapshot import Definition, ServerPart, Shown, Snapshot, Token
from gateway.streams import Streams
from gateway.targets import Target, target
from gateway.transport import SessionLost, UpstreamFailed
from gateway.upstream import LIMITS

_LONG: Final = 262_144  # bytes
_NO_SERVER: Final = ServerPart(ServerFacts(slug="", resource="", environment="", active=False))
_LOOKED_BEFORE: Final = ("tools/", "resources/", "prompts/", "completion/")
_HIDDEN: Final = frozenset({Reason.UNKNOWN_DEFINITION, Reason.NOT_GRANTED, Reason.SCHEME_NOT_ALLOWED, Reason.NOT_SHOWN})


class Policy(Tokens, Protocol):
    """What the store gives."""

    def current(self) -> Snapshot:
        """The snapshot to decide by. Raises `Refused` when it is too old."""

    def kept(self, bearer: Bearer) -> Token | None:
        """The token, if it was found to be valid a moment ago, so that nobody has to be asked."""


class Messages(Protocol):
    """What carries words between processes; losing one makes something late, never wrong."""

    async def tell(self, what: str, mark: str) -> None:
        """Tell every process, this one included."""


class Pipeline:
    """Answers requests to the endpoint of one server."""

    def __init__(self, parts: Parts, *, site: Site, policy: Policy, sessions: Sessions, messages: Messages) -> None:
        self._parts = parts
        self._site = site
        self._policy = policy
        self._sessions = sessions
        self._messages = messages
        self._dispatch, lists = Dispatch(parts), Lists()
        dispatch = self._dispatch
        self.streams = Streams(parts, dispatch, lists, again=self._again)
        self._methods = Methods(parts, sessions=sessions, dispatch=dispatch, lists=lists, streams=self.streams)

    async def answer(self, exchange: Exchange, body: bytes | None) -> Reply:
        """The reply to one request; `body` is None for anything but POST. Raises nothing that a caller can cause."""
        try:
            if body is None:
                return await self._without_body(exchange)
            # What is begun is waited for here: one frame less that each wait of a call goes through.
            return await (await self._posted(exchange, body))
        except Refused as refused:
            return await self._refused(exchange, refused)

    async def _posted(self, exchange: Exchange, body: bytes) -> Awaitable[Reply]:
        """What answers the message, judged and ready to go on."""
        # Nothing of a stranger's body is parsed.
        token = self._kept(exchange) or await self._looked_up(exchange)
        # A long body is parsed beside the event loop, or one caller would hold up everybody's calls.
        parsed = await asyncio.to_thread(_parsed, body) if len(body) > _LONG else _parsed(body)
        if isinstance(parsed, Malformed):
            exchange.request_id = parsed.id
            raise Refused(Reason.INVALID_REQUEST, parsed.message, code=parsed.code, status=400)
        if not isinstance(parsed, Request):
            return self._noticed(exchange, token, parsed)
        exchange.request_id = parsed.id
        exchange.recorded.method = parsed.method
        exchange.wire = front.wire_of(exchange.head, parsed)
        session = None
        if not exchange.wire.modern and parsed.method != "initialize":
            session = await self._session(exchange, token)
        handler = self._handler(exchange, parsed, session)
        snapshot = self._policy.current()
        server = self._to_look_at(snapshot, exchange, parsed, token)
        if server is not None:
            await self._parts.looks.before(self._parts.look(token, server, session))
            snapshot = self._policy.current()
        return handler(self._admitted(snapshot, exchange, parsed, token, session))

    def _handler(self, exchange: Exchange, request: Request, session: Session | None) -> Handler:
        self._observe(exchange, request, session)
        if INTENTION in request.meta:
            exchange.recorded.intention = front.intention_of(request)
        handler = self._methods.find(request.method, modern=exchange.wire.modern)
        if handler is None:
            raise refuse(Reason.METHOD_NOT_SUPPORTED)
        return handler

    def _observe(self, exchange: Exchange, request: Request, session: Session | None) -> None:
        operation, recorded = exchange.operation, exchange.recorded
        operation.asked(
            request.method,
            request.meta,
            call_id=recorded.call_id,
            request_id=request.id,
            version=exchange.wire.version,
            session=session.owner if session else "",
        )
        recorded.trace_id = operation.trace_id

    async def _without_body(self, exchange: Exchange) -> Reply:
        """GET opens the stream of a session, DELETE ends it; the modern era knows neither."""
        token = self._kept(exchange) or await self._looked_up(exchange)
        exchange.wire = front.wire_of_header(exchange.head)
        exchange.recorded.method = exchange.head.method
        if exchange.wire.modern:
            text, headers = "Requests of this protocol version are POST.", (("allow", "POST"),)
            raise Refused(Reason.METHOD_NOT_SUPPORTED, text, code=METHOD_NOT_FOUND, status=405, headers=headers)
        session = await self._session(exchange, token)
        if exchange.head.method == "DELETE":
            await self._parts.recorder.answered(exchange.recorded, Outcome("ok"))
            await self._parts.shared.end(session.id)
            await self._messages.tell("ended", session.id.hex)
            return Reply(204)
        if not exchange.channel.streams:
            raise invalid("The client must accept text/event-stream.", status=406)
        return await self._streamed(exchange, token, session)

    async def _streamed(self, exchange: Exchange, token: Token, session: Session) -> Reply:
        """The stream of a session, or of an earlier request that lost its own."""
        last = exchange.head.headers.get("last-event-id", "")
        mark = None
        if last:
            mark = self._parts.asks.marked(last, (token.holder, exchange.slug, session.owner))
        if mark is not None and mark.method:
            named = {"uri": mark.name} if mark.method.startswith("resources/") else {"name": mark.name}
            request = Request(mark.client_id, mark.method, named)
            exchange.recorded.method = mark.method
            self._observe(exchange, request, session)
            # The call that began it has said why, or had no need to.
            admitted = self._admitted(self._policy.current(), exchange, request, token, session, intention=True)
            return await self._dispatch.resume(admitted, mark)
        request = Request(0, "GET")
        self._observe(exchange, request, session)
        admitted = self._admitted(self._policy.current(), exchange, request, token, session)
        return await self.streams.of_session(admitted, mark.event if mark is not None else "")

    def _token(self, exchange: Exchange) -> Awaitable[Token]:
        return auth.authenticate(exchange.head, exchange.bearer, exchange.slug, site=self._site, tokens=self._policy)

    def _kept(self, exchange: Exchange) -> Token | None:
        """The caller's token, where it was found a moment ago, as most were: then there is nothing to wait for."""
        bearer = exchange.bearer
        kept = self._policy.kept(bearer) if bearer is not None else None
        return None if kept is None else self._known(exchange, kept)

    async def _looked_up(self, exchange: Exchange) -> Token:
        return self._known(exchange, await self._token(exchange))

    def _known(self, exchange: Exchange, token: Token) -> Token:
        exchange.token, recorded = token, exchange.recorded
        recorded.principal, recorded.agent, recorded.token_id = token.principal, token.client_id, token.id
        return token

    def _to_look_at(self, snapshot: Snapshot, exchange: Exchange, request: Request, token: Token) -> ServerPart | None:
        """The server, if it is time to look at what it shows this caller's agent, which may connect to it at all."""
        if not request.method.startswith(_LOOKED_BEFORE):
            return None
        slug = exchange.slug
        server = snapshot.servers.get(slug)
        if server is None or not self._parts.looks.is_due(class_of(token, server), server.observed):
            return None
        asked, client_ip = Call("tools/list"), exchange.head.client_ip
        may_connect = isinstance(snapshot.decide(asked, token, slug, datetime.now(UTC), client_ip), Allowed)
        return server if may_connect else None

    async def _session(self, exchange: Exchange, token: Token) -> Session:
        given = exchange.head.headers.get("mcp-session-id")
        if given is None:
            raise invalid("The header Mcp-Session-Id is missing.", status=400)
        try:
            session = self._sessions.open(given, principal=token.holder, slug=exchange.slug, now=time.time())
        except UnknownSession as error:
            raise invalid("There is no such session.", status=404) from error
        if (self._parts.shelf.known(session.id) or await self._parts.shelf.get(session.id)) is None:
            raise invalid("There is no such session.", status=404)
        if exchange.head.headers.get("mcp-protocol-version", session.version) != session.version:
            raise invalid("The session was opened in another protocol version.", status=400)
        return session

    def _admitted(
        self,
        snapshot: Snapshot,
        exchange: Exchange,
        request: Request,
        token: Token,
        session: Session | None,
        *,
        intention: bool = False,
    ) -> Admitted:
        """The request after the decision. Raises `Refused`."""
        exchange.now = datetime.now(UTC)  # a body may have been long in coming: what ended meanwhile has ended
        slug, recorded = exchange.slug, exchange.recorded
        server = snapshot.servers.get(slug)
        recorded.policy_digest = snapshot.stamps.get(slug, "")
        if server is not None:
            recorded.environment, recorded.owner_team = server.facts.environment, server.owner_team
        named = self._named(exchange, request, token)
        shown = self._parts.looks.shown(class_of(token, server)) if server is not None else None
        said = bool(recorded.intention) and says_something(recorded.intention)
        asked = Call(request.method, intention=intention or said)
        definition, decision = self._decided(snapshot, exchange, asked, token, named, shown)
        if isinstance(decision, Denied) or server is None:
            denied = decision if isinstance(decision, Denied) else Denied(Rule.SERVER_KNOWN)
            recorded.rule_ids, recorded.scopes_needed = denied.rule_ids, tuple(sorted(denied.needed))
            raise self._denial(denied, exchange, named, reaches=self._reaches(snapshot, token, exchange))
        recorded.tool_hash, recorded.scopes_used = decision.digest, tuple(sorted(decision.scopes))
        recorded.rule_ids = decision.rule_ids
        wire = exchange.wire
        card, modern = server.presented(exchange.now), wire.modern
        able = server.able(card, modern=modern)
        if not capabilities.supports(able, request.method, modern=modern):
            raise refuse(Reason.METHOD_NOT_SUPPORTED)
        if definition is not None:
            exchange.operation.about(definition.facts.kind, definition.facts.name)
        caller = caller_of(token, slug, session)
        return Admitted(
            exchange, request, token, snapshot, server, session, definition, card, able, shown, wire, caller
        )

    def _decided(
        self,
        snapshot: Snapshot,
        exchange: Exchange,
        asked: Call,
        token: Token,
        named: Target | None,
        shown: Shown,
    ) -> tuple[Definition | None, Decision]:
        slug, now, client_ip = exchange.slug, exchange.now, exchange.head.client_ip
        if named is None:
            return None, snapshot.decide(asked, token, slug, now, client_ip)
        candidates = _candidates(snapshot.servers.get(slug) or _NO_SERVER, named, shown)
        return snapshot.decide_any(asked, candidates, token, slug, now, client_ip)

    def _named(self, exchange: Exchange, request: Request, token: Token) -> Target | None:
        """What a request names. A record of any decision about it names it too."""
        if request.method.startswith("tasks/"):
            if exchange.wire.modern:
                require_tasks(request)
            place = (token.holder, exchange.slug)
            named: Target | None = Target("tool", self._parts.handles.take(request.params.get("taskId"), place).tool)
        else:
            named = target(request.method, request.params)
        if named is not None:
            exchange.recorded.kind, exchange.recorded.tool = named.kind, named.name
        return named

    def _reaches(self, snapshot: Snapshot, token: Token, exchange: Exchange) -> bool:
        """Whether any role of the caller's reaches the server, whatever its token lacks."""
        client_ip = exchange.head.client_ip
        decision = snapshot.decide(Call("tools/list"), token, exchange.slug, exchange.now, client_ip)
        return isinstance(decision, Allowed) or decision.reason is not Reason.NOT_GRANTED

    def _denial(self, denied: Denied, exchange: Exchange, named: Target | None, *, reaches: bool) -> Refused:
        if named is not None and reaches and denied.reason in _HIDDEN:
            # Alike on the wire, so that nobody learns what a server has that their role does not reach.
            return _unknown(named, denied.reason, modern=exchange.wire.modern)
        if denied.reason is Reason.INTENTION_REQUIRED:
            return intention_required(named.kind if named is not None else "")
        return auth.refused(denied, exchange.slug, site=self._site)

    async def _again(self, admitted: Admitted) -> Admitted | None:
        """A request that is under way for long, judged once more: None when its caller may not have it any more."""
        exchange = admitted.exchange
        token = await self._token(exchange)
        if admitted.session is not None and await self._parts.shelf.get(admitted.session.id) is None:
            return None
        return self._admitted(self._policy.current(), exchange, admitted.request, token, admitted.session)

    async def _noticed(self, exchange: Exchange, token: Token, message: Notification | Response) -> Reply:
        """Notifications and answers are owed no answer; the modern era knows neither from a client over HTTP."""
        exchange.wire = front.wire_of_header(exchange.head)
        if exchange.wire.modern:
            if isinstance(message, Notification):
                return Reply(202)
            raise invalid("A client sends requests and notifications only.", status=400)
        session = await self._session(exchange, token)
        if isinstance(message, Response):
            return await self._asked(exchange, token, session, message)
        if message.method == "notifications/cancelled":
            await self._cancelled(token, exchange.slug, session, message)
        elif message.method == "notifications/roots/list_changed":
            await self._roots_changed(exchange, token, session)
        return Reply(202)

    async def _asked(self, exchange: Exchange, token: Token, session: Session, answer: Response) -> Reply:
        """A client's answer to what the server asked; any process hands it on."""
        admitted = self._admitted(self._policy.current(), exchange, Request(0, "response"), token, session)
        place = (*admitted.place, session.owner)
        body = await self._parts.asks.take(answer, exchange.recorded, place)
        try:
            behind = await self._parts.shared.opened(session.id, admitted.server.url)
            if behind is None:
                raise _not_awaited()
            await self._parts.upstream.transport.notify(behind.url, body, behind.headers(), LIMITS)
        except SessionLost as error:
            raise _not_awaited() from error
        except UpstreamFailed as error:
            raise Refused(error.cls, error.sentence, code=INTERNAL_ERROR, status=502) from error
        return Reply(202)

    async def _roots_changed(self, exchange: Exchange, token: Token, session: Session) -> None:
        """Tell the server, if there is one that was told of roots."""
        admitted = self._admitted(
            self._policy.current(), exchange, Request(0, "notifications/roots/list_changed"), token, session
        )
        row = await self._parts.shelf.get(session.id)
        behind = await self._parts.shared.opened(session.id, admitted.server.url)
        if row is not None and behind is not None and "roots" in row.capabilities:
            await self._parts.recorder.intended(exchange.recorded)
            note = jsonrpc.notification_bytes("notifications/roots/list_changed")
            self._parts.upstream.later(behind.url, note, behind)
            await self._parts.recorder.completed(exchange.recorded, Outcome("sent"))

    async def _cancelled(self, token: Token, slug: str, session: Session, message: Notification) -> None:
        """Cancel a call of this session's: here, or in whichever process carries it."""
        request_id = message.params.get("requestId")
        caller = caller_of(token, slug, session)
        if not self._parts.calls.cancel((caller, request_id)) and isinstance(request_id, str | int):
            await self._messages.tell("cancel", self._sessions.mark(caller, repr(request_id)))

    def heard(self, what: str, mark: str) -> None:
        """A word of another process."""
        if what == "ended":
            try:
                self._parts.shelf.ended(UUID(mark))
            except ValueError:
                return
        elif what == "cancel":
            self._parts.calls.cancel_where(lambda caller, id_: self._sessions.mark(caller, repr(id_)) == mark)

    async def _refused(self, exchange: Exchange, refused: Refused) -> Reply:
        """Record the denial, then answer it. What cannot be recorded is answered as such."""
        exchange.operation.ended("denied", refused.reason)
        if refused.recorded_as is not None:
            try:
                await self._parts.recorder.denied(exchange.recorded, refused.recorded_as)
            except Refused as unrecorded:
                return error_reply(exchange, unrecorded)
        return error_reply(exchange, refused)


def _not_awaited() -> Refused:
    return invalid("The server does not wait for this answer any more.", status=404)


def _candidates(server: ServerPart, named: Target, shown: Shown) -> tuple[Definition, ...]:
    """What a request may be about: one definition by its name, or all that a URI may stand for."""
    if named.kind == "resource":
        return server.readable(named.name, shown)
    if named.kind == "template":
        return server.referred(named.name, shown)
    return (server.definition(named.kind, named.name, shown),)


def _unknown(named: Target, reason: Reason, *, modern: bool) -> Refused:
    if named.kind == "tool":
        return unknown_tool(named.name, recorded_as=reason)
    if named.kind == "prompt":
        return unknown_prompt(named.name, recorded_as=reason)
    return unknown_resource(named.name, recorded_as=reason, modern=modern)


def _parsed(body: bytes) -> Message | Malformed:
    """The message, or what is wrong with it, which only a known caller is told."""
    try:
        return jsonrpc.parse(body)
    except Malformed as malformed:
        return malformed
