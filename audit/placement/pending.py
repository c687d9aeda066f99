"""Which records wait for a place: the control plane's in a queue, each gateway writer's behind its last placed one."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from audit.drafts import shard_of
from audit.models import ClosedWriter, Pending, Record

BATCH: Final = 500  # records of the queue
_ROWS: Final = 2000  # of all writers together
_ROWS_LEAST: Final = 20  # of each
_ASK_ALL: Final = 2.0  # seconds between two questions to writers that say nothing
_BUSY: Final = 60.0  # seconds for which a writer is asked each time after it said something

# Past months are asked for until they are closed: a record of October can come in November.
_OPEN_WRITERS: Final = """
SELECT id, shard FROM audit_writer AS w
    WHERE shard >= %s OR NOT EXISTS (SELECT FROM audit_writer_closed AS c WHERE c.writer = w.id)
UNION SELECT writer, shard FROM audit_pending WHERE writer IS NOT NULL
"""
_MARKS: Final = """
SELECT w.writer, placed.seq, before.chain
    FROM unnest(%s::uuid[], %s::int[]) AS w (writer, shard)
    CROSS JOIN LATERAL (SELECT seq FROM audit_leaf AS l WHERE l.shard = w.shard AND l.writer = w.writer
        ORDER BY seq DESC LIMIT 1) AS placed
    LEFT JOIN LATERAL (SELECT chain FROM audit_record AS r WHERE r.shard = w.shard AND r.writer = w.writer
        AND r.seq = placed.seq) AS before ON true
"""
_BEYOND: Final = """
SELECT w.shard, r.id, w.writer, r.seq, r.chain, r.mac, r.body
    FROM unnest(%s::uuid[], %s::int[], %s::bigint[]) AS w (writer, shard, mark)
    CROSS JOIN LATERAL (SELECT id, seq, chain, mac, body FROM audit_record AS found
        WHERE found.shard = w.shard AND found.writer = w.writer AND found.seq > w.mark
        ORDER BY found.seq LIMIT %s) AS r
    ORDER BY w.writer, r.seq
"""


class Waiting(NamedTuple):
    """A record without a place; `queued` is its row in the queue, for the control plane's."""

    shard: int
    id: UUID
    writer: UUID | None
    seq: int | None
    chain: bytes | None
    mac: bytes | None
    body: bytes
    queued: int | None = None


@dataclass(slots=True)
class Mark:
    """The last record of a writer that has its place: its number and its chain."""

    shard: int
    seq: int = 0
    chain: bytes | None = None
    busy_until: float = 0.0


@dataclass(slots=True)
class Writers:
    """The writers that may still say something. Good for one leadership, or for one call."""

    marks: dict[UUID, Mark] = field(default_factory=dict)
    ask_all_at: float = 0.0

    def beyond(self, without: Collection[UUID]) -> dict[UUID, list[Waiting]]:
        """What stands behind each writer's mark, by number; not for those `without`."""
        now = time.monotonic()
        asks_all = now >= self.ask_all_at
        if asks_all:
            self._meet()
            self.ask_all_at = now + _ASK_ALL
        asked = {
            writer: mark
            for writer, mark in self.marks.items()
            if writer not in without and (asks_all or now < mark.busy_until)
        }
        found = _rows_beyond(asked)
        for writer in found:
            asked[writer].busy_until = now + _BUSY
        if asks_all:
            self._close(asked.keys() - found.keys())
        return found

    def _meet(self) -> None:
        """Learn of writers that are new to us, and where they stand."""
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_WRITERS, [_last_month()])
            new = {writer: Mark(shard) for writer, shard in cursor.fetchall() if writer not in self.marks}
            if not new:
                return
            cursor.execute(_MARKS, [list(new), [mark.shard for mark in new.values()]])
            for writer, seq, chain in cursor.fetchall():
                new[writer].seq, new[writer].chain = seq, chain and bytes(chain)
        self.marks |= new

    def _close(self, silent: Iterable[UUID]) -> None:
        over = [writer for writer in silent if self.marks[writer].shard < _last_month()]
        rows = [ClosedWriter(writer=each, seq=self.marks[each].seq, closed_at=timezone.now()) for each in over]
        ClosedWriter.objects.bulk_create(rows, ignore_conflicts=True)
        for writer in over:
            del self.marks[writer]


def queued(without: Collection[int]) -> tuple[list[Waiting], list[tuple[int, UUID]]]:
    """The queue's records in its order, and those of its rows whose record is gone."""
    rows = list(Pending.objects.filter(writer=None).exclude(pk__in=without).order_by("id")[:BATCH])
    found = _records(rows)
    waiting = [found[row.record_id]._replace(queued=row.pk) for row in rows if row.record_id in found]
    return waiting, [(row.pk, row.record_id) for row in rows if row.record_id not in found]


def _records(rows: Sequence[Pending]) -> dict[UUID, Waiting]:
    if not rows:
        return {}
    found = Record.objects.filter(shard__in={row.shard for row in rows}, id__in=[row.record_id for row in rows])
    names = ("shard", "id", "writer", "seq", "chain", "mac", "body")
    return {row[1]: _waiting(row) for row in found.values_list(*names)}


def _rows_beyond(asked: dict[UUID, Mark]) -> dict[UUID, list[Waiting]]:
    found: dict[UUID, list[Waiting]] = {}
    if not asked:
        return found
    each = max(_ROWS_LEAST, _ROWS // len(asked))
    shards, marks = [mark.shard for mark in asked.values()], [mark.seq for mark in asked.values()]
    with connection.cursor() as cursor:
        cursor.execute(_BEYOND, [list(asked), shards, marks, each])
        for row in cursor.fetchall():
            found.setdefault(row[2], []).append(_waiting(row))
    return found


def _waiting(row: Sequence[Any]) -> Waiting:
    shard, id_, writer, seq, chain, mac, body = row
    return Waiting(shard, id_, writer, seq, chain and bytes(chain), mac and bytes(mac), bytes(body))


def _last_month() -> int:
    now = datetime.now(UTC)
    return shard_of(now.replace(day=1)) - (89 if now.month == 1 else 1)
