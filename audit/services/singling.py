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
from audit.models import Checkpoint, Leaf, Record
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
_RIGHTS: Final = (Permission.AUDIT_EXPORT, Permission.AUDIT_READ)


@dataclass(frozen=True, slots=True)
class RecordProof:
    """What was asked for and recorded: these records, in the tree that `signed` is over."""

    id: UUID
    found: tuple[Found, ...]
    signed: Signed
    size: int

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
            yield bundle.line(each.entry(), inclusion_of(each.index, self.size))


def begin_proof(*, record_id: UUID, actor: Actor) -> RecordProof:
    """Record that a proof leaves, and answer it.

    Raises `PermissionDenied`, `NotFound`, and `Conflict` where no checkpoint is over the record yet.
    """
    about = subject("log", "records")
    for permission in _RIGHTS:
        permit(actor, permission, about=about, somewhere=True)
    found = _found(record_id, Record.objects.exportable_by(actor))
    newest = newest_signed()
    point = first_over(found[-1].index + 1, newest.origin) if found else None
    if point is None:
        raise Conflict("Nothing signed has this record yet: the next checkpoint will. Try again in a moment.")
    after = {"format": "proof", "record": str(record_id), "first": found[0].index, "end": found[-1].index + 1}
    # Committed here, as an export is: nothing leaves on the strength of a record that may yet be undone.
    with transaction.atomic(durable=True):
        record(type=RecordType.ADMIN, event=Event.AUDIT_EXPORTED, actor=actor, subject=about, after=after)
    return RecordProof(record_id, tuple(found), _signed(point, newest), point.size)


def _found(record_id: UUID, records: RecordQuerySet) -> list[Found]:
    """The record and the others of its call, in the log's order; nothing where the record itself has no place yet."""
    wanted = records.one(record_id)
    rows = [wanted, *(records.in_call(wanted.call_id).exclude(pk=wanted.pk)[:_MOST] if wanted.call_id else ())]
    leaves = Leaf.objects.filter(shard__in={row.shard for row in rows}, record_id__in=[row.id for row in rows])
    places = dict(leaves.order_by("index").values_list("record_id", "index"))
    if record_id not in places:
        return []
    return [each for place in places.values() for each in window(place, place + 1, records) if each.body is not None]


def _signed(point: Checkpoint, newest: Signed) -> Signed:
    return Signed(point.origin, newest.vkey, point.note)
