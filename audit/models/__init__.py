"""Tables of the audit log."""

from audit.models.records import Leaf, Pending, Record, Writer
from audit.models.searches import SavedSearch
from audit.models.subjects import Subject

__all__ = ["Leaf", "Pending", "Record", "SavedSearch", "Subject", "Writer"]
