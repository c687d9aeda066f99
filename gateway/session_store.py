"""Shared rows of sessions: the second door of the gateway to models, for what processes must agree on.

The functions are synchronous and run in the store's threads. `Shelf` keeps what was read for a few seconds; an end
that another process was told of reaches it as a message at once, and by the next reading without one.

Each end of a session is told to telemetry once, by the process whose statement changed or removed the row.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from gateway import jsonrpc
from gateway.models import Session as Row
from gateway.session import LIFETIME, SessionEnded, unheard

KEPT_SECONDS: Final = 5.0
LONGEST: Final = 4096  # bytes of a client's capabilities, which every process remembers
_REMEMBERED: Final = 20_000
_SWEPT: Final = 200  # expired rows that an opening takes along


@dataclass(frozen=True, slots=True)
class Shared:
    """One session's row. `upstream_id` is as stored, sealed; `generation` 0 means that nothing was opened behind it.

    `upstream_opened_at` is None where the server keeps no session.
    """

    id: UUID
    ended: bool
    capabilities: Mapping[str, Any]
    generation: int = 0
    upstream_url: str = ""
    upstream_id: str = ""
    upstream_version: str = ""
    upstream_opened_at: datetime | None = None


class Rows(Protocol):
    """What runs a function in a thread that may use the database (`gateway.store.Store`)."""

    def run(self, work: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """The function's answer. Raises `Refused` when the database is away."""


@dataclass(slots=True)
class _Kept:
    row: Shared
    until: float = field(default_factory=lambda: time.monotonic() + KEPT_SECONDS)


class Shelf:
    """The rows as one process knows them. `told` hears of sessions that end here."""

    def __init__(self, rows: Rows, *, told: SessionEnded = unheard) -> None:
        self._rows = rows
        self._told = told
        self._kept: OrderedDict[int, _Kept] = OrderedDict()  # by `UUID.int`: to find an UUID itself takes Python

    async def open(self, id_: UUID, *, holder: str, slug: str, version: str, capabilities: Mapping[str, Any]) -> None:
        """Make a session's row, and remove rows of sessions that have expired."""
        swept = await self._rows.run(_insert, id_, holder, slug, version, dict(capabilities))
        self._keep(Shared(id_, ended=False, capabilities=capabilities))
        for seconds, of in swept:
            self._told(seconds, of=of)

    def known(self, id_: UUID) -> Shared | None:
        """What `get` returns, where nobody must be asked for it; else None, and `get` knows."""
        kept = self._kept.get(id_.int)
        if kept is None or kept.until < time.monotonic() or kept.row.ended:
            return None
        return kept.row

    async def get(self, id_: UUID) -> Shared | None:
        """The row, at most `KEPT_SECONDS` old; None where there is none or the session has ended."""
        kept = self._kept.get(id_.int)
        if kept is None or kept.until < time.monotonic():
            return await self.read(id_)
        return None if kept.row.ended else kept.row

    async def read(self, id_: UUID) -> Shared | None:
        """The row as it is in the database now."""
        row: Shared | None = await self._rows.run(_read, id_)
        if row is None:
            self._kept.pop(id_.int, None)
            return None
        self._keep(row)
        return None if row.ended else row

    async def put_behind(
        self, known: Shared, *, url: str, sealed: str, version: str, opened_at: datetime | None
    ) -> Shared | None:
        """Keep the session that was opened behind `known`, unless another process was first; the row that counts."""
        row: Shared | None = await self._rows.run(
            _put_behind, known.id, known.generation, url, sealed, version, opened_at
        )
        if row is None or row.ended:
            self._kept.pop(known.id.int, None)
            return None
        self._keep(row)
        return row

    async def end(self, id_: UUID) -> Shared | None:
        """End a session; its row as it was, None where it had ended."""
        found: tuple[Shared, float] | None = await self._rows.run(_end, id_)
        self.ended(id_)
        if found is None:
            return None
        row, seconds = found
        self._told(seconds, of="server")
        return row

    def ended(self, id_: UUID) -> None:
        """Another process ended the session."""
        self._keep(Shared(id_, ended=True, capabilities={}))

    def _keep(self, row: Shared) -> None:
        key = row.id.int
        kept = self._kept.get(key)
        if kept is not None and kept.row.ended and not row.ended and kept.until >= time.monotonic():
            return  # read before the word came that it has ended
        self._kept[key] = _Kept(row)
        self._kept.move_to_end(key)
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)


def keepable(capabilities: Mapping[str, Any]) -> bool:
    """Whether a row can hold a client's capabilities: PostgreSQL has no NUL in texts, and memory has an end."""
    raw = jsonrpc.dumps(capabilities)
    return len(raw) <= LONGEST and b"\\u0000" not in raw


def _shared(row: Row) -> Shared:
    return Shared(
        id=row.id,
        ended=row.ended_at is not None,
        capabilities=row.capabilities,
        generation=row.generation,
        upstream_url=row.upstream_url,
        upstream_id=row.upstream_id,
        upstream_version=row.upstream_version,
        upstream_opened_at=row.upstream_opened_at,
    )


def _insert(id_: UUID, holder: str, slug: str, version: str, capabilities: dict[str, Any]) -> list[tuple[float, str]]:
    """Make a row; how long each session was open that expired, and whose it was (`SessionEnded`)."""
    Row.objects.create(id=id_, holder=holder, slug=slug, version=version, capabilities=capabilities)
    expired = Row.objects.filter(created_at__lt=timezone.now() - timedelta(seconds=LIFETIME + 60))
    keys = list(expired.values_list("pk", flat=True)[:_SWEPT])
    return _swept(keys) if keys else []


@transaction.atomic
def _swept(keys: list[UUID]) -> list[tuple[float, str]]:
    # Two processes may sweep at once: whoever has a row's lock removes and counts it, the other leaves it alone.
    rows = list(Row.objects.select_for_update(skip_locked=True).filter(pk__in=keys))
    Row.objects.filter(pk__in=[row.pk for row in rows]).delete()
    over: list[tuple[float, str]] = []
    for row in rows:
        if row.ended_at is None:
            over.append((float(LIFETIME), "server"))
            if row.upstream_opened_at is not None:
                idle = (row.upstream_opened_at - row.created_at).total_seconds()
                over.append((max(0.0, LIFETIME - idle), "client"))
    return over


def _read(id_: UUID) -> Shared | None:
    row = Row.objects.filter(pk=id_).first()
    return _shared(row) if row is not None else None


def _put_behind(
    id_: UUID, generation: int, url: str, sealed: str, version: str, opened_at: datetime | None
) -> Shared | None:
    # The generation makes it one process's: whoever comes second finds another, and takes what is there.
    Row.objects.filter(pk=id_, generation=generation, ended_at=None).update(
        generation=generation + 1,
        upstream_url=url,
        upstream_id=sealed,
        upstream_version=version,
        upstream_opened_at=opened_at,
    )
    return _read(id_)


def _end(id_: UUID) -> tuple[Shared, float] | None:
    """The row as it was, and for how many seconds the session was open; None where it had ended."""
    row, now = Row.objects.filter(pk=id_, ended_at=None).first(), timezone.now()
    if row is None or not Row.objects.filter(pk=id_, ended_at=None).update(ended_at=now):
        return None
    return _shared(row), max(0.0, (now - row.created_at).total_seconds())
