"""Commands of the audit log."""

from audit.placement import place_records
from audit.services.exporting import Export, begin_export
from audit.services.recording import Fact, denied, record, record_many
from audit.services.shards import create_shards

__all__ = ["Export", "Fact", "begin_export", "create_shards", "denied", "place_records", "record", "record_many"]
