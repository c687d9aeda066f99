"""Pruning the bodies of a month's records. The leaves stay, so roots and proofs of everything can still be computed.

Two people agree; the database asks for that itself, and for the log's retention, for places of all the records, for
sinks that have read them, and for the record that says what was pruned (`audit.0007`).
"""

import hashlib
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Max, Min

from audit.events import Event, RecordType
from audit.models import Leaf, Removal
from audit.placement import Judge, chained_at, prunings
from audit.services.payloads import required_reason
from audit.services.permitting import permit
from audit.services.recording import record
from audit.services.removing import confirm, person_of
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound
from core.permissions import Permission


def request_pruning(*, shard: int, actor: Actor, reason: str) -> Removal:
    """Ask for the bodies of a month, YYYYMM, to be pruned. Another person has to agree within seven days.

    Raises `Invalid` without a reason or a month, `NotFound` for a month without records, `PermissionDenied`.
    """
    permit(actor, Permission.LOG_PRUNE, about=_subject(shard))
    said = required_reason(reason)
    if not 1 <= shard % 100 <= 12:
        raise Invalid("A month is written YYYYMM.", field="shard")
    with transaction.atomic():
        if not Leaf.objects.filter(shard=shard).exists():
            raise NotFound("There are no records of this month.")
        removal = Removal.objects.create(shard=shard, reason=said, requested_by=person_of(actor))
        _record(Event.REMOVAL_REQUESTED, shard, actor, said, removal.id, {"shard": shard})
    return removal


def confirm_pruning(*, shard: int, actor: Actor) -> int:
    """Agree to what another person asked for, which prunes the month; answers how many bodies that were.

    Raises `Conflict` where the database refuses it or the actor asked for it, `NotFound`, `PermissionDenied`.
    """
    permit(actor, Permission.LOG_PRUNE, about=_subject(shard))
    with transaction.atomic():
        removal = Removal.objects.waiting().filter(shard=shard).first()
        if removal is None:
            raise NotFound("Nobody asked to prune this month within the last seven days.")
        confirm(removal, actor)
        said = _record(Event.LOG_PRUNED, shard, actor, removal.reason, removal.id, _what(shard))
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT audit_prune_shard(%s, %s, %s)", [removal.id, said.shard, said.id])
                return int(cursor.fetchone()[0])
        except DatabaseError as error:
            raise Conflict(_refusal(error)) from error


def _what(shard: int) -> dict[str, Any]:
    """What a verifier holds the missing bodies against: how many, which places, and a hash over their leaves."""
    leaves = Leaf.objects.filter(shard=shard)
    ends = leaves.aggregate(first=Min("index"), last=Max("index"))
    count, digest = 0, hashlib.sha256()
    for leaf in leaves.order_by("index").values_list("hash", flat=True).iterator(chunk_size=10_000):
        digest.update(bytes(leaf))
        count += 1
    return {"shard": shard, "records": count, **ends, "leaves_sha256": digest.hexdigest(), **_so_far()}


def _so_far() -> dict[str, Any]:
    """What earlier records of this kind said, and the boundary of MACs: such records are pruned in their turn."""
    judge = Judge(settings.AUDIT_KEYS, settings.INSTALLATION_ID)
    earlier: dict[str, int] = {}
    for said in prunings(judge):
        earlier |= {**said.get("earlier", {}), str(said["shard"]): said["records"]}
    return {"earlier": earlier, "chained_at": chained_at(judge)}


def _record(event: Event, shard: int, actor: Actor, reason: str, removal_id: UUID, after: dict[str, Any]) -> Any:
    return record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=_subject(shard),
        reason=reason,
        batch_id=removal_id,
        after=after,
    )


def _subject(shard: int) -> str:
    return f"shard:{shard}"


def _refusal(error: DatabaseError) -> str:
    """The function's own sentence; of any other failure that it was one."""
    cause = error.__cause__
    said = getattr(getattr(cause, "diag", None), "message_primary", None)
    own = getattr(cause, "sqlstate", "") == "23001"
    return f"Not pruned: {said}." if own and said else "Not pruned: the database is busy. Try again later."
