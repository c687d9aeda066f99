"""Commands of the audit log."""

from audit.placement import place_records
from audit.services.exporting import Export, begin_export
from audit.services.recording import Fact, denied, record, record_many
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
    "place_records",
    "record",
    "record_many",
    "remove_sink",
    "send_exports",
]
