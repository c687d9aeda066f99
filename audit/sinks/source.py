"""Records in the log's order, as exports read them: by place, a few hundred at a time.

Windows of places, and no cursor over everything: a reader that is slow, or gone, then holds no transaction, no snapshot
and no result of the whole log on the database's disk.
"""

from collections.abc import Collection
from uuid import UUID

from msgspec import Struct

from audit.formats.placed import Placed, placed
from audit.models import Leaf, Record
from audit.proof.findings import Entry
from audit.querysets import RecordQuerySet


class Found(Struct, frozen=True):
    """A place and what stands there. `body` is None where the record is gone or was not asked for."""

    index: int
    shard: int
    id: UUID
    hash: bytes
    writer: UUID | None = None
    seq: int | None = None
    chain: bytes | None = None
    mac: bytes | None = None
    body: bytes | None = None

    def placed(self) -> Placed:
        """The record. Raises `ValueError` where there is none, or where its body says nothing that can be read."""
        if self.body is None:
            raise ValueError("the record is not in the log any more")
        return placed(
            index=self.index, shard=self.shard, hash=self.hash, body=self.body, writer=self.writer, seq=self.seq,
            chain=self.chain, mac=self.mac,
        )  # fmt: skip

    def entry(self) -> Entry:
        """The same as those who verify have it."""
        writer = None if self.writer is None else str(self.writer).encode()
        return (
            self.index, self.shard, str(self.id).encode(), writer, self.seq, self.chain, self.mac, self.hash, self.body,
        )  # fmt: skip


def window(first: int, end: int, records: RecordQuerySet | None = None) -> list[Found]:
    """Every place from `first` up to `end`, which is not in it, with what `records` has of it."""
    places = Leaf.objects.filter(index__gte=first, index__lt=end).order_by("index")
    leaves = [
        (index, shard, id_, bytes(hash_))
        for index, shard, id_, hash_ in places.values_list("index", "shard", "record_id", "hash")
    ]
    bodies = _rows(leaves, Record.objects.all() if records is None else records)
    return [Found(*leaf, *bodies.get((leaf[1], leaf[2]), ())) for leaf in leaves]


def _rows(
    leaves: Collection[tuple[int, int, UUID, bytes]], records: RecordQuerySet
) -> dict[tuple[int, UUID], tuple[UUID | None, int | None, bytes | None, bytes | None, bytes]]:
    found = records.order_by().filter(shard__in={leaf[1] for leaf in leaves}, id__in=[leaf[2] for leaf in leaves])
    return {
        (shard, id_): (writer, seq, _bytes(chain), _bytes(mac), bytes(body))
        for shard, id_, writer, seq, chain, mac, body in found.values_list(
            "shard", "id", "writer", "seq", "chain", "mac", "body"
        )
    }


def _bytes(value: memoryview | bytes | None) -> bytes | None:
    return None if value is None else bytes(value)
