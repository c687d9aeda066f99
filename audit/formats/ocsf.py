"""OCSF 1.9.0: a record as API Activity (6003) or Detection Finding (2004), chained by attestations. Pure module.

1.9.0 is the first version with the profile `record_integrity`. Its fingerprint is over the OCSF event itself, so the
log's leaf hash may not stand there: the record travels whole in `raw_data`, from which the leaf hash follows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from audit.formats import PRODUCT, PRODUCT_VERSION
from audit.formats.placed import Placed
from audit.formats.severity import FINDINGS, finding, severity

VERSION: Final = "1.9.0"
MAPPING: Final = "1"
API_ACTIVITY: Final = 6003
DETECTION_FINDING: Final = 2004
_SEVERITIES: Final = {"info": (1, "Informational"), "warning": (3, "Medium"), "alert": (4, "High")}
_STATUSES: Final = {0: "Unknown", 1: "Success", 2: "Failure"}
_ACTIVITIES: Final = {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}
_CREATING: Final = ("created", "given", "registered", "added", "opened", "issued", "made", "set", "saved", "written")
_READING: Final = ("read", "exported", "answered")
_UPDATING: Final = ("changed", "edited", "enabled", "disabled", "decided", "confirmed", "rotated", "marked_sensitive")
_DELETING: Final = ("removed", "revoked", "deleted", "erased", "retired", "pruned", "lifted", "ended")
_SHA256: Final = {"algorithm": "SHA-256", "algorithm_id": 3, "encoding": "Hex", "encoding_id": 1}


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain of attested events stands. `uid` names it, and `authority` who makes it.

    `last` is the last event: its `uid`, `type_uid` and `fingerprint` (hexadecimal); None before the first.
    """

    uid: str
    authority: str
    last: Mapping[str, Any] | None = None


def attested(record: Placed, chain: Chain) -> tuple[dict[str, Any], Chain]:
    """The record's event, attested as the chain's next, and the chain with it. The same input gives the same bytes."""
    made = event(record, installation=chain.authority)
    attestation: dict[str, Any] = {
        "uid": made["metadata"]["uid"],
        "authority_uid": chain.authority,
        "chain_uid": chain.uid,
    }
    if chain.last is not None:
        before = {"uid": chain.last["uid"], "type_uid": chain.last["type_uid"]}
        attestation["prev_event"] = before | {"fingerprint": _fingerprint(chain.last["fingerprint"])}
    made["attestation_list"] = [attestation]
    # What is hashed is the whole event with everything of the attestation but this.
    value = hashlib.sha256(rfc8785.dumps(made)).hexdigest()
    attestation["fingerprint"] = _fingerprint(value)
    last = {"uid": attestation["uid"], "type_uid": made["type_uid"], "fingerprint": value}
    return made, Chain(chain.uid, chain.authority, last)


def written(event: Mapping[str, Any]) -> bytes:
    """An event as one line of canonical JSON, without the line's end."""
    return rfc8785.dumps(dict(event))


def event(record: Placed, *, installation: str) -> dict[str, Any]:
    """The record's event, without its attestation."""
    made = _finding(record) if finding(record) is not None else _activity(record)
    number, name = _SEVERITIES[severity(record)]
    common: dict[str, Any] = {
        "severity_id": number,
        "severity": name,
        "time": record.time_ns // 1_000_000,
        "message": record.text("reason") or record.text("event"),
        "metadata": _metadata(record, installation),
        "raw_data": record.body.decode(),
        "raw_data_hash": {**_SHA256, "value": hashlib.sha256(record.body).hexdigest()},
        "raw_data_size": len(record.body),
        "resources": _resources(record),
        "unmapped": _place(record),
    }
    return made | {key: value for key, value in common.items() if value} | _profiles(record)


def _activity(record: Placed) -> dict[str, Any]:
    number, name = _activity_of(record)
    status = _status(record)
    made: dict[str, Any] = {
        **_class(6, "Application Activity", API_ACTIVITY, "API Activity", number, name),
        "actor": _actor(record),
        "api": _api(record),
        "src_endpoint": _source(record),
        "status_id": status,
        "status": _STATUSES[status],
        "status_code": record.text("status"),
        "status_detail": record.text("error_class") or record.text("reason"),
        "duration": record.said.get("latency_ms"),
    }
    return {key: value for key, value in made.items() if value is not None and value != ""}


def _finding(record: Placed) -> dict[str, Any]:
    what = finding(record)
    assert what is not None  # noqa: S101 -- the caller asked
    title, text = FINDINGS[what]
    evidence = {"actor": _actor(record), "api": _api(record), "src_endpoint": _source(record)}
    resources = _resources(record)
    return {
        **_class(2, "Findings", DETECTION_FINDING, "Detection Finding", 1, "Create"),
        "finding_info": {
            "uid": record.text("id"),
            "title": title,
            "desc": text,
            "analytic": {"name": what.value, "uid": what.value, "type": "Rule", "type_id": 1},
            "created_time": record.time_ns // 1_000_000,
        },
        "is_alert": True,
        "status_id": 1,
        "status": "New",
        "evidences": [evidence | ({"resources": resources} if resources else {})],
    }


def _class(category: int, in_category: str, number: int, name: str, activity: int, named: str) -> dict[str, Any]:
    return {
        "category_uid": category,
        "category_name": in_category,
        "class_uid": number,
        "class_name": name,
        "activity_id": activity,
        "activity_name": named,
        "type_uid": number * 100 + activity,
        "type_name": f"{name}: {named}",
    }


def _activity_of(record: Placed) -> tuple[int, str]:
    if record.text("method") == "tools/call":
        return 99, "Invoke"
    word = record.text("method").rpartition("/")[2] or record.text("event").rpartition(".")[2]
    words = ((1, _CREATING), (2, (*_READING, "list", "get")), (3, _UPDATING), (4, _DELETING))
    number = next((number for number, among in words if word in among), 99)
    return number, _ACTIVITIES.get(number, record.text("event"))


_FAILED: Final = frozenset({"error", "failed", "invalid", "cancelled", "tool_error", "withheld"})


def _status(record: Placed) -> int:
    status = record.text("status")
    if record.text("decision") == "denied" or status in _FAILED:
        return 2
    return 0 if record.text("type") == "intent" or status == "unknown" else 1


def _metadata(record: Placed, installation: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "version": VERSION,
        "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": PRODUCT_VERSION},
        "uid": record.text("id"),
        "correlation_uid": record.text("call_id"),
        "sequence": record.index,
        "tenant_uid": installation,
        "event_code": record.text("event"),
        "log_name": "holdfast.audit",
        "log_version": MAPPING,
        "original_time": record.text("time"),
        "profiles": _profile_names(record),
    }
    return {key: value for key, value in made.items() if value != ""}


def _profile_names(record: Placed) -> list[str]:
    named = {"decision": "security_control", "trace_id": "trace", "agent": "ai_operation"}
    return ["record_integrity", *(profile for field, profile in named.items() if record.text(field))]


def _profiles(record: Placed) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if decision := record.text("decision"):
        denied = decision == "denied"
        made |= {"action_id": 2 if denied else 1, "action": "Denied" if denied else "Allowed"}
        made |= {"disposition_id": 2 if denied else 1, "disposition": "Blocked" if denied else "Allowed"}
        rules = record.said.get("rule_ids", [])
        made["authorizations"] = [{"decision": decision, "policy": {"uid": str(rule)}} for rule in rules]
        made["authorizations"] = made["authorizations"] or [{"decision": decision}]
    if trace := record.text("trace_id"):
        made["trace"] = {"uid": trace}
    if agent := record.text("agent"):
        made["ai_agent"] = {"uid": agent, "name": agent}
        made["message_context"] = {"ai_role_id": 4, "ai_role": "Agent", "service": _service(record)}
    return made


def _actor(record: Placed) -> dict[str, Any]:
    who = record.text("actor") or record.text("principal")
    return {"user": {"uid": who}} | ({"app_uid": record.text("agent")} if record.text("agent") else {})


def _api(record: Placed) -> dict[str, Any]:
    operation = record.text("method") or record.text("event")
    request = record.text("call_id") or record.text("id")
    return {"operation": operation, "request": {"uid": request}, "service": _service(record)}


def _service(record: Placed) -> dict[str, Any]:
    return {"name": record.text("server") or "holdfast"}


def _source(record: Placed) -> dict[str, Any]:
    address = record.text("client_ip")
    return {"ip": address} if address else {"name": "holdfast"}


def _resources(record: Placed) -> list[dict[str, Any]]:
    server, tool, subject = record.text("server"), record.text("tool"), record.text("subject")
    if tool:
        made = {
            "name": tool,
            "type": record.text("kind") or "tool",
            "uid": f"{server}/{tool}" if server else tool,
            "version": record.text("tool_hash"),
        }
    elif subject:
        kind, _, name = subject.partition(":")
        made = {"name": name or subject, "type": kind, "uid": subject}
    elif server:
        made = {"name": server, "type": "server", "uid": f"server:{server}"}
    else:
        return []
    return [{key: value for key, value in made.items() if value}]


def _place(record: Placed) -> dict[str, Any]:
    """What ties the event to the log, beside the bytes in `raw_data`."""
    made = {
        "leaf": record.leaf,
        "shard": record.shard,
        "writer": None if record.writer is None else str(record.writer),
        "seq": record.seq,
        "chain": None if record.chain is None else record.chain.hex(),
        "mac": None if record.mac is None else record.mac.hex(),
    }
    return {key: value for key, value in made.items() if value is not None}


def _fingerprint(value: str) -> dict[str, Any]:
    return {**_SHA256, "serialization": "JCS", "serialization_id": 2, "value": value}
