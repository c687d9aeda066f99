"""CSV (RFC 4180) for spreadsheets and for people. It proves nothing: the bytes that count are in JSONL. Pure module."""

import json
from typing import Any, Final

from audit.formats.placed import Placed
from core.spreadsheet import guarded, line

_PLACE: Final = ("index", "leaf", "shard", "writer", "seq")
# Written out, and only ever added to at the end: what reads these files goes by name or by number.
_SAID: Final = (
    "id", "time", "type", "event", "call_id", "parent_call_id", "batch_id", "principal", "actor", "agent", "token_id",
    "server", "method", "kind", "tool", "tool_hash", "subject", "owner_team", "environment", "decision", "reason",
    "rule_ids", "policy_digest", "scopes_used", "upstream_credential", "args_commit", "result_commit", "intention",
    "status", "error_class", "latency_ms", "bytes", "client_ip", "trace_id", "before", "after",
)  # fmt: skip
COLUMNS: Final = (*_PLACE, *_SAID)


def header() -> bytes:
    """The first line."""
    return line(list(COLUMNS))


def row(record: Placed) -> bytes:
    """One record as a line; texts within may hold line breaks, which stand in quotes."""
    place = (record.index, record.leaf, record.shard, record.writer, record.seq)
    return line([_cell(value) for value in (*place, *(record.said.get(name) for name in _SAID))])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) and item and " " not in item for item in value):
        return guarded(" ".join(value))
    if isinstance(value, list | dict):
        return guarded(json.dumps(value, ensure_ascii=False, sort_keys=True))
    return guarded(str(value))
