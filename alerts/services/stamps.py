"""Holding what calls were decided by against what changes of policy left.

Each record of a call names its state of policy. A row that was changed past the services and put back before anybody
looked shows there and nowhere else. Places are read in their order: no record comes too late to be looked at.
"""

import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from access.services import tell_alterations, tell_stamp
from alerts.models import Cursor
from audit.events import RecordType
from audit.models import Leaf, Record

_NAME: Final = "stamps"
_BATCH: Final = 2000
_JUDGED: Final = (RecordType.INTENT.value, RecordType.DENY.value)  # an outcome repeats what its intent says
Stamp = tuple[str, str]  # server, and the state of policy


def tell_policy(*, seconds: float = 5.0) -> int:
    """Record what of policy was changed past the services, and each state that calls were decided by and nobody left.

    Stamps are read for at most about `seconds`; the next look goes on. Answers how much was told. The rows come first:
    what they show is told by its tables, and the part's first digests are there before a stamp is held against them.
    """
    told = tell_alterations()
    deadline = time.monotonic() + seconds
    Cursor.objects.get_or_create(name=_NAME)
    seen: set[Stamp] = set()
    while time.monotonic() < deadline and (count := _tell_batch(seen)) is not None:
        told += count
    return told


@transaction.atomic
def _tell_batch(seen: set[Stamp]) -> int | None:
    """None when there is nothing more to read, or another one reads."""
    cursor = Cursor.objects.select_for_update(skip_locked=True).filter(name=_NAME).first()
    if cursor is None:
        return None
    leaves = list(Leaf.objects.after(cursor.index).values_list("index", "shard", "record_id")[:_BATCH])
    if not leaves:
        return None
    new = _stamps(leaves) - seen
    seen |= new
    told = sum(tell_stamp(stamped, slug=slug) for slug, stamped in sorted(new))
    cursor.index = leaves[-1][0]
    cursor.save(update_fields=["index"])
    return told


def _stamps(leaves: Sequence[tuple[int, int, UUID]]) -> set[Stamp]:
    """A release that made no digests left the stamp empty."""
    records = Record.objects.filter(
        shard__in={shard for _, shard, _ in leaves}, id__in=[id_ for _, _, id_ in leaves], type__in=_JUDGED
    )
    return set(records.exclude(policy_digest="").values_list("server", "policy_digest").distinct())
