"""Commands of the audit log."""

from audit.placement import has_sequencer, place_records
from audit.services.asking import request_verification, verification_asked
from audit.services.exporting import Export, begin_export
from audit.services.payloads import CallPayload, PartShown, read_payload
from audit.services.proving import Signed, newest_signed
from audit.services.pruning import confirm_pruning, request_pruning
from audit.services.reconciling import reconcile_unfinished
from audit.services.recording import Fact, denied, noting, record, record_many
from audit.services.removing import confirm_erasure, expire_payloads, request_erasure
from audit.services.searches import drop_search, keep_search, may_remove, remove_search, save_search, shown_searches
from audit.services.sending import send_exports
from audit.services.shards import create_shards
from audit.services.singling import RecordProof, begin_proof
from audit.services.sinks import CreatedSink, change_sink, create_sink, remove_sink
from audit.services.verifying import verify_log

__all__ = [
    "CallPayload",
    "CreatedSink",
    "Export",
    "Fact",
    "PartShown",
    "RecordProof",
    "Signed",
    "begin_export",
    "begin_proof",
    "change_sink",
    "confirm_erasure",
    "confirm_pruning",
    "create_shards",
    "create_sink",
    "denied",
    "drop_search",
    "expire_payloads",
    "has_sequencer",
    "keep_search",
    "may_remove",
    "newest_signed",
    "noting",
    "place_records",
    "read_payload",
    "reconcile_unfinished",
    "record",
    "record_many",
    "remove_search",
    "remove_sink",
    "request_erasure",
    "request_pruning",
    "request_verification",
    "save_search",
    "send_exports",
    "shown_searches",
    "verification_asked",
    "verify_log",
]
