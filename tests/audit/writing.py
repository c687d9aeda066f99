"""A log in the database, written as gateways and control plane write it, and what its owner can do to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection
from django.utils import timezone
from psycopg.conninfo import conninfo_to_dict

from audit import services
from audit.chaining import Chain
from audit.drafts import Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Leaf, Record, Writer
from audit.proof import merkle
from audit.proof.checkpoint import Checkpoint
from core.actor import system_actor
from core.ids import new_id

SYSTEM = system_actor("test")
ORIGIN = "holdfast.example/audit"
TABLES = ("audit_record", "audit_leaf", "audit_verification", "audit_checkpoint", "audit_writer")


class Gateway:
    """A gateway process that writes one record after the other; `key` is what its MACs are made with."""

    def __init__(self, key: bytes | None = None) -> None:
        self.shard = shard_of(timezone.now())
        self.writer = new_id()
        self.chain = Chain(settings.INSTALLATION_ID, self.writer, self.shard, key or settings.AUDIT_KEYS[0])
        Writer.objects.create(id=self.writer, shard=self.shard, host="h", process="p", started_at=timezone.now())

    def row(self, **said: Any) -> dict[str, Any]:
        """The next record's columns."""
        facts = {"type": RecordType.DENY, "event": Event.CALL_DENIED, "principal": "agent:robot", **said}
        draft = RecordDraft(**{"time": timezone.now(), **facts})
        place = Position(self.writer, self.chain.seq + 1)
        row = columns(draft, installation=settings.INSTALLATION_ID, shard=self.shard, position=place)
        row["chain"], row["mac"] = self.chain.add(row["body"])
        return row

    def write(self, **said: Any) -> Record:
        """One more record."""
        return Record.objects.create(**self.row(**said))

    def begin(self, call: UUID, **said: Any) -> Record:
        """A call's intent."""
        return self.write(type=RecordType.INTENT, event=Event.CALL_INTENDED, call_id=call, decision="allowed", **said)

    def end(self, call: UUID, **said: Any) -> Record:
        """Its outcome."""
        return self.write(type=RecordType.OUTCOME, event=Event.CALL_COMPLETED, call_id=call, status="ok", **said)


def a_control_plane_record(**said: Any) -> Record:
    """One more record of the control plane."""
    facts: dict[str, Any] = {"type": RecordType.ADMIN, "event": Event.TEAM_CREATED, "actor": SYSTEM, **said}
    return services.record(**facts)


def a_log(gateway: Gateway) -> list[Record]:
    """Eight placed records, in their order in the log: of the gateway the 3rd to the 7th."""
    a_control_plane_record(type=RecordType.CHECKPOINT, event=Event.LOG_CHAINED)
    a_control_plane_record(subject="team:red", after={"name": "red\0", "number": 2**60})
    services.place_records()
    for _ in range(2):
        call = new_id()
        gateway.begin(call, server="files", tool="read", rule_ids=("grant-1",), args_commit=b"a" * 32)
        gateway.end(call, server="files", tool="read", latency_ms=12, bytes=345)
    gateway.write(reason="no_grant", intention="\u202e\x1b[31m")
    services.place_records()
    a_control_plane_record(subject="team:blue")
    services.place_records()
    return placed()


def placed() -> list[Record]:
    """All placed records in the log's order."""
    found = {(made.shard, made.id): made for made in Record.objects.all()}
    return [found[leaf.shard, leaf.record_id] for leaf in Leaf.objects.after(-1)]


def checkpoint(size: int | None = None) -> Checkpoint:
    """What the log is now, as somebody outside keeps it."""
    hashes = [bytes(hashed) for hashed in Leaf.objects.after(-1).values_list("hash", flat=True)][:size]
    return Checkpoint(ORIGIN, len(hashes), merkle.root(hashes))


def without_triggers(owner: "psycopg.Connection[Any]") -> None:
    """What nothing in the database prevents its owner from."""
    tables = owner.execute(
        "SELECT c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.relname ~ %s",
        (f"^({'|'.join(TABLES)})(_[0-9]+)?$",),
    ).fetchall()
    for (table,) in tables:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_change, DISABLE TRIGGER audit_no_truncate")


@contextmanager
def as_owner() -> Iterator[None]:
    """Django's connection is the owner's: what a test tampers with is rolled back, and needs no database of its own."""
    ours = connection.settings_dict
    theirs = conninfo_to_dict(os.environ["DATABASE_ADMIN_URL"])
    kept = {name: ours[name] for name in ("USER", "PASSWORD")}
    connection.close()
    ours |= {"USER": theirs.get("user", ""), "PASSWORD": theirs.get("password", "")}
    try:
        yield
    finally:
        connection.close()
        ours |= kept
