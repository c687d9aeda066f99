"""OCSF events: what the schema asks for is there, and whoever has the events can recompute their chain."""

import hashlib
import json
from typing import Any

import pytest
import rfc8785

from audit.events import Event, RecordType
from audit.formats.ocsf import Chain, attested, event, written
from audit.formats.placed import Placed
from tests.audit.placing import INSTALLATION, a_call, a_placed, everyday, hostile_calls
from tests.audit.test_formats import compare

EMPTY = Chain("sink-1", INSTALLATION)
# The attributes that classes 6003 and 2004 of OCSF 1.9.0 have, as far as we set them, and those that they ask for.
COMMON = {
    "activity_id", "activity_name", "category_name", "category_uid", "class_name", "class_uid", "message", "metadata",
    "raw_data", "raw_data_hash", "raw_data_size", "severity", "severity_id", "status", "status_id", "time", "type_name",
    "type_uid", "unmapped", "resources", "attestation_list", "action", "action_id", "disposition", "disposition_id",
    "authorizations", "trace", "ai_agent", "message_context",
}  # fmt: skip
ASKED = {"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata"}
OWN = {
    6003: {"actor", "api", "src_endpoint", "status_code", "status_detail", "duration"},
    2004: {"finding_info", "is_alert", "evidences"},
}
OWN_ASKED = {6003: {"actor", "api", "src_endpoint"}, 2004: {"finding_info"}}


def in_chain(records: list[Placed], chain: Chain = EMPTY) -> tuple[list[dict[str, Any]], Chain]:
    events = []
    for record in records:
        made, chain = attested(record, chain)
        events.append(made)
    return events, chain


def recomputed(event: dict[str, Any]) -> str:
    """The fingerprint, as the schema's text has it: over the canonical event without the fingerprint itself."""
    (attestation,) = event["attestation_list"]
    bare = {key: value for key, value in attestation.items() if key not in ("fingerprint", "signatures")}
    return hashlib.sha256(rfc8785.dumps(event | {"attestation_list": [bare]})).hexdigest()


@pytest.mark.parametrize("record", [*everyday(), *hostile_calls()], ids=lambda record: record.text("id"))
def test_an_event_has_what_its_class_asks_for_and_nothing_that_it_has_not(record: Placed) -> None:
    made, _ = attested(record, EMPTY)
    kind = made["class_uid"]
    assert ASKED | OWN_ASKED[kind] <= set(made) <= COMMON | OWN[kind]
    assert made["type_uid"] == kind * 100 + made["activity_id"]
    assert made["metadata"]["version"] == "1.9.0"
    assert {"version", "product"} <= set(made["metadata"])
    assert "record_integrity" in made["metadata"]["profiles"]
    for profile, attribute in (("trace", "trace"), ("ai_operation", "ai_agent"), ("security_control", "action_id")):
        assert (profile in made["metadata"]["profiles"]) == (attribute in made)
    back = json.loads(written(made))
    assert back == made
    assert back["raw_data"].encode() == record.body
    assert hashlib.sha256(b"\0" + back["raw_data"].encode()).hexdigest() == back["unmapped"]["leaf"]
    assert b"\n" not in written(made)


def test_the_chain_recomputes_and_a_changed_or_missing_event_breaks_it() -> None:
    events, _ = in_chain(everyday())
    before = None
    for made in events:
        (attestation,) = made["attestation_list"]
        assert attestation["fingerprint"]["value"] == recomputed(made)
        assert attestation["fingerprint"]["algorithm_id"] == 3
        assert attestation.get("prev_event") == before
        before = {
            "uid": made["metadata"]["uid"],
            "type_uid": made["type_uid"],
            "fingerprint": attestation["fingerprint"],
        }
    events[1]["message"] = "nothing happened"
    assert recomputed(events[1]) != events[1]["attestation_list"][0]["fingerprint"]["value"]


def test_going_on_from_what_was_kept_makes_the_same_bytes() -> None:
    whole, _ = in_chain(everyday())
    first, kept = in_chain(everyday()[:2])
    assert kept.last is not None
    again, _ = in_chain(everyday()[2:], Chain("sink-1", INSTALLATION, json.loads(json.dumps(dict(kept.last)))))
    assert [written(made) for made in whole] == [written(made) for made in first + again]


@pytest.mark.parametrize(
    ("said", "activity", "status"),
    [
        ({}, (99, "Invoke"), 0),
        ({"type": RecordType.OUTCOME, "event": Event.CALL_COMPLETED, "status": "ok"}, (99, "Invoke"), 1),
        ({"type": RecordType.OUTCOME, "event": Event.CALL_COMPLETED, "status": "error"}, (99, "Invoke"), 2),
        ({"type": RecordType.DENY, "event": Event.CALL_DENIED, "decision": "denied"}, (99, "Invoke"), 2),
        ({"method": "resources/read"}, (2, "Read"), 0),
    ],
)
def test_a_call_says_what_was_done_and_how_it_ended(
    said: dict[str, Any], activity: tuple[int, str], status: int
) -> None:
    made = event(a_call(**said), installation=INSTALLATION)
    assert (made["activity_id"], made["activity_name"]) == activity
    assert made["status_id"] == status


@pytest.mark.parametrize(
    ("what", "activity"),
    [
        (Event.TEAM_CREATED, (1, "Create")),
        (Event.PAYLOAD_READ, (2, "Read")),
        (Event.TEAM_CHANGED, (3, "Update")),
        (Event.GRANT_REVOKED, (4, "Delete")),
        (Event.PERSON_SIGNED_IN, (99, "person.signed_in")),
    ],
)
def test_what_people_do_is_one_of_four_activities_or_named(what: Event, activity: tuple[int, str]) -> None:
    made = event(a_placed(event=what), installation=INSTALLATION)
    assert (made["activity_id"], made["activity_name"]) == activity
    assert made["src_endpoint"] == {"name": "holdfast"}


def test_what_asks_for_a_person_is_a_finding_with_its_evidence() -> None:
    made = event(everyday()[4], installation=INSTALLATION)
    assert made["class_uid"] == 2004
    assert made["is_alert"] is True
    assert made["finding_info"]["title"] == "A definition drifted"
    assert made["evidences"][0]["resources"][0]["uid"] == "files/read"


@pytest.mark.parametrize(
    ("said", "resource"),
    [
        ({"subject": "person:ada"}, {"name": "ada", "type": "person", "uid": "person:ada"}),
        ({"server": "files"}, {"name": "files", "type": "server", "uid": "server:files"}),
        ({"tool": "read"}, {"name": "read", "type": "tool", "uid": "read"}),
    ],
)
def test_what_it_is_about_is_a_resource(said: dict[str, Any], resource: dict[str, str]) -> None:
    assert event(a_placed(**said), installation=INSTALLATION)["resources"] == [resource]


def test_what_is_about_nothing_has_no_resource() -> None:
    assert "resources" not in event(a_placed(), installation=INSTALLATION)


def test_golden_file() -> None:
    events, _ = in_chain(everyday())
    compare("records.ocsf.jsonl", b"".join(written(made) + b"\n" for made in events))
