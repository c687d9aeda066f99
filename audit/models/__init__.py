"""Tables of the audit log."""

from audit.models.boots import Boot
from audit.models.checkpoints import Checkpoint, ClosedWriter, Epoch
from audit.models.payloads import Removal, RemovalConfirmation, Retention, StoredPayload
from audit.models.records import Leaf, Pending, Record, Writer
from audit.models.searches import Listed, SavedSearch
from audit.models.sinks import ExportCursor, Sink
from audit.models.subjects import Subject
from audit.models.verifications import Verification

__all__ = [
    "Boot",
    "Checkpoint",
    "ClosedWriter",
    "Epoch",
    "ExportCursor",
    "Leaf",
    "Listed",
    "Pending",
    "Record",
    "Removal",
    "RemovalConfirmation",
    "Retention",
    "SavedSearch",
    "Sink",
    "StoredPayload",
    "Subject",
    "Verification",
    "Writer",
]
