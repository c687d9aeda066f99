"""Tables of the audit log."""

from audit.models.records import Leaf, Pending, Record, Writer
from audit.models.sinks import ExportCursor, Sink
from audit.models.subjects import Subject

__all__ = ["ExportCursor", "Leaf", "Pending", "Record", "Sink", "Subject", "Writer"]
