"""Commands of the audit log."""

from audit.placement import has_sequencer, place_records
from audit.services.exporting import Export, begin_export
from audit.services.reconciling import reconcile_unfinished
from audit.services.recording import Fact, denied, record, record_many
from audit.services.searches import may_remove, remove_search, save_search
from audit.services.shards import create_shards

__all__ = [
    "Export",
    "Fact",
    "begin_export",
    "create_shards",
    "denied",
    "has_sequencer",
    "may_remove",
    "place_records",
    "reconcile_unfinished",
    "record",
    "record_many",
    "remove_search",
    "save_search",
]
