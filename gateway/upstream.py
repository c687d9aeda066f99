"""Calls to servers, in the protocol era that was observed. No audit and no policy here: the pipeline comes first.

Nothing of the caller travels but method, parameters and headers that name parameters. Request ids and progress
tokens are ours, so that no two callers can meet, and no header of a caller is copied unseen.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from gateway import jsonrpc
from gateway.errors import METHOD_NOT_FOUND
from gateway.headers import NAME_BEARING, encode_value
from gateway.jsonrpc import Notification, Request, Response
from gateway.protocol import LIST_CHANGED, Wire, outgoing_meta
from gateway.transport import OnMessage, SessionLost, Transport, UpstreamFailed
from gateway.upstream_sessions import UpstreamSession, UpstreamSessions

logger = logging.getLogger(__name__)

Notify = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to a server. In the handshake era the upstream session of `owner` carries it.

    `notify` gets the parameters of every progress notification, without the token; `changed` is called when the server
    says that its lists are others now. What fails while `looking` says nothing of the session, which is kept.
    """

    url: str
    wire: Wire
    method: str
    params: Mapping[str, Any]
    owner: str
    headers: Mapping[str, str] = field(default_factory=dict)
    notify: Notify | None = None
    changed: Callable[[], None] | None = None
    looking: bool = False


class Upstream:
    """Sends requests through one pooled client and keeps the sessions that the handshake era needs."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._transport = Transport(client)
        self._ids = itertools.count(1)
        self._sessions = UpstreamSessions(self._transport, self._ids)
        self._notes: set[asyncio.Task[None]] = set()

    async def send(self, outgoing: Outgoing) -> Response:
        """The server's answer: a result or an error of its own. Raises `UpstreamFailed`.

        Cancelling closes the stream, which is the modern era's cancellation; in the handshake era the server
        is told as well.
        """
        if outgoing.wire.modern:
            return await self._exchange(outgoing, None)
        try:
            return await self._in_session(outgoing)
        except SessionLost:
            logger.info("a server forgot its session, opening another")
        try:
            return await self._in_session(outgoing)
        except SessionLost as error:
            raise UpstreamFailed("session_lost", "The server forgets its sessions.") from error

    def forget(self, owner: str) -> None:
        """End the upstream sessions that were opened for `owner`."""
        self._sessions.end(owner)

    async def close(self) -> None:
        """End every upstream session, within a few seconds."""
        await self._sessions.end_all()
        if self._notes:
            await asyncio.wait(self._notes, timeout=2)

    async def _in_session(self, outgoing: Outgoing) -> Response:
        session = await self._sessions.get(outgoing.url, outgoing.owner)
        try:
            response = await self._exchange(outgoing, session)
        except SessionLost:
            self._sessions.drop(session)
            raise
        except UpstreamFailed:
            if not outgoing.looking:
                self._sessions.drop(session)
            raise
        if response.id is None:
            # Refused unread, as servers do that forgot a session and answer 400 where the specification says 404.
            # They may have meant something else, so the request is not repeated; the next one opens a new session.
            self._sessions.drop(session)
        return response

    async def _exchange(self, outgoing: Outgoing, session: UpstreamSession | None) -> Response:
        id_ = next(self._ids)
        body = jsonrpc.call_bytes(id_, outgoing.method, _params(outgoing, id_))
        headers = {**outgoing.headers, **(session.headers() if session else _modern_headers(outgoing))}
        try:
            answer = await self._transport.request(
                outgoing.url,
                body,
                headers,
                id_=id_,
                in_session=session is not None and bool(session.id),
                on_message=self._listener(outgoing, session, id_),
            )
        except asyncio.CancelledError:
            if session is not None:
                note = jsonrpc.notification_bytes("notifications/cancelled", {"requestId": id_})
                self._later(outgoing.url, note, session)
            raise
        return answer.response

    def _listener(self, outgoing: Outgoing, session: UpstreamSession | None, id_: int) -> OnMessage:
        async def listen(message: Request | Notification) -> None:
            if isinstance(message, Request):
                self._later(outgoing.url, _declined(message), session)
            elif message.method == "notifications/progress" and message.params.get("progressToken") == id_:
                await _hand_on(message, outgoing.notify)
            elif message.method in LIST_CHANGED and outgoing.changed is not None:
                outgoing.changed()
            # Everything else (logging) was not asked for: we declare none of it.

        return listen

    def _later(self, url: str, body: bytes, session: UpstreamSession | None) -> None:
        """Post what the call itself must not wait for."""
        task = asyncio.get_running_loop().create_task(self._note(url, body, session.headers() if session else {}))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _note(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(5):
                await self._transport.notify(url, body, headers)
        except (UpstreamFailed, TimeoutError):
            logger.info("a note to a server was not delivered")


def _params(outgoing: Outgoing, id_: int) -> dict[str, Any]:
    token = id_ if outgoing.notify is not None else None
    meta = outgoing_meta(outgoing.params.get("_meta") or {}, outgoing.wire, token)
    params = {key: value for key, value in outgoing.params.items() if key != "_meta"}
    return {**params, "_meta": meta} if meta else params


def _modern_headers(outgoing: Outgoing) -> dict[str, str]:
    headers = {"mcp-protocol-version": outgoing.wire.version, "mcp-method": outgoing.method}
    named = outgoing.params.get(NAME_BEARING.get(outgoing.method, ""))
    return headers | {"mcp-name": encode_value(named)} if isinstance(named, str) else headers


async def _hand_on(message: Notification, notify: Notify | None) -> None:
    if notify is not None:
        known = ("progress", "total", "message")
        await notify({key: message.params[key] for key in known if key in message.params})


def _declined(request: Request) -> bytes:
    """We declare no capability as a client, so of a server's requests only `ping` has an answer."""
    if request.method == "ping":
        return jsonrpc.result_bytes(request.id, b"{}")
    return jsonrpc.error_bytes(request.id, {"code": METHOD_NOT_FOUND, "message": "Method not found"})
