"""Writing to the audit log from the control plane. Gateways write through `audit.writer`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, Required, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.drafts import RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Record
from audit.proof.chain import control_plane_mac, leaf
from audit.services.shards import ensure_shard
from audit.subjects import principal_of
from core.actor import Actor, ActorKind

_BATCH: Final = 500  # rows of one statement
_noted: ContextVar[list[tuple[int, UUID]] | None] = ContextVar("records of this request", default=None)


class Fact(TypedDict, total=False):
    """What is recorded, by the columns that callers fill.

    `subject` follows `core.names.subject`; `owner_team` is a slug; `digest` the definition version's. `actor` did
    it; `principal` is whom it was done for, where that is somebody else. `before` and `after` are plain values;
    beyond 8 KB only their hashes are kept.
    """

    type: Required[RecordType]
    event: Required[Event]
    actor: Required[Actor]
    principal: Actor | None
    subject: str
    server: str
    tool: str
    kind: str
    digest: str
    reason: str
    decision: str
    owner_team: str
    environment: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    batch_id: UUID | None
    call_id: UUID | None
    agent: str
    client_ip: str
    status: str


def record(**fact: Unpack[Fact]) -> Record:
    """Record one fact in the current transaction, the one it describes.

    Raises what the database raises: unrecordable means not done.
    """
    (written,) = record_many([fact])
    return written


def record_many(facts: Sequence[Fact]) -> list[Record]:
    """Record several facts, in their order, in a number of statements that does not grow with them."""
    names: dict[Actor, str] = {}
    now = timezone.now()
    return record_drafts([_draft(fact, names, now) for fact in facts])


def record_drafts(drafts: Sequence[RecordDraft]) -> list[Record]:
    """Record what is made ready, in its order: what speaks of another record in that one's own words."""
    if not drafts:
        return []
    shard = shard_of(timezone.now())
    # Beat creates shards two months ahead; after a longer standstill the first record of a month does.
    ensure_shard(shard)
    rows = [_row(draft, shard) for draft in drafts]
    made = Record.objects.bulk_create(rows, batch_size=_BATCH)
    noted = _noted.get()
    if noted is not None:
        noted += [(shard, row.id) for row in made]
    return made


@contextmanager
def noting() -> Iterator[Callable[[], bool]]:
    """Note what is recorded within; the answer says whether any of it is there: a rollback takes records along."""
    noted: list[tuple[int, UUID]] = []
    token = _noted.set(noted)

    def is_there() -> bool:
        shards, ids = {shard for shard, _ in noted}, [id_ for _, id_ in noted]
        return bool(noted) and Record.objects.filter(shard__in=shards, id__in=ids).exists()

    try:
        yield is_there
    finally:
        _noted.reset(token)


def denied(*, actor: Actor, permission: str, subject: str, reason: str = "", server: str = "") -> None:
    """Record that `actor` was refused, in a transaction of its own. Raises RuntimeError inside another one."""
    with transaction.atomic(durable=True):
        record(
            type=RecordType.DENY,
            event=Event.ACTION_DENIED,
            actor=actor,
            subject=subject,
            server=server or _server_in(subject),
            decision="denied",
            reason=reason or f"needs the permission {permission}",
            after={"permission": permission} if permission else None,
        )


def _row(draft: RecordDraft, shard: int) -> Record:
    values = columns(draft, installation=settings.INSTALLATION_ID, shard=shard)
    return Record(**values, mac=control_plane_mac(settings.AUDIT_KEYS[0], draft.id, shard, leaf(values["body"])))


def _draft(fact: Fact, names: dict[Actor, str], now: datetime) -> RecordDraft:
    """The draft of one fact; `names` remembers how actors stand in records."""
    actor, principal = fact["actor"], fact.get("principal") or fact["actor"]
    for who in {actor, principal} - names.keys():
        names[who] = principal_of(who)
    given: dict[str, Any] = {key: value for key, value in fact.items() if key not in ("actor", "principal", "digest")}
    given["agent"] = fact.get("agent") or (actor.id if actor.kind is ActorKind.AGENT else "")
    return RecordDraft(
        **given, time=now, actor=names[actor], principal=names[principal], tool_hash=fact.get("digest", "")
    )


def _server_in(subject: str) -> str:
    kind, _, name = subject.partition(":")
    return name if kind == "server" else name.partition("/")[0] if kind == "tool" else ""
