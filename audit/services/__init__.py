"""Commands of the audit log."""

from audit.placement import has_sequencer, place_records
from audit.services.exporting import Export, begin_export
from audit.services.payloads import CallPayload, PartShown, read_payload
from audit.services.pruning import confirm_pruning, request_pruning
from audit.services.reconciling import reconcile_unfinished
from audit.services.recording import Fact, denied, noting, record, record_many
from audit.services.removing import confirm_erasure, expire_payloads, request_erasure
from audit.services.searches import may_remove, remove_search, save_search
from audit.services.shards import create_shards
from audit.services.verifying import verify_log

__all__ = [
    "CallPayload",
    "Export",
    "Fact",
    "PartShown",
    "begin_export",
    "confirm_erasure",
    "confirm_pruning",
    "create_shards",
    "denied",
    "expire_payloads",
    "has_sequencer",
    "may_remove",
    "noting",
    "place_records",
    "read_payload",
    "reconcile_unfinished",
    "record",
    "record_many",
    "remove_search",
    "request_erasure",
    "request_pruning",
    "save_search",
    "verify_log",
]
