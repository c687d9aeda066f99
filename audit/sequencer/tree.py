"""The tree over the table of leaves, held by its right edge, and what is refused of that table."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from audit.models import Leaf
from audit.placement import Judge, Verdict
from audit.proof.merkle import Frontier
from audit.sequencer.refusing import RefusalCode, Refused

_PAGE: Final = 10_000
_ADDED: Final = 1_000
# A leaf that we did not put there must be of a record that is there, and follow its writer's last one.
_FOREIGN: Final = """
SELECT leaf.index, leaf.hash,
        leaf.writer IS NOT DISTINCT FROM r.writer AND leaf.seq IS NOT DISTINCT FROM r.seq
        AND (r.writer IS NULL OR r.seq = 1 OR EXISTS (SELECT FROM audit_leaf AS earlier
            WHERE earlier.shard = leaf.shard AND earlier.writer = leaf.writer AND earlier.seq = leaf.seq - 1
            AND earlier.index < leaf.index)),
        r.id, r.shard, r.writer, r.seq, r.chain, r.mac, r.body, before.chain
    FROM audit_leaf AS leaf
    LEFT JOIN audit_record AS r ON r.shard = leaf.shard AND r.id = leaf.record_id
    LEFT JOIN audit_record AS before
        ON before.shard = r.shard AND before.writer = r.writer AND before.seq = r.seq - 1
    WHERE leaf.index >= %s AND leaf.index < %s ORDER BY leaf.index
"""


class Tree:
    """As many leaves of the table as were looked at."""

    def __init__(self, frontier: Frontier | None = None) -> None:
        self.frontier = frontier or Frontier()
        self._last: bytes | None = None

    @property
    def size(self) -> int:
        """How many leaves."""
        return self.frontier.size

    def read_to(self, size: int | None) -> None:
        """Go on along the table, up to `size` leaves or all. Raises `Refused` for a gap."""
        for index, hashed in _leaves(self.size, size):
            if index != self.size:
                raise Refused(RefusalCode.GAP, f"record {self.size} of the log is missing; the next one is {index}")
            self.frontier.append(hashed)
            self._last = hashed
        if size is not None and self.size < size:
            raise Refused(
                RefusalCode.SHORTER, f"the log holds {self.size} records and had {size} when it was signed last"
            )

    def added(self, hashes: list[bytes]) -> None:
        """Leaves that were committed."""
        self.frontier.extend(hashes)
        self._last = hashes[-1] if hashes else self._last

    def look_beyond(self, judge: Judge, *, bare_is_wrong: bool) -> list[bytes]:
        """What others placed behind the tree. Raises `Refused` where the table is not as we left it, or forged."""
        start = max(0, self.size - 1)
        rows = list(Leaf.objects.filter(index__gte=start).order_by("index").values_list("index", "hash")[: _ADDED + 1])
        if self.size:
            if not rows or rows[0][0] != start or (self._last is not None and bytes(rows[0][1]) != self._last):
                raise Refused(RefusalCode.ALTERED, f"the last of the log's {self.size} records is gone or another")
            self._last = bytes(rows.pop(0)[1])
        for step, (index, _hash) in enumerate(rows):
            if index != self.size + step:
                raise Refused(
                    RefusalCode.GAP, f"the table has a record {index}, but none {self.size + step}: put in by hand"
                )
        if rows:
            _judge(self.size, self.size + len(rows), judge, bare_is_wrong=bare_is_wrong)
        return [bytes(hashed) for _index, hashed in rows]


def _judge(start: int, end: int, judge: Judge, *, bare_is_wrong: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FOREIGN, [start, end])
        for index, hashed, follows, *found in cursor.fetchall():
            verdict = _verdict(judge, bytes(hashed), _Found(*found)) if follows else Verdict.WRONG
            if verdict is Verdict.WRONG or (verdict is Verdict.BARE and bare_is_wrong):
                raise Refused(RefusalCode.FORGED, f"record {index} of the log was put in by hand")


class _Found(NamedTuple):
    id: UUID | None
    shard: int
    writer: UUID | None
    seq: int
    chain: bytes | None
    mac: bytes | None
    body: bytes
    before: bytes | None


def _verdict(judge: Judge, hashed: bytes, found: _Found) -> Verdict:
    if found.id is None or not judge.is_leaf(hashed, bytes(found.body)):
        return Verdict.WRONG
    mac = found.mac and bytes(found.mac)
    if found.writer is None:
        return judge.control_plane(record=found.id, shard=found.shard, leaf=hashed, mac=mac)
    return judge.gateway(
        writer=found.writer, shard=found.shard, seq=found.seq, leaf=hashed, mac=mac,
        before=found.before and bytes(found.before), chain=found.chain and bytes(found.chain),
    )  # fmt: skip


def _leaves(start: int, end: int | None) -> Iterator[tuple[int, bytes]]:
    while True:
        page = Leaf.objects.filter(index__gte=start).order_by("index")
        if end is not None:
            page = page.filter(index__lt=end)
        rows = list(page.values_list("index", "hash")[:_PAGE])
        for index, hashed in rows:
            yield index, bytes(hashed)
        if len(rows) < _PAGE:
            return
        start = rows[-1][0] + 1
