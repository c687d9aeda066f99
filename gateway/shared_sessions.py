"""The session with a server behind each client's session: one, which every gateway process uses.

It is opened by whichever process needs it first, with the client's capabilities, and kept sealed in the session's
shared row. Two processes that open one at once agree by the row's generation: the second ends its own and takes the
first's. What a server asks on such a session is answered through any process. The process that ends or replaces one
tells telemetry.
"""

import asyncio
import itertools
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from msgspec import Struct

from gateway.sealing import Seal, Unsealed
from gateway.session import SessionEnded, unheard
from gateway.session_store import Shared, Shelf
from gateway.transport import Transport, UpstreamFailed
from gateway.upstream_sessions import Handshakes, UpstreamSession

_REMEMBERED: Final = 1024  # sessions whose seals a process opens once and not with every call


class SharedSessions:
    """Sessions behind clients' sessions."""

    def __init__(
        self,
        transport: Transport,
        ids: "itertools.count[int]",
        shelf: Shelf,
        seal: Seal,
        *,
        told: SessionEnded = unheard,
    ) -> None:
        self._handshakes = Handshakes(transport, ids, told)
        self._shelf = shelf
        self._seal = seal
        self._opening: dict[tuple[UUID, str], asyncio.Task[UpstreamSession]] = {}
        self._unsealed = lru_cache(maxsize=_REMEMBERED)(self._unseal)  # what a row says, it says always

    def behind(self, id_: UUID) -> "Behind":
        """The sessions behind one client's."""
        return Behind(self, id_)

    def known(self, id_: UUID, url: str) -> UpstreamSession | None:
        """What `get` returns, where nobody must be asked or waited for; else None, and `get` knows."""
        row = self._shelf.known(id_)
        if row is None or (self._opening and (id_, url) in self._opening):
            return None
        return self._opened(row, url)

    async def get(self, id_: UUID, url: str) -> UpstreamSession:
        """The session with the server at `url`, opened where there is none. Raises `UpstreamFailed`."""
        row = await self._row(id_)
        # One that is being opened comes first: until it is there, the row names the session that the server forgot.
        opening = self._opening.get((id_, url))
        found = self._opened(row, url) if opening is None else None
        return found if found is not None else await asyncio.shield(opening or self._start(row, url))

    async def opened(self, id_: UUID, url: str) -> UpstreamSession | None:
        """The session, if one is open."""
        return self._opened(await self._row(id_), url)

    async def lost(self, id_: UUID, session: UpstreamSession) -> None:
        """The server does not know `session` any more: whoever comes next opens another, unless somebody has."""
        row = await self._shelf.read(id_)
        if row is None:
            raise ended()
        if row.generation == session.generation and (id_, session.url) not in self._opening:
            self._start(row, session.url)

    async def end(self, id_: UUID) -> bool:
        """End a client's session and the one behind it; whether it was there."""
        row = await self._shelf.end(id_)
        if row is not None and row.upstream_url:
            found = self._opened(row, row.upstream_url)
            if found is not None:
                self._handshakes.part(found)
        return row is not None

    async def close(self) -> None:
        """Wait for servers to be told what has ended; sessions stay, for other processes use them."""
        for task in self._opening.values():
            task.cancel()
        await self._handshakes.parted()

    async def _row(self, id_: UUID) -> Shared:
        row = await self._shelf.get(id_)
        if row is None:
            raise ended()
        return row

    def _opened(self, row: Shared, url: str) -> UpstreamSession | None:
        if row.generation == 0 or row.upstream_url != url:
            return None
        version, opened_at = row.upstream_version, row.upstream_opened_at
        try:
            return self._unsealed(row.id.int, url, row.upstream_id, version, row.generation, opened_at)
        except Unsealed:
            return None  # sealed by another key: as good as none

    def _unseal(
        self, number: int, url: str, sealed: str, version: str, generation: int, opened_at: datetime | None
    ) -> UpstreamSession:
        """The session that the row of the client's session `number` (`UUID.int`) names. Raises `Unsealed`."""
        id_ = UUID(int=number)
        session_id = self._seal.open(sealed, str(id_)).decode()
        return UpstreamSession(url, id_.hex, session_id, version, generation, opened_at=opened_at)

    def _start(self, row: Shared, url: str) -> "asyncio.Task[UpstreamSession]":
        task = asyncio.get_running_loop().create_task(self._open(row, url))
        self._opening[row.id, url] = task
        task.add_done_callback(lambda done: self._done((row.id, url), done))
        return task

    def _done(self, key: tuple[UUID, str], task: "asyncio.Task[UpstreamSession]") -> None:
        self._opening.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have

    async def _open(self, row: Shared, url: str) -> UpstreamSession:
        now = await self._shelf.read(row.id)
        there = self._opened(now, url) if now is not None and now.generation != row.generation else None
        if there is not None:
            return there  # another process was first, since what we kept was read
        mine = await self._handshakes.open(url, row.id.hex, row.capabilities)
        sealed = self._seal.close(mine.id.encode(), str(row.id))
        kept = await self._shelf.put_behind(row, url=url, sealed=sealed, version=mine.version, opened_at=mine.opened_at)
        if kept is not None and kept.upstream_id == sealed:
            self._handshakes.over(row.upstream_opened_at)
            return replace(mine, generation=kept.generation)
        self._handshakes.part(mine)
        found = self._opened(kept, url) if kept is not None else None
        if found is None:
            raise ended()
        return found


class Behind(Struct, frozen=True):
    """What stands behind one client's session."""

    _all: SharedSessions
    _id: UUID

    def known(self, url: str) -> UpstreamSession | None:
        """What `get` returns, where nobody must be asked or waited for."""
        return self._all.known(self._id, url)

    async def get(self, url: str) -> UpstreamSession:
        """The session with the server at `url`. Raises `UpstreamFailed`."""
        return await self._all.get(self._id, url)

    async def lost(self, session: UpstreamSession) -> None:
        """The server does not know it any more. Raises `UpstreamFailed` where the client's session has ended too."""
        await self._all.lost(self._id, session)


def ended() -> UpstreamFailed:
    """The client's own session has ended meanwhile."""
    return UpstreamFailed("session_ended", "The session has ended.")
