"""Giving records their place in the log: `Leaf(index, record, hash)`, written by one leader.

Why a queue table and not a cursor over ids or transaction ids: docs/adr/0003-placement.md.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from audit.models import Leaf, Pending, Record
from audit.proof.chain import leaf

logger = logging.getLogger(__name__)
_LEADER: Final = 0x486F6C6464_0001  # advisory lock: the one who places
_BATCH: Final = 500


class PlacementError(Exception):
    """The queue and the log contradict each other; nothing of this batch was placed."""


@dataclass(slots=True)
class _Held:
    """What this pass found that it must not place: writers past a hole, queue rows whose record is gone."""

    writers: set[UUID] = field(default_factory=set)
    rows: set[int] = field(default_factory=set)


def place_records(*, seconds: float = 5.0) -> int:
    """Place what waits, for at most about `seconds`; answers how many. 0 while another process is the leader.

    A gateway's records follow their writer's sequence: past a hole nothing of that writer is placed, and the hole
    is reported each time.
    """
    deadline = time.monotonic() + seconds
    held = _Held()
    placed = 0
    while time.monotonic() < deadline:
        count = _place_batch(held)
        if count is None:
            break
        placed += count
    return placed


def _place_batch(held: _Held) -> int | None:
    """One transaction; None when nothing is left or another process leads. Each other answer is progress."""
    with transaction.atomic():
        if not _lead():
            return None
        queue = Pending.objects.exclude(writer__in=held.writers).exclude(pk__in=held.rows)
        waiting = list(queue.order_by("id")[:_BATCH])
        if not waiting:
            return None
        bodies = _bodies(waiting)
        ready = _in_sequence(_present(waiting, bodies, held), held)
        # Read under the lock, in a statement of its own: it sees what the leader before us committed.
        first = Leaf.objects.head() + 1
        Leaf.objects.bulk_create(
            [_leaf(row, first + step, bodies[row.shard, row.record_id]) for step, row in enumerate(ready)]
        )
        _settle([row.pk for row in ready])
        return len(ready)


def _lead() -> bool:
    # Held until this transaction ends, so two leaders cannot overlap even if one process stalls: no fencing needed.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LEADER])
        return bool(cursor.fetchone()[0])


def _bodies(rows: list[Pending]) -> dict[tuple[int, UUID], bytes]:
    found = Record.objects.filter(shard__in={row.shard for row in rows}, id__in=[row.record_id for row in rows])
    return {(shard, id_): bytes(body) for shard, id_, body in found.values_list("shard", "id", "body")}


def _present(waiting: list[Pending], bodies: dict[tuple[int, UUID], bytes], held: _Held) -> Iterator[Pending]:
    for row in waiting:
        if (row.shard, row.record_id) in bodies:
            yield row
        else:
            logger.error("audit record %s waits for its place but is gone", row.record_id)
            held.rows.add(row.pk)


def _in_sequence(waiting: Iterable[Pending], held: _Held) -> list[Pending]:
    rows = list(_by_sequence(waiting))
    marks = {writer: _last_placed(writer) for writer in {row.writer for row in rows if row.writer is not None}}
    ready = []
    for row in rows:
        if row.writer is not None:
            if row.writer in held.writers:
                continue
            if row.seq != marks[row.writer] + 1:
                logger.error("hole in audit writer %s before sequence %s: not placed", row.writer, row.seq)
                held.writers.add(row.writer)
                continue
            marks[row.writer] += 1
        ready.append(row)
    return ready


def _last_placed(writer: UUID) -> int:
    # One writer at a time: this reads the end of an index, where one GROUP BY over all of them would read every leaf.
    last: int | None = Leaf.objects.filter(writer=writer).aggregate(last=Max("seq"))["last"]
    return last or 0


def _by_sequence(waiting: Iterable[Pending]) -> Iterator[Pending]:
    """The queue's order, with each writer's rows by sequence in the slots that its rows hold."""
    rows = list(waiting)
    queues: dict[UUID, Iterator[Pending]] = {}
    for row in rows:
        if row.writer is None:
            yield row
            continue
        if row.writer not in queues:
            own = (each for each in rows if each.writer == row.writer)
            queues[row.writer] = iter(sorted(own, key=lambda each: each.seq or 0))
        yield next(queues[row.writer])


def _leaf(row: Pending, index: int, body: bytes) -> Leaf:
    return Leaf(
        shard=row.shard,
        index=index,
        record_id=row.record_id,
        writer=row.writer,
        seq=row.seq,
        hash=leaf(body),
    )


def _settle(ids: list[int]) -> None:
    """Take placed rows off the queue through the owner's function, which keeps those without a leaf."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_settle(%s::bigint[])", [ids])
        count = cursor.fetchone()[0]
    if count != len(ids):
        raise PlacementError(f"{len(ids)} records were placed but {count} left the queue")
