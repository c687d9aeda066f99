"""Requests to servers, in the protocol era that they speak. No audit and no policy here: the pipeline comes first.

Nothing of the caller travels but method, parameters, what it can be asked, and headers that name parameters. Request
ids and progress tokens are ours, so that no two callers can meet, and no header of a caller is copied unseen.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from msgspec import Struct, field

from core.outbound import OutboundError
from core.sse import Event
from core.wire import WireLimits
from core.wire_message import Lines
from gateway import jsonrpc
from gateway.errors import METHOD_NOT_FOUND
from gateway.headers import NAME_BEARING, encode_value
from gateway.jsonrpc import Notification, Request, Response
from gateway.protocol import LIST_CHANGED, Wire, outgoing_meta
from gateway.session import SessionEnded, unheard
from gateway.transport import (
    NoStream,
    SessionLost,
    Transport,
    UpstreamFailed,
    lines_of_post,
)
from gateway.upstream_sessions import LocalSessions, UpstreamSession, headers_of

logger = logging.getLogger(__name__)

NOTE_SECONDS: Final = 5.0  # for what a call itself does not wait for
# To one endpoint. A server may ask without end and not take our answers; the connections are everybody's.
NOTES_AT_ONCE: Final = 16
NOTES_WAITING: Final = 512  # those that are sent included
LIMITS: Final = WireLimits()
# Methods whose name is a definition's, of which there are few: their headers are remembered. A URI or the id of a task
# is one caller's, and does not stay here longer than its request.
_NAMES_DEFINITION: Final = frozenset({"prompts/get", "tools/call"})


class Sessions(Protocol):
    """Sessions with servers of the handshake era: one process's own, or those behind clients' sessions."""

    def known(self, url: str) -> UpstreamSession | None:
        """What `get` returns, where nobody must be asked or waited for; else None, and `get` knows."""

    async def get(self, url: str) -> UpstreamSession:
        """The session, opened where there is none. Raises `UpstreamFailed`."""

    async def lost(self, session: UpstreamSession) -> None:
        """The server does not know it any more."""


class Listener(Protocol):
    """Who hears what a server says while a request is under way."""

    async def notified(self, notification: Notification) -> None:
        """A notification that is not about our own progress token."""

    async def progressed(self, params: Mapping[str, Any]) -> None:
        """Progress of this request, without its token."""

    async def asked(self, request: Request, session: UpstreamSession | None) -> bytes | None:
        """A request of the server; what to answer at once, or None where somebody else answers it later."""

    async def marked(self, event: Event, request_id: int) -> None:
        """The server gave an event an id, from which the stream that answers `request_id` can be gone on with."""


class Outgoing(Struct, frozen=True):
    """One request to a server.

    `sessions`: those that carry it in the handshake era; without, this process's own of `owner`. `capabilities`: what
    the caller can be asked. `progress`: it wants to hear of it. `changed` is called when the server says that one of
    its lists is another now, `presented` gets what it said of itself when a session was opened. What fails while
    `looking` says nothing of the session, which is kept.
    """

    url: str
    wire: Wire
    method: str
    params: Mapping[str, Any]
    owner: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sessions: Sessions | None = None
    listener: Listener | None = None
    progress: bool = False
    changed: Callable[[], None] | None = None
    presented: Callable[[Mapping[str, Any]], None] | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    trace: Mapping[str, str] = field(default_factory=dict)
    limits: WireLimits = LIMITS
    looking: bool = False


class _Notes(Struct):
    """What is on its way to one endpoint."""

    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(NOTES_AT_ONCE))


class Upstream:
    """Sends requests through one pooled client and keeps the sessions that the handshake era needs."""

    def __init__(self, transport: Transport, told: SessionEnded = unheard) -> None:
        self.transport = transport
        self.ids = itertools.count(1)
        self._local = LocalSessions(transport, self.ids, told)
        self._notes: dict[str, _Notes] = {}

    def send(self, outgoing: Outgoing) -> Coroutine[Any, Any, Response]:
        """The server's answer: a result or an error of its own. Raises `UpstreamFailed`.

        Cancelling closes the stream, which is the modern era's cancellation; in the handshake era the server
        is told as well.
        """
        if not outgoing.wire.modern:
            return self._carried(outgoing)
        id_ = next(self.ids)
        return self.transport.ask(
            outgoing.url,
            jsonrpc.call_bytes(id_, outgoing.method, _params(outgoing, id_)),
            _headers(outgoing),
            outgoing.limits,
            id_=id_,
            on_message=_Ear(self.later, outgoing, None, id_),
        )

    async def _carried(self, outgoing: Outgoing) -> Response:
        """The same by a session, and by another one where the server does not know the first any more."""
        sessions = outgoing.sessions or self._local.of(outgoing.owner)
        for _attempt in range(2):
            session = sessions.known(outgoing.url) or await sessions.get(outgoing.url)
            if outgoing.presented is not None and session.card:
                outgoing.presented(session.card)
            id_ = next(self.ids)
            try:
                response = await self._asked(outgoing, session, id_)
            except SessionLost:
                logger.info("a server forgot its session")
                await sessions.lost(session)
                continue
            except asyncio.CancelledError:
                note = jsonrpc.notification_bytes("notifications/cancelled", {"requestId": id_})
                self.later(outgoing.url, note, session)
                raise
            if response.id is None and not outgoing.looking:
                # Refused unread, as servers do that forgot a session and answer 400 where the specification says 404.
                # They may have meant something else, so it is not repeated; the next request opens a new session.
                await sessions.lost(session)
            return response
        raise UpstreamFailed("session_lost", "The server forgets its sessions.")

    async def go_on(self, outgoing: Outgoing, session: UpstreamSession, last_event: str, id_: int) -> Response:
        """The answer of the earlier request `id_`, on its stream from `last_event` on. Raises `UpstreamFailed`."""
        ear = _Ear(self.later, outgoing, session, id_)
        try:
            found = await self.transport.listen(
                outgoing.url,
                {**session.headers(), "last-event-id": last_event},
                outgoing.limits,
                on_message=ear,
                on_event=None if outgoing.listener is None else ear.marked,
                until=id_,
            )
        except (NoStream, SessionLost) as error:
            raise UpstreamFailed("session_lost", "The server does not go on with its streams.") from error
        if found is None:
            raise UpstreamFailed("ended", "The server closed the stream without an answer.")
        return found

    def later(self, url: str, body: bytes, session: UpstreamSession | None) -> None:
        """Post what the call itself must not wait for, unless too much waits for its turn there already."""
        notes = self._notes.setdefault(url, _Notes())
        if len(notes.tasks) >= NOTES_WAITING:
            logger.info("a note to a server was not sent: it takes none")
            return
        headers = session.headers() if session else {}
        task = asyncio.get_running_loop().create_task(self._note(url, body, headers, notes.turns))
        notes.tasks.add(task)
        task.add_done_callback(lambda done: self._noted(url, done))

    async def close(self) -> None:
        """End every session of this process's own, within a few seconds."""
        await self._local.end_all()
        if self._notes:
            await asyncio.wait({task for notes in self._notes.values() for task in notes.tasks}, timeout=2)

    def _noted(self, url: str, task: "asyncio.Task[None]") -> None:
        notes = self._notes[url]
        notes.tasks.discard(task)
        if not notes.tasks:
            del self._notes[url]

    def _asked(self, outgoing: Outgoing, session: UpstreamSession, id_: int) -> Coroutine[Any, Any, Response]:
        ear = _Ear(self.later, outgoing, session, id_)
        return self.transport.ask(
            outgoing.url,
            jsonrpc.call_bytes(id_, outgoing.method, _params(outgoing, id_)),
            _headers_in(outgoing, session),
            outgoing.limits,
            id_=id_,
            on_message=ear,
            on_event=None if outgoing.listener is None else ear.marked,
            in_session=bool(session.id),
        )

    async def _note(self, url: str, body: bytes, headers: Mapping[str, str], turns: asyncio.Semaphore) -> None:
        try:
            async with turns, asyncio.timeout(NOTE_SECONDS):
                await self.transport.notify(url, body, headers, LIMITS)
        except (UpstreamFailed, SessionLost, TimeoutError):
            logger.info("a note to a server was not delivered")


class _Ear(Struct, frozen=True):
    """Takes the messages on the stream of request `id`. Most hear none, and a closure would cost each of them more."""

    answer: Callable[[str, bytes, UpstreamSession | None], None]
    outgoing: Outgoing
    session: UpstreamSession | None
    id: int

    async def __call__(self, message: Request | Notification) -> None:
        """Hand one message on to whoever it is for."""
        outgoing = self.outgoing
        listener = outgoing.listener
        if isinstance(message, Request):
            answered = await listener.asked(message, self.session) if listener is not None else declined(message)
            if answered is not None:
                self.answer(outgoing.url, answered, self.session)
        elif message.method == "notifications/progress":
            if message.params.get("progressToken") == self.id and listener is not None:
                await listener.progressed(without_token(message.params))
        else:
            if message.method in LIST_CHANGED and outgoing.changed is not None:
                outgoing.changed()
            if listener is not None:
                await listener.notified(message)

    async def marked(self, event: Event) -> None:
        """Hand on that an event has an id."""
        if self.outgoing.listener is not None:
            await self.outgoing.listener.marked(event, self.id)


def _params(outgoing: Outgoing, id_: int) -> dict[str, Any]:
    meta = outgoing_meta(
        outgoing.params.get("_meta") or {},
        outgoing.wire,
        progress_token=id_ if outgoing.progress else None,
        capabilities=outgoing.capabilities,
        trace=outgoing.trace,
    )
    params = dict(outgoing.params)
    params.pop("_meta", None)
    if meta:
        params["_meta"] = meta
    return params


def _headers(outgoing: Outgoing) -> Mapping[str, str] | Lines:
    """The headers of a request of the modern era."""
    version, method = outgoing.wire.version, outgoing.method
    named = outgoing.params.get(NAME_BEARING.get(method, ""))
    if not outgoing.headers and method in _NAMES_DEFINITION and isinstance(named, str):
        return _lines(version, method, named)
    return _standard(dict(outgoing.headers), version, method, named)


def _headers_in(outgoing: Outgoing, session: UpstreamSession) -> Mapping[str, str] | Lines:
    """The headers of a request in a session."""
    if outgoing.headers:
        return {**outgoing.headers, **session.headers()}
    return _lines_in(session.version, session.id)


@lru_cache(maxsize=1024)
def _lines_in(version: str, session_id: str) -> Mapping[str, str] | Lines:
    headers = headers_of(version, session_id)
    try:
        return lines_of_post(headers)
    except OutboundError:
        return headers  # somebody wrote into the row: the exchange fails, as it does with any header that is not sent


@lru_cache(maxsize=1024)
def _lines(version: str, method: str, name: str) -> Lines:
    return lines_of_post(_standard({}, version, method, name))


def _standard(headers: dict[str, str], version: str, method: str, named: Any) -> dict[str, str]:
    headers["mcp-protocol-version"] = version
    headers["mcp-method"] = method
    if isinstance(named, str):
        headers["mcp-name"] = encode_value(named)
    return headers


def without_token(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a progress notification says, of what the protocol knows."""
    return {key: params[key] for key in ("progress", "total", "message") if key in params}


def declined(request: Request) -> bytes:
    """The answer to a server's request that nobody is asked: `ping` has one of its own."""
    if request.method == "ping":
        return jsonrpc.result_bytes(request.id, b"{}")
    return jsonrpc.error_bytes(request.id, {"code": METHOD_NOT_FOUND, "message": "Method not found"})
