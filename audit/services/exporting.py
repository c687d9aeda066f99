"""Downloads of the log. An export is recorded before its first byte, with what it holds and for whom.

It ends at the log's head of that moment, so it does not grow while it is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, Min, OuterRef

from audit.drafts import next_shard, shard_of
from audit.events import Event, RecordType
from audit.filters import Filters
from audit.formats.ocsf import Chain
from audit.formats.writing import CONTENT_TYPES, EXTENSIONS, Format, Lines
from audit.models import Leaf, Record
from audit.proof import bundle
from audit.querysets import LeafQuerySet, RecordQuerySet
from audit.services.permitting import permit
from audit.services.proving import last_signed, signed_over, tree_before
from audit.services.recording import record
from audit.sinks.source import window
from core.actor import Actor
from core.errors import Invalid
from core.names import subject
from core.permissions import Permission

_WINDOW: Final = 500  # places, and at most as many bodies of 8 KB
_RIGHTS: Final = (Permission.AUDIT_EXPORT, Permission.AUDIT_READ)
_WHOLE: Final = frozenset({"since", "until"})


@dataclass(frozen=True, slots=True)
class Export:
    """What was asked for and recorded: the places from `first` up to `end`, which is not in it."""

    form: Format
    first: int
    end: int
    records: RecordQuerySet
    chain: str

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"audit-{self.first}-{self.end}.{EXTENSIONS[self.form]}"

    @property
    def content_type(self) -> str:
        """What it is."""
        return CONTENT_TYPES[self.form]

    def chunks(self) -> Iterator[bytes]:
        """The file, piece by piece. Raises what a formatter raises: an export breaks off and leaves nothing out."""
        if self.form is Format.JSONL:
            yield from self._proof()
            return
        lines = Lines(self.form, chain=Chain(self.chain, settings.INSTALLATION_ID))
        yield lines.header()
        for first in range(self.first, self.end, _WINDOW):
            found = window(first, min(first + _WINDOW, self.end), self.records)
            yield b"".join(lines.line(each.placed()) for each in found if each.body is not None)

    def _proof(self) -> Iterator[bytes]:
        signed = signed_over(self.end)
        header = bundle.Header(
            installation=settings.INSTALLATION_ID,
            first=self.first,
            end=self.end,
            frontier=tree_before(self.first).edge(),
            origin=signed.origin,
            vkey=signed.vkey,
            checkpoint=signed.checkpoint,
            consistency=signed.consistency,
        )
        yield header.line()
        for first in range(self.first, self.end, _WINDOW):
            found = window(first, min(first + _WINDOW, self.end))
            yield b"".join(bundle.line(each.entry()) for each in found)


def begin_export(*, form: Format, filters: Filters, actor: Actor) -> Export:
    """Record an export and answer what it holds.

    Raises `PermissionDenied`, and `Invalid` for JSONL of less than everything in a time: it proves that nothing is
    missing between its ends.
    """
    about = subject("log", "records")
    for permission in _RIGHTS:
        permit(actor, permission, about=about, somewhere=True)
    records = Record.objects.exportable_by(actor)
    if form is Format.JSONL:
        _may_be_whole(filters, actor)
        first, end = _signed_ends(*_ends_of(records, filters), until=filters.until)
    else:
        first, end = _bounds(filters)
    after = {"format": form.value, "filters": filters.canonical(), "first": first, "end": end}
    # Committed here, in a transaction of its own: nothing leaves on the strength of a record that may yet be undone.
    with transaction.atomic(durable=True):
        made = record(type=RecordType.ADMIN, event=Event.AUDIT_EXPORTED, actor=actor, subject=about, after=after)
    return Export(form, first, end, records.matching(filters), str(made.id))


def _may_be_whole(filters: Filters, actor: Actor) -> None:
    """Raises `Invalid` for JSONL of a selection, or for who may export a part of the log: its bytes are everybody's."""
    if not all(actor.may(permission) for permission in _RIGHTS):
        sentence = "JSONL holds the records of all teams: it takes audit:read and audit:export for the whole log."
        raise Invalid(sentence, field="format")
    if set(filters.canonical()) - _WHOLE:
        raise Invalid("JSONL proves a time whole: narrow it by its beginning and end alone.", field="format")


def _bounds(filters: Filters) -> tuple[int, int]:
    """Places outside of which nothing fits: a record stands in the shard of its time or of the month after it."""
    leaves = Leaf.objects.all()
    if filters.since is not None:
        leaves = leaves.filter(shard__gte=shard_of(filters.since))
    if filters.until is not None:
        leaves = leaves.filter(shard__lte=next_shard(shard_of(filters.until)))
    return _ends(leaves)


def _signed_ends(first: int, end: int, *, until: datetime | None) -> tuple[int, int]:
    """No further than the last checkpoint, where nobody named an end: what a signature covers proves more."""
    signed = last_signed()
    return first, min(end, signed) if until is None and signed > first else end


def _ends_of(records: RecordQuerySet, filters: Filters) -> tuple[int, int]:
    """From the first record of that time to the last one, whatever stands between them."""
    if not filters:
        return 0, Leaf.objects.head() + 1
    fitting = records.matching(filters).order_by().filter(shard=OuterRef("shard"), id=OuterRef("record_id"))
    return _ends(Leaf.objects.filter(Exists(fitting)))


def _ends(leaves: LeafQuerySet) -> tuple[int, int]:
    found = leaves.aggregate(first=Min("index"), last=Max("index"))
    return (0, 0) if found["first"] is None else (found["first"], found["last"] + 1)
