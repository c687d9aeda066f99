"""Writing to the audit log from the control plane. Gateways write through `audit.writer`."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit.drafts import RecordDraft, columns, next_shard, shard_of
from audit.events import Event, RecordType
from audit.models import Record
from audit.placement import place_records
from audit.subjects import principal_of
from core.actor import Actor, ActorKind

__all__ = ["create_shards", "denied", "place_records", "record"]

_AHEAD: Final = 2
_shards: Final[set[tuple[str, int]]] = set()  # database and shard


def record(  # noqa: PLR0913 -- one parameter per column that callers fill
    *,
    type: RecordType,  # noqa: A002 -- the column's name
    event: Event,
    actor: Actor,
    subject: str = "",
    server: str = "",
    tool: str = "",
    kind: str = "",
    digest: str = "",
    reason: str = "",
    decision: str = "",
    owner_team: str = "",
    environment: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    batch_id: UUID | None = None,
    call_id: UUID | None = None,
    agent: str = "",
    client_ip: str = "",
    principal: Actor | None = None,
    status: str = "",
) -> Record:
    """Record one fact in the current transaction, the one it describes.

    `subject` follows `core.names.subject`; `owner_team` is a slug; `digest` the definition version's. `actor` did
    it; `principal` is whom it was done for, where that is somebody else. `before` and `after` are plain values;
    beyond 8 KB only their hashes are kept. Raises what the database raises: unrecordable means not done.
    """
    who = principal_of(actor)
    draft = RecordDraft(
        type=type,
        event=event,
        time=timezone.now(),
        principal=who if principal is None else principal_of(principal),
        actor=who,
        agent=agent or (actor.id if actor.kind is ActorKind.AGENT else ""),
        subject=subject,
        server=server,
        tool=tool,
        kind=kind,
        tool_hash=digest,
        reason=reason,
        decision=decision,
        owner_team=owner_team,
        environment=environment,
        before=before,
        after=after,
        batch_id=batch_id,
        call_id=call_id,
        client_ip=client_ip,
        status=status,
    )
    return _insert(draft)


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


def create_shards() -> int:
    """Make sure that this month's shard and the next two exist; answers how many were made."""
    shard = shard_of(timezone.now())
    made = 0
    for _ in range(1 + _AHEAD):
        made += _ensure_shard(shard)
        shard = next_shard(shard)
    return made


def _insert(draft: RecordDraft) -> Record:
    shard = shard_of(draft.time)
    # Beat creates shards two months ahead; after a longer standstill the first record of a month does.
    _ensure_shard(shard)
    return Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=shard))


def _ensure_shard(shard: int) -> bool:
    """Whether the shard had to be made."""
    known = (str(connection.settings_dict["NAME"]), shard)
    if known in _shards:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_create_shard(%s)", [shard])
        made = bool(cursor.fetchone()[0])
    # Not before the commit: a shard that this very transaction made goes away with its rollback.
    transaction.on_commit(lambda: _shards.add(known))
    return made


def _server_in(subject: str) -> str:
    kind, _, name = subject.partition(":")
    return name if kind == "server" else name.partition("/")[0] if kind == "tool" else ""
