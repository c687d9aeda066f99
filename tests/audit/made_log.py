"""A log as the product writes one, made without a database: for tests of what verifies it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from typing import Any
from uuid import UUID

from audit.proof import bundle, chain, merkle
from audit.proof.bundle import Header
from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.proof.findings import Entry
from audit.proof.note import SigningKey
from core.canonical import canonical_bytes

INSTALLATION = "4a9c8f60-51a0-4a4f-9d3c-6f2b8f2f9d10"
ORIGIN = "holdfast.example/audit"
AUDIT_KEY = bytes(range(32))
SIGNING_KEY = SigningKey(ORIGIN, bytes(range(32, 64)))
SHARD = 202611
WRITERS = [UUID(int=(7 << 76) | (2 << 62) | number) for number in range(1, 5)]


@dataclass
class MadeLog:
    """Entries in their places; `key=None` writes them as the release before did, without chain and MAC."""

    key: bytes | None = AUDIT_KEY
    entries: list[Entry] = field(default_factory=list)
    heads: dict[tuple[UUID, int], tuple[int, bytes]] = field(default_factory=dict)
    ids: Iterable[int] = field(default_factory=lambda: count(1))

    def by_gateway(self, writer: UUID = WRITERS[0], *, shard: int = SHARD, **said: Any) -> Entry:
        """One more record of a gateway process."""
        record = self._id()
        first = 0, chain.first_link(INSTALLATION, writer, shard)
        seq, link = self.heads.get((writer, shard), first)
        seq += 1
        body = _body(said, id=record, writer=writer, seq=seq)
        leaf = chain.leaf(body)
        link = chain.next_link(link, leaf)
        self.heads[writer, shard] = seq, link
        mac = chain.WriterMac(self.key, writer).mac(shard, seq, link) if self.key else None
        name = str(writer).encode()
        return self._add(shard, record, (name, seq, link if self.key else None, mac, leaf, body))

    def by_control_plane(self, *, shard: int = SHARD, **said: Any) -> Entry:
        """One more record of the control plane."""
        record = self._id()
        body = _body(said, id=record)
        leaf = chain.leaf(body)
        mac = chain.control_plane_mac(self.key, record, shard, leaf) if self.key else None
        return self._add(shard, record, (None, None, None, mac, leaf, body))

    def call(self, writer: UUID = WRITERS[0], **said: Any) -> str:
        """A call's two records."""
        call = str(self._id())
        self.by_gateway(writer, type="intent", event="call.intended", call_id=call, **said)
        self.by_gateway(writer, type="outcome", event="call.completed", call_id=call, **said)
        return call

    def leaves(self) -> list[bytes]:
        """All leaf hashes."""
        return [entry[7] or b"" for entry in self.entries]

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """The log's checkpoint at this size, at its end without one."""
        size = len(self.entries) if size is None else size
        return Checkpoint(ORIGIN, size, merkle.root(self.leaves()[:size]))

    def signed(self, size: int | None = None) -> bytes:
        """The same, signed."""
        return sign_checkpoint(self.checkpoint(size), SIGNING_KEY)

    def header(self, first: int = 0, end: int | None = None, size: int | None = None) -> Header:
        """The header of an export of a range; `size` is its checkpoint's."""
        end = len(self.entries) if end is None else end
        size = len(self.entries) if size is None else size
        nodes = merkle.node_source(self.leaves())
        before = merkle.Frontier()
        before.extend(self.leaves()[:first])
        return Header(
            installation=INSTALLATION, origin=ORIGIN, first=first, end=end, frontier=before.edge(),
            vkey=str(SIGNING_KEY.verifier), checkpoint=self.signed(size).decode(),
            consistency=tuple(merkle.consistency_proof(end, size, nodes)),
        )  # fmt: skip

    def export(self, first: int = 0, end: int | None = None, size: int | None = None) -> bytes:
        """An export of a range."""
        end = len(self.entries) if end is None else end
        lines = [bundle.line(entry) for entry in self.entries[first:end]]
        return self.header(first, end, size).line() + b"".join(lines)

    def selection(self, indexes: Iterable[int]) -> bytes:
        """An export of some records with their proofs."""
        nodes, size = merkle.node_source(self.leaves()), len(self.entries)
        header = Header(
            installation=INSTALLATION, origin=ORIGIN, first=0, end=size, kind=bundle.SELECTION,
            checkpoint=self.signed().decode(),
        )  # fmt: skip
        chosen = [bundle.line(self.entries[index], merkle.inclusion_proof(index, size, nodes)) for index in indexes]
        return header.line() + b"".join(chosen)

    def _id(self) -> UUID:
        return UUID(int=(0x0192 << 112) | (7 << 76) | (2 << 62) | next(iter(self.ids)))

    def _add(self, shard: int, record: UUID, rest: tuple[Any, ...]) -> Entry:
        entry: Entry = (len(self.entries), shard, str(record).encode(), *rest)
        self.entries.append(entry)
        return entry


def a_log() -> MadeLog:
    """Eleven records: calls of two gateways with records of the control plane between them."""
    log = MadeLog()
    log.by_control_plane(type="admin", event="team.created", after={"name": "red", "type": "intent"})
    log.call(WRITERS[0], server="files", tool="read")
    log.call(WRITERS[1], intention='the {reason}: "call_id":"x"')
    log.by_control_plane(type="config", event="server.edited")
    log.by_gateway(WRITERS[1], type="deny", event="call.denied")
    log.call(WRITERS[0])
    log.by_control_plane(type="review", event="review.decided", reason="é\u202e\x1b")
    log.by_gateway(WRITERS[1], type="deny", event="call.denied")
    return log


def opened(export: bytes) -> BytesIO:
    """The export as a file."""
    return BytesIO(export)


def replaced(entry: Entry, **changes: Any) -> Entry:
    """The entry with other parts."""
    names = ("index", "shard", "record", "writer", "seq", "chain", "mac", "leaf", "body")
    parts = [changes.pop(name, value) for name, value in zip(names, entry, strict=True)]
    assert not changes
    return tuple(parts)


def _body(said: dict[str, Any], **place: Any) -> bytes:
    plain = {name: str(value) if isinstance(value, UUID) else value for name, value in place.items()}
    return canonical_bytes({"v": 1, "installation": INSTALLATION, **plain, **said})
