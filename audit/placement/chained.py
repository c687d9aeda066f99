"""What the log says about itself, by records that we wrote: from where on each has a MAC, and which months are pruned.

Such a record goes with the bodies of its own month: each `log.pruned` repeats what all before it said.
"""

from collections.abc import Iterator
from typing import Any

from audit.events import Event, RecordType
from audit.models import Leaf, Record
from audit.placement.judging import Judge, Verdict
from audit.proof.calls import facts
from audit.proof.chain import leaf


def is_chained(judge: Judge) -> bool:
    """Whether no release without MACs writes any more."""
    return any(_chained(judge)) or any(said.get("chained_at") is not None for said in prunings(judge))


def chained_at(judge: Judge) -> int | None:
    """The place of the boundary; None while there is none."""
    found = [said["chained_at"] for said in prunings(judge) if isinstance(said.get("chained_at"), int)]
    for record in _chained(judge):
        found += Leaf.objects.filter(shard=record.shard, record_id=record.id).values_list("index", flat=True)
    return min(found, default=None)


def prunings(judge: Judge) -> Iterator[dict[str, Any]]:
    """What each `log.pruned` says."""
    for record in _said(judge, RecordType.ADMIN, Event.LOG_PRUNED):
        after = facts(bytes(record.body)).get("after")
        if isinstance(after, dict):
            yield after


def _chained(judge: Judge) -> Iterator[Record]:
    return _said(judge, RecordType.CHECKPOINT, Event.LOG_CHAINED)


def _said(judge: Judge, kind: RecordType, event: Event) -> Iterator[Record]:
    for record in Record.objects.filter(type=kind.value, event=event.value, writer=None):
        hashed, mac = leaf(bytes(record.body)), bytes(record.mac or b"")
        if judge.control_plane(record=record.id, shard=record.shard, leaf=hashed, mac=mac) is Verdict.GENUINE:
            yield record
