"""Tables of the audit log."""

from audit.models.payloads import Removal, RemovalConfirmation, StoredPayload
from audit.models.records import Leaf, Pending, Record, Writer
from audit.models.subjects import Subject

__all__ = ["Leaf", "Pending", "Record", "Removal", "RemovalConfirmation", "StoredPayload", "Subject", "Writer"]
