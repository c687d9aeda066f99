"""The detection rules: each fires on its own sample and on nothing that happens every day."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.events import Event, RecordType
from audit.formats import jsonl
from audit.formats.placed import Placed
from tests.audit.placing import TIME, a_call, a_placed
from tests.audit.sigma import fires
from tests.databases import ROOT

FOLDER = ROOT / "docs" / "detections"
RULES = sorted(FOLDER.glob("*.yml"))
NOON, NIGHT = TIME.replace(hour=12), TIME.replace(hour=23)
TOOL: dict[str, Any] = {"server": "files", "tool": "read", "kind": "tool", "subject": "tool:files/read"}
VERDICT = {"review": "0190", "verdict": "approve", "state": "approved", "approvals": 1, "needed": 1}


def drifted(index: int, **said: Any) -> Placed:
    return a_placed(index, type=RecordType.CONFIG, event=Event.TOOL_DRIFTED, **(TOOL | {"time": NOON} | said))


def decided(index: int, **said: Any) -> Placed:
    facts = TOOL | {"before": {"state": "waiting"}, "after": VERDICT, "principal": "pseudonym-of-rita", "time": NIGHT}
    return a_placed(index, type=RecordType.REVIEW, event=Event.REVIEW_DECIDED, **(facts | said))


def denied(index: int, seconds: int, agent: str = "robot") -> Placed:
    time = NOON + timedelta(seconds=seconds)
    return a_call(index, type=RecordType.DENY, event=Event.CALL_DENIED, decision="denied", status="denied",
                  reason="no_grant", agent=agent, time=time)  # fmt: skip


def read(index: int, minutes: int, actor: str = "pseudonym-of-ida") -> Placed:
    time = NOON + timedelta(minutes=minutes)
    return a_placed(index, event=Event.PAYLOAD_READ, subject="call:0190", actor=actor, principal=actor, time=time)


def given(index: int, role: str) -> Placed:
    after = {"grant": "0190", "role": role, "holder": "person:0190", "environment": ""}
    return a_placed(index, event=Event.GRANT_GIVEN, subject="person:0190", actor="pseudonym-of-ada", after=after)


def glass(index: int) -> Placed:
    after = {"glass": "0190", "review": "0190", "until": "2026-11-29T01:30:00+00:00", "told": 3}
    return a_placed(
        index, type=RecordType.REVIEW, event=Event.GLASS_BROKEN, reason="Payments are down.", after=after, **TOOL
    )


def refused(index: int) -> Placed:
    after = {"origin": "acme/audit/1", "code": "smaller"}
    reason = "the log has 40 records, and the last checkpoint 50"
    return a_placed(index, type=RecordType.CHECKPOINT, event=Event.CHECKPOINT_REFUSED, reason=reason, after=after)


def unknown(index: int) -> Placed:
    return a_placed(
        index, type=RecordType.OUTCOME, event=Event.CALL_UNKNOWN, status="unknown", decision="allowed", **TOOL
    )


def interrupted(index: int) -> Placed:
    after = {"from": "2026-11-28T23:29:00+00:00", "until": "2026-11-28T23:30:00+00:00", "refused": 12}
    return a_placed(index, event=Event.AUDIT_INTERRUPTED, principal="system:gateway", after=after)


SAMPLES: dict[str, Callable[[], list[Placed]]] = {
    "auditor_or_administrator_made": lambda: [given(0, "auditor"), given(1, "administrator")],
    "call_without_outcome": lambda: [unknown(0)],
    "checkpoint_mismatch": lambda: [refused(0)],
    "denied_call_burst": lambda: [denied(index, index * 10) for index in range(20)],
    "drift_approved_at_night": lambda: [drifted(0), decided(1)],
    "glass_broken": lambda: [glass(0)],
    "payload_readings": lambda: [read(index, index * 2) for index in range(20)],
    "records_refused": lambda: [interrupted(0)],
}


def everyday() -> list[Placed]:
    """What happens on a good day, and nearly what the rules look for."""
    return [
        a_call(0),
        a_call(1, type=RecordType.OUTCOME, event=Event.CALL_COMPLETED, status="ok"),
        given(2, "reader"),
        drifted(3, tool="write", subject="tool:files/write"),
        decided(4, time=NOON + timedelta(hours=1), tool="write", subject="tool:files/write"),
        decided(5, tool="list", subject="tool:files/list"),  # at night, but nothing had drifted
        drifted(6),
        decided(7, after={**VERDICT, "verdict": "reject", "state": "rejected"}),
        *(denied(10 + index, index * 10) for index in range(19)),
        *(denied(40 + index, index * 10, agent=f"robot-{index}") for index in range(20)),
        *(denied(70 + index, 3600 + index * 20) for index in range(19)),
        *(read(100 + index, index * 5) for index in range(19)),
    ]


def bodies(lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(line)["body"] for line in lines.splitlines()]


@pytest.fixture(scope="module", autouse=True)
def _written_anew() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        for name, records in {**{name: make() for name, make in SAMPLES.items()}, "everyday": everyday()}.items():
            (FOLDER / "samples" / f"{name}.jsonl").write_bytes(b"".join(jsonl.line(record) for record in records))


def test_there_is_a_rule_for_each_of_the_eight_situations() -> None:
    assert [path.stem for path in RULES] == sorted(SAMPLES)
    ids = [each["id"] for path in RULES for each in yaml.safe_load_all(path.read_text())]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", [*SAMPLES, "everyday"])
def test_samples_are_what_an_export_writes(name: str) -> None:
    records = everyday() if name == "everyday" else SAMPLES[name]()
    stored = (FOLDER / "samples" / f"{name}.jsonl").read_bytes()
    assert stored == b"".join(jsonl.line(record) for record in records)


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
@pytest.mark.parametrize("sample", [*SAMPLES, "everyday"])
def test_a_rule_fires_on_its_own_sample_and_on_no_other(rule: Path, sample: str) -> None:
    records = bodies((FOLDER / "samples" / f"{sample}.jsonl").read_bytes())
    assert fires(rule, records) == (rule.stem == sample)
