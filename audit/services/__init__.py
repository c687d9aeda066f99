"""Commands of the audit log."""

from audit.placement import has_sequencer, place_records
from audit.services.exporting import Export, begin_export
from audit.services.reconciling import reconcile_unfinished
from audit.services.recording import Fact, denied, record, record_many
from audit.services.searches import may_remove, remove_search, save_search
from audit.services.sending import send_exports
from audit.services.shards import create_shards
from audit.services.sinks import CreatedSink, change_sink, create_sink, remove_sink

__all__ = [
    "CreatedSink",
    "Export",
    "Fact",
    "begin_export",
    "change_sink",
    "create_shards",
    "create_sink",
    "denied",
    "has_sequencer",
    "may_remove",
    "place_records",
    "reconcile_unfinished",
    "record",
    "record_many",
    "remove_search",
    "remove_sink",
    "save_search",
    "send_exports",
]
