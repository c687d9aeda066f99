"""One pass: what waits and may be placed gets the next numbers, in one transaction under the leader's lock."""

import heapq
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from audit.models import Epoch, Leaf
from audit.placement.chained import is_chained
from audit.placement.judging import Judge, Verdict
from audit.placement.pending import Mark, Waiting, Writers, queued
from audit.proof.chain import leaf

logger = logging.getLogger(__name__)
_LEADER: Final = 0x486F6C6464_0001  # advisory lock: the one who places
Report = Callable[[str, str], None]  # what it is about, and the sentence
# Rows whose record has its place: those of gateways, which earlier releases queued, too.
_SETTLE: Final = """
SELECT audit_settle(array(SELECT waiting.id FROM audit_pending AS waiting JOIN audit_leaf AS leaf
    ON leaf.shard = waiting.shard AND leaf.record_id = waiting.record_id LIMIT 2000))
"""


class PlacementError(Exception):
    """The queue and the log contradict each other; nothing of this batch was placed."""


@dataclass(slots=True)
class _Held:
    """What this pass found that it must not place: writers past such a record, and rows of the queue."""

    writers: set[UUID] = field(default_factory=set)
    rows: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.writers) + len(self.rows)


class Placer:
    """Places what waits. `report` hears of each record that must not be placed, in every pass."""

    def __init__(self, *, report: Report | None = None) -> None:
        self.judge = Judge(settings.AUDIT_KEYS, settings.INSTALLATION_ID)
        self.is_chained = False
        self.bare = 0  # records without a MAC that got a place
        self._report = report or (lambda _about, sentence: logger.error("%s", sentence))
        self._writers = Writers()
        self._held = _Held()

    def look(self) -> None:
        """Begin a pass: what was held is looked at again."""
        self._held = _Held()
        self.is_chained = self.is_chained or is_chained(self.judge)

    def forget(self) -> None:
        """Somebody else may have placed: read again where the writers stand."""
        self._writers = Writers()

    def held(self) -> int:
        """How many writers and queued records this pass left without a place."""
        return len(self._held)

    def place(self, first: int) -> list[bytes]:
        """The leaves' hashes of what got a place, from `first` on; inside a transaction that holds the lock."""
        _settle()
        lists = [self._from_queue(), *self._from_writers()]
        # Ids tell the time; each list keeps its own order.
        ready = list(heapq.merge(*lists, key=lambda item: item[0].id.int))
        leaves = [_leaf(row, first + step, hashed) for step, (row, hashed) in enumerate(ready)]
        if leaves:
            Leaf.objects.bulk_create(leaves, batch_size=500)
            _settle(expected=sum(row.queued is not None for row, _ in ready))
        return [hashed for _, hashed in ready]

    def _from_queue(self) -> list[tuple[Waiting, bytes]]:
        waiting, gone = queued(self._held.rows)
        for row, record in gone:
            self._hold_row(row, f"audit record {record} waits for its place but is gone")
        ready = []
        for item in waiting:
            hashed = leaf(item.body)
            verdict = self.judge.control_plane(record=item.id, shard=item.shard, leaf=hashed, mac=item.mac)
            if item.writer is not None or not self._may(verdict):
                self._hold_row(item.queued or 0, f"audit record {item.id} is not authentic: not placed")
                continue
            ready.append((item, hashed))
        return ready

    def _from_writers(self) -> Iterator[list[tuple[Waiting, bytes]]]:
        for writer, rows in self._writers.beyond(self._held.writers).items():
            yield list(self._in_sequence(writer, self._writers.marks[writer], rows))

    def _in_sequence(self, writer: UUID, mark: Mark, rows: Iterable[Waiting]) -> Iterator[tuple[Waiting, bytes]]:
        for row in rows:
            if row.seq != mark.seq + 1:
                self._hold_writer(writer, f"hole in audit writer {writer} before sequence {row.seq}: not placed")
                return
            hashed = leaf(row.body)
            verdict = self.judge.gateway(
                writer=writer, shard=row.shard, seq=row.seq, leaf=hashed, before=mark.chain,
                chain=row.chain, mac=row.mac,
            )  # fmt: skip
            if not self._may(verdict):
                sentence = f"audit record {row.id} of writer {writer}, sequence {row.seq}, is not authentic: not placed"
                self._hold_writer(writer, sentence)
                return
            mark.seq, mark.chain = row.seq, row.chain
            yield row, hashed

    def _may(self, verdict: Verdict) -> bool:
        if verdict is Verdict.BARE and not self.is_chained:
            self.bare += 1
            return True
        return verdict is Verdict.GENUINE

    def _hold_row(self, row: int, sentence: str) -> None:
        self._held.rows.add(row)
        self._report(f"row {row}", sentence)

    def _hold_writer(self, writer: UUID, sentence: str) -> None:
        self._held.writers.add(writer)
        self._report(f"writer {writer}", sentence)


def place_records(*, seconds: float = 5.0) -> int:
    """Place what waits, for at most about `seconds`; answers how many. 0 while another process is the leader.

    For when there is no sequencer (`audit.sequencer`): nothing is compared with what was signed.
    """
    deadline = time.monotonic() + seconds
    placer = Placer()
    placer.look()
    placed = 0
    while time.monotonic() < deadline:
        held = placer.held()
        with transaction.atomic():
            if not lead():
                break
            # Read under the lock, in a statement of its own: it sees what the leader before us committed.
            count = len(placer.place(Leaf.objects.head() + 1))
        placed += count
        if not count and placer.held() == held:
            break
    return placed


def has_sequencer() -> bool:
    """Whether one ever led. It alone places from then on, even when it refuses or stands still."""
    return Epoch.objects.exists()


def lead() -> bool:
    """Whether this transaction, until it ends, is the only one that places or signs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LEADER])
        return bool(cursor.fetchone()[0])


def _leaf(row: Waiting, index: int, hashed: bytes) -> Leaf:
    return Leaf(shard=row.shard, index=index, record_id=row.id, writer=row.writer, seq=row.seq, hash=hashed)


def _settle(*, expected: int = 0) -> None:
    """Take placed rows off the queue through the owner's function, which keeps those without a leaf."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE)
        count = cursor.fetchone()[0]
    if count < expected:
        raise PlacementError(f"{expected} queued records were placed but {count} left the queue")
