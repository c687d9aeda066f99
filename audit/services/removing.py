"""Removing what is kept: a payload when its time is over, or before it where two people say so.

The functions that take rows away are the database owner's and ask for themselves (`audit.0006`); the records stay.
"""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from audit.events import Event, RecordType
from audit.models import Removal, RemovalConfirmation, StoredPayload
from audit.services.payloads import about_call, record_about_call, records_of_call, required_reason
from audit.services.permitting import permit
from audit.services.recording import record
from audit.subjects import principal_of
from core.actor import Actor, ActorKind
from core.errors import Conflict, NotFound
from core.permissions import Permission

_BATCH: Final = 10_000  # rows of one statement
_BATCHES: Final = 20  # of one run


def request_erasure(*, call_id: UUID, actor: Actor, reason: str) -> Removal:
    """Ask for the erasing of a payload before its time. Another person has to agree within seven days.

    Raises `Invalid` without a reason, `NotFound` where nothing is kept, `PermissionDenied`.
    """
    permit(actor, Permission.PAYLOAD_ERASE, about=about_call(call_id))
    said = required_reason(reason)
    with transaction.atomic():
        found = records_of_call(call_id)
        if not StoredPayload.objects.of_call(call_id).exists():
            raise NotFound("Nothing is kept of this call.")
        removal = Removal.objects.create(call_id=call_id, reason=said, requested_by=person_of(actor))
        record_about_call(Event.REMOVAL_REQUESTED, found, call_id, actor, said, batch_id=removal.id)
    return removal


def confirm_erasure(*, call_id: UUID, actor: Actor) -> int:
    """Agree to what another person asked for, which erases the payload; answers how many rows that were.

    Raises `Conflict` for the one who asked, `NotFound` where nobody did, `PermissionDenied`.
    """
    permit(actor, Permission.PAYLOAD_ERASE, about=about_call(call_id))
    with transaction.atomic():
        removal = Removal.objects.waiting().filter(call_id=call_id).first()
        if removal is None:
            raise NotFound("Nobody asked to erase this within the last seven days.")
        confirm(removal, actor)
        asked = {"requested_by": removal.requested_by}
        found = records_of_call(call_id)
        said = record_about_call(
            Event.PAYLOAD_ERASED, found, call_id, actor, removal.reason, batch_id=removal.id, before=asked
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_erase_payload(%s, %s, %s)", [removal.id, said.shard, said.id])
            return int(cursor.fetchone()[0])


def expire_payloads(*, actor: Actor) -> int:
    """Take away the payloads whose time is over; one record says how many rows, none where there were none."""
    removed = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for _ in range(_BATCHES):
            cursor.execute("SELECT audit_expire_payloads(%s)", [_BATCH])
            count = int(cursor.fetchone()[0])
            removed += count
            if count < _BATCH:
                break
        if removed:
            record(
                type=RecordType.ADMIN,
                event=Event.PAYLOAD_ERASED,
                actor=actor,
                reason="Their time was over.",
                after={"rows": removed, "days": settings.PAYLOAD_RETENTION_DAYS},
            )
    return removed


def confirm(removal: Removal, actor: Actor) -> None:
    """Agree as another person than the one who asked. Raises `Conflict`; the database refuses the same for itself."""
    by = person_of(actor)
    if removal.requested_by == by:
        raise Conflict("Another person has to agree: you asked for it yourself.")
    RemovalConfirmation.objects.create(removal=removal, confirmed_by=by)


def person_of(actor: Actor) -> str:
    """The pseudonym of an acting person. Raises `Conflict` for whoever is none: two people have to agree."""
    if actor.kind is not ActorKind.PERSON:
        raise Conflict("Only people remove what is kept.")
    return principal_of(actor)
