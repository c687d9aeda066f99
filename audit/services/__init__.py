"""Commands of the audit log."""

from audit.placement import place_records
from audit.services.reconciling import reconcile_unfinished
from audit.services.recording import Fact, denied, noting, record, record_many
from audit.services.shards import create_shards

__all__ = [
    "Fact",
    "create_shards",
    "denied",
    "noting",
    "place_records",
    "reconcile_unfinished",
    "record",
    "record_many",
]
