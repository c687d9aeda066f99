"""Commands of the audit log."""

from audit.placement import place_records
from audit.services.recording import Fact, denied, record, record_many
from audit.services.shards import create_shards

__all__ = ["Fact", "create_shards", "denied", "place_records", "record", "record_many"]
