"""The proof of one record, with the others of its call: few lines that say by themselves where they stand in the log.

Each brings its own way to the root of a signed checkpoint (`bundle.SELECTION`), so whoever holds the file needs nothing
else of the log, and is told nothing else of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.events import Event, RecordType
from audit.models import Leaf, Record
from audit.proof import bundle
from audit.querysets import RecordQuerySet
from audit.services.permitting import permit
from audit.services.proving import Signed, first_over, inclusion_of, newest_signed
from audit.services.recording import record
from audit.sinks.source import Found, window
from core.actor import Actor
from core.errors import Conflict
from core.names import subject
from core.permissions import Permission

_MOST: Final = 50  # records of one call
_OF_CALL: Final = (RecordType.INTENT.value, RecordType.OUTCOME.value, RecordType.DENY.value)
_RIGHTS: Final = (Permission.AUDIT_EXPORT, Permission.AUDIT_READ)


@dataclass(frozen=True, slots=True)
class RecordProof:
    """What was asked for and recorded: these records, in the tree that `signed` is over."""

    id: UUID
    found: tuple[Found, ...]
    signed: Signed

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"audit-{self.id}.jsonl"

    def chunks(self) -> Iterator[bytes]:
        """The file, line by line."""
        header = bundle.Header(
            kind=bundle.SELECTION,
            installation=settings.INSTALLATION_ID,
            first=self.found[0].index,
            end=self.found[-1].index + 1,
            origin=self.signed.origin,
            vkey=self.signed.vkey,
            checkpoint=self.signed.checkpoint,
        )
        yield header.line()
        for each in self.found:
            yield bundle.line(each.entry(), inclusion_of(each.index, self.signed.size))


def begin_proof(*, record_id: UUID, actor: Actor) -> RecordProof:
    """Record that a proof leaves, and answer it.

    Raises `PermissionDenied`, `NotFound`, and `Conflict` where no checkpoint is over the record yet.
    """
    about = subject("log", "records")
    for permission in _RIGHTS:
        permit(actor, permission, about=about, somewhere=True)
    found, signed = _signed(_found(record_id, Record.objects.exportable_by(actor)))
    if signed is None or record_id not in {each.id for each in found}:
        raise Conflict("Nothing signed has this record yet: the next checkpoint will. Try again in a moment.")
    after = {"format": "proof", "record": str(record_id), "first": found[0].index, "end": found[-1].index + 1}
    # Committed here, as an export is: nothing leaves on the strength of a record that may yet be undone.
    with transaction.atomic(durable=True):
        record(type=RecordType.ADMIN, event=Event.AUDIT_EXPORTED, actor=actor, subject=about, after=after)
    return RecordProof(record_id, tuple(found), signed)


def _found(record_id: UUID, records: RecordQuerySet) -> list[Found]:
    """The record and the others of its call that have a place, in the log's order. Who read what it carried is none."""
    wanted = records.one(record_id)
    call = records.in_call(wanted.call_id).filter(type__in=_OF_CALL) if wanted.call_id else records.none()
    rows = [wanted, *call.exclude(pk=wanted.pk)[:_MOST]]
    leaves = Leaf.objects.filter(shard__in={row.shard for row in rows}, record_id__in=[row.id for row in rows])
    places = leaves.order_by("index").values_list("index", flat=True)
    return [each for place in places for each in window(place, place + 1, records) if each.body is not None]


def _signed(found: list[Found]) -> tuple[list[Found], Signed | None]:
    """What any checkpoint is over, and the first one over all of that."""
    newest = newest_signed()
    covered = [each for each in found if each.index < newest.size]
    point = first_over(covered[-1].index + 1, newest.origin) if covered else None
    return covered, Signed(point.origin, newest.vkey, point.note, size=point.size) if point else None
