"""Sessions with servers of the handshake era, and how one is opened.

A session is never shared between callers: what a server remembers of one must not reach another. Behind a client's
own session stands one that every process shares (`gateway.shared_sessions`); for callers of the modern era and for
looks each process keeps its own, opened on first use, and the least used leave first.
"""

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from core.wire import WireLimits
from gateway import jsonrpc
from gateway.jsonrpc import Notification, Request
from gateway.protocol import GATEWAY_INFO, HANDSHAKE_VERSIONS
from gateway.session import SessionEnded, unheard
from gateway.transport import SessionLost, Transport, UpstreamFailed

logger = logging.getLogger(__name__)

MAX_SESSIONS: Final = 1000
_KNOWN: Final = (*HANDSHAKE_VERSIONS, "2024-11-05")  # the oldest has the messages of 2025-03-26
_ID: Final = range(0x21, 0x7F)  # visible ASCII (MCP, transports, session management)
_ID_MAX: Final = 2048  # characters; every message of the session carries it
_PARTING_SECONDS: Final = 2.0
# Nobody may be waiting any more, so a server that does not open a session keeps no connection for as long as a call.
_OPENING_SECONDS: Final = 30.0
_LIMITS: Final = WireLimits(
    head_seconds=_OPENING_SECONDS, total_seconds=_OPENING_SECONDS, lifetime_seconds=_OPENING_SECONDS
)


@dataclass(frozen=True, slots=True)
class UpstreamSession:
    """One open session with the server at `url`. `id` is empty where the server keeps none.

    `generation` tells the sessions apart that were opened one after the other behind a client's. `card` is what the
    server said of itself, in the process that opened the session. `opened_at` is None where the server keeps none.
    """

    url: str
    owner: str
    id: str
    version: str
    generation: int = 0
    card: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    opened_at: datetime | None = field(default=None, compare=False)

    def headers(self) -> dict[str, str]:
        """What every message of the session carries."""
        return headers_of(self.version, self.id)


def headers_of(version: str, session_id: str) -> dict[str, str]:
    """What every message of a session carries; `session_id` is empty where the server keeps none."""
    headers = {"mcp-protocol-version": version}
    return headers | {"mcp-session-id": session_id} if session_id else headers


class Handshakes:
    """Opens and ends sessions. `told` hears of each end of one that a server kept."""

    def __init__(self, transport: Transport, ids: "itertools.count[int]", told: SessionEnded = unheard) -> None:
        self._transport = transport
        self._ids = ids
        self._told = told
        self._parting: set[asyncio.Task[None]] = set()

    async def open(self, url: str, owner: str, capabilities: Mapping[str, Any]) -> UpstreamSession:
        """A fresh session, the server being told that it can ask for `capabilities`. Raises `UpstreamFailed`."""
        id_ = next(self._ids)
        params = {"protocolVersion": HANDSHAKE_VERSIONS[0], "capabilities": capabilities, "clientInfo": GATEWAY_INFO}
        body = jsonrpc.call_bytes(id_, "initialize", params)
        answer = await self._transport.handshake(url, body, _LIMITS, id_=id_, on_message=_ignore)
        card = answer.response.result
        opened_at = datetime.now(UTC) if answer.session_id else None
        session = UpstreamSession(url, owner, answer.session_id, _version(card), card=card, opened_at=opened_at)
        if len(session.id) > _ID_MAX or not all(ord(character) in _ID for character in session.id):
            raise UpstreamFailed("protocol_error", "The server's session id is not short, visible ASCII.")
        note = jsonrpc.notification_bytes("notifications/initialized")
        try:
            await self._transport.notify(url, note, session.headers(), _LIMITS)
        except SessionLost as error:
            raise UpstreamFailed("session_lost", "The server forgets its sessions.") from error
        return session

    def part(self, session: UpstreamSession) -> None:
        """End a session, without waiting for the server."""
        self.over(session.opened_at)
        if session.id:
            task = asyncio.get_running_loop().create_task(self._delete(session))
            self._parting.add(task)
            task.add_done_callback(self._parting.discard)

    def over(self, opened_at: datetime | None) -> None:
        """A session has ended that was opened then: we end it, or its server forgot it."""
        if opened_at is not None:
            self._told(max(0.0, (datetime.now(UTC) - opened_at).total_seconds()), of="client")

    async def parted(self) -> None:
        """Wait until the servers were told, two seconds at most."""
        if self._parting:
            await asyncio.wait(self._parting, timeout=_PARTING_SECONDS + 1)

    async def _delete(self, session: UpstreamSession) -> None:
        try:
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._transport.end_session(session.url, session.headers(), _LIMITS)
        except (UpstreamFailed, TimeoutError):
            logger.info("a server was not told that a session ended")


class LocalSessions:
    """One process's own sessions, by server and owner."""

    def __init__(self, transport: Transport, ids: "itertools.count[int]", told: SessionEnded = unheard) -> None:
        self._handshakes = Handshakes(transport, ids, told)
        self._open: OrderedDict[tuple[str, str], UpstreamSession] = OrderedDict()
        self._opening: dict[tuple[str, str], asyncio.Task[UpstreamSession]] = {}

    def of(self, owner: str) -> "OwnSessions":
        """Those of one owner."""
        return OwnSessions(self, owner)

    def known(self, url: str, owner: str) -> UpstreamSession | None:
        """The owner's session with a server, if one is open."""
        key = (url, owner)
        session = self._open.get(key)
        if session is not None:
            self._open.move_to_end(key)
        return session

    async def get(self, url: str, owner: str) -> UpstreamSession:
        """The owner's session with a server, opened where there is none. Raises `UpstreamFailed`."""
        session = self.known(url, owner)
        if session is None:
            key = (url, owner)
            # Shielded: whoever asked first may leave, and the others still wait for the same handshake.
            return await asyncio.shield(self._opening.get(key) or self._start(key))
        return session

    def drop(self, session: UpstreamSession) -> None:
        """Forget a session that its server forgot."""
        key = (session.url, session.owner)
        if self._open.get(key) is session:
            del self._open[key]
            self._handshakes.over(session.opened_at)

    async def end_all(self) -> None:
        """End every session, as far as the servers let us in two seconds."""
        for task in self._opening.values():
            task.cancel()
        for session in self._open.values():
            self._handshakes.part(session)
        self._open.clear()
        await self._handshakes.parted()

    def _start(self, key: tuple[str, str]) -> "asyncio.Task[UpstreamSession]":
        task = asyncio.get_running_loop().create_task(self._handshakes.open(*key, {}))
        self._opening[key] = task
        task.add_done_callback(lambda done: self._opened(key, done))
        return task

    def _opened(self, key: tuple[str, str], task: "asyncio.Task[UpstreamSession]") -> None:
        self._opening.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._open[key] = task.result()
        if len(self._open) > MAX_SESSIONS:
            _, oldest = self._open.popitem(last=False)
            self._handshakes.part(oldest)


class OwnSessions(Struct, frozen=True):
    """One owner's sessions of this process."""

    _all: LocalSessions
    _owner: str

    def known(self, url: str) -> UpstreamSession | None:
        """The session with the server at `url`, if one is open."""
        return self._all.known(url, self._owner)

    async def get(self, url: str) -> UpstreamSession:
        """The session with the server at `url`. Raises `UpstreamFailed`."""
        return await self._all.get(url, self._owner)

    async def lost(self, session: UpstreamSession) -> None:
        """The server does not know it any more."""
        self._all.drop(session)


def _version(result: Any) -> str:
    version = result.get("protocolVersion") if isinstance(result, Mapping) else None
    if version not in _KNOWN:
        raise UpstreamFailed("protocol_error", "The server opened no session in a protocol version that we speak.")
    return str(version)


async def _ignore(_message: Request | Notification) -> None:
    """During the handshake a server has nothing to say to us."""
