"""Sessions with servers of the handshake era: opened on first use, one for each caller, the least used leave first.

A session is never shared between callers: what a server remembers of one must not reach another.
"""

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway import jsonrpc
from gateway.jsonrpc import Notification, Request
from gateway.protocol import GATEWAY_INFO, HANDSHAKE_VERSIONS
from gateway.transport import Transport, UpstreamFailed

logger = logging.getLogger(__name__)

MAX_SESSIONS: Final = 1000
_KNOWN: Final = (*HANDSHAKE_VERSIONS, "2024-11-05")  # the oldest has the messages of 2025-03-26
_ID: Final = range(0x21, 0x7F)  # visible ASCII (MCP, transports, session management)
_PARTING_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class UpstreamSession:
    """One open session with the server at `url`, for one caller. `id` is empty where the server keeps none."""

    url: str
    owner: str
    id: str
    version: str

    def headers(self) -> dict[str, str]:
        """What every message of the session carries."""
        headers = {"mcp-protocol-version": self.version}
        return headers | {"mcp-session-id": self.id} if self.id else headers


class UpstreamSessions:
    """Keeps sessions by server and caller."""

    def __init__(self, transport: Transport, ids: "itertools.count[int]") -> None:
        self._transport = transport
        self._ids = ids
        self._open: OrderedDict[tuple[str, str], UpstreamSession] = OrderedDict()
        self._opening: dict[tuple[str, str], asyncio.Task[UpstreamSession]] = {}
        self._parting: set[asyncio.Task[None]] = set()

    async def get(self, url: str, owner: str) -> UpstreamSession:
        """The caller's session with a server, opened where there is none. Raises `UpstreamFailed`."""
        key = (url, owner)
        session = self._open.get(key)
        if session is None:
            # Shielded: whoever asked first may leave, and the others still wait for the same handshake.
            return await asyncio.shield(self._opening.get(key) or self._start(key))
        self._open.move_to_end(key)
        return session

    def drop(self, session: UpstreamSession) -> None:
        """Forget a session that its server forgot."""
        key = (session.url, session.owner)
        if self._open.get(key) is session:
            del self._open[key]

    def end(self, owner: str) -> None:
        """End the sessions of one caller, without waiting for the servers."""
        for session in [each for each in self._open.values() if each.owner == owner]:
            self.drop(session)
            self._part(session)

    async def end_all(self) -> None:
        """End every session, as far as the servers let us in two seconds."""
        for task in self._opening.values():
            task.cancel()
        for session in list(self._open.values()):
            self._part(session)
        self._open.clear()
        if self._parting:
            await asyncio.wait(self._parting, timeout=_PARTING_SECONDS + 1)

    def _start(self, key: tuple[str, str]) -> "asyncio.Task[UpstreamSession]":
        task = asyncio.get_running_loop().create_task(self._handshake(*key))
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
            self._part(oldest)

    async def _handshake(self, url: str, owner: str) -> UpstreamSession:
        id_ = next(self._ids)
        params = {"protocolVersion": HANDSHAKE_VERSIONS[0], "capabilities": {}, "clientInfo": GATEWAY_INFO}
        body = jsonrpc.call_bytes(id_, "initialize", params)
        answer = await self._transport.request(url, body, {}, id_=id_, in_session=False, on_message=_ignore)
        session = UpstreamSession(url, owner, answer.session_id, _version(answer.response.result))
        if not all(ord(character) in _ID for character in session.id):
            raise UpstreamFailed("protocol_error", "The server's session id is not visible ASCII.")
        note = jsonrpc.notification_bytes("notifications/initialized")
        await self._transport.notify(url, note, session.headers())
        return session

    def _part(self, session: UpstreamSession) -> None:
        if session.id:
            task = asyncio.get_running_loop().create_task(self._delete(session))
            self._parting.add(task)
            task.add_done_callback(self._parting.discard)

    async def _delete(self, session: UpstreamSession) -> None:
        try:
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._transport.end_session(session.url, session.headers())
        except (UpstreamFailed, TimeoutError):
            logger.info("a server was not told that a session ended")


def _version(result: Any) -> str:
    version = result.get("protocolVersion") if isinstance(result, Mapping) else None
    if version not in _KNOWN:
        raise UpstreamFailed("protocol_error", "The server opened no session in a protocol version that we speak.")
    return str(version)


async def _ignore(_message: Request | Notification) -> None:
    """During the handshake a server has nothing to say to us."""
