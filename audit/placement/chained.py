"""The boundary from which on every record has a MAC: the record `log.chained`, itself with one."""

from audit.events import Event, RecordType
from audit.models import Record
from audit.placement.judging import Judge, Verdict
from audit.proof.chain import leaf


def is_chained(judge: Judge) -> bool:
    """Whether the log says, by a record that we wrote, that no release without MACs writes any more."""
    said = Record.objects.filter(type=RecordType.CHECKPOINT.value, event=Event.LOG_CHAINED.value, writer=None)
    return any(
        judge.control_plane(record=id_, shard=shard, leaf=leaf(bytes(body)), mac=bytes(mac or b"")) is Verdict.GENUINE
        for id_, shard, body, mac in said.values_list("id", "shard", "body", "mac")
    )
