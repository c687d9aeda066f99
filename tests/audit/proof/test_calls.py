import json
from typing import Any

import pytest

from audit.proof.calls import Calls, facts
from audit.proof.findings import Entry, Kind, Report
from tests.audit.made_log import WRITERS, MadeLog, a_log

CALL = "0192aaaa-0000-7000-8000-000000000001"


def notices(entries: list[Entry]) -> list[tuple[Kind, int | None, str]]:
    calls, report = Calls(), Report()
    for entry in entries:
        calls.read(entry, entry[8] or b"")
    calls.close(report)
    return [(notice.kind, notice.index, notice.found) for notice in report.notices]


def half(log: MadeLog, kind: str, writer: Any = WRITERS[0], **said: Any) -> None:
    log.by_gateway(writer, type=kind, event="call.intended", call_id=CALL, **said)


def test_calls_that_began_and_ended_are_not_told() -> None:
    assert notices(a_log().entries) == []


@pytest.mark.parametrize("said", [{}, {"intention": "{"}, {"after": {"call_id": "another", "type": "outcome"}}])
def test_a_call_without_an_end_is_told(said: dict[str, Any]) -> None:
    log = a_log()
    half(log, "intent", **said)

    assert notices(log.entries) == [(Kind.INTENT, 11, CALL)]


def test_a_second_end_is_told_and_one_of_no_call() -> None:
    log = MadeLog()
    for kind in ("intent", "outcome", "outcome"):
        half(log, kind)

    assert notices(log.entries) == [(Kind.OUTCOME, 2, CALL)]
    assert notices(log.entries[1:2]) == [(Kind.OUTCOME, 1, CALL)]


def test_an_end_that_was_placed_before_its_beginning_is_its_end() -> None:
    log = MadeLog()
    half(log, "outcome", WRITERS[1])
    half(log, "intent", WRITERS[0])

    assert notices(log.entries) == []


def test_what_the_gateway_answered_by_itself_has_one_record_and_is_not_told() -> None:
    log = MadeLog()
    log.by_gateway(WRITERS[0], type="outcome", event="request.answered", call_id=CALL)

    assert notices(log.entries) == []


def test_what_only_looks_like_a_call_is_none() -> None:
    log = MadeLog()
    log.by_control_plane(type="admin", event="team.created", after={"type": "intent", "call_id": CALL})
    log.by_control_plane(type="outcome", event="request.answered")
    log.by_control_plane(type="admin", event="team.created", reason=f'"type":"intent","call_id":"{CALL}"')

    assert notices(log.entries) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_body_says_nothing(body: bytes) -> None:
    assert facts(body) == {}


def test_a_body_says_its_members() -> None:
    assert facts(json.dumps({"event": "log.chained"}).encode()) == {"event": "log.chained"}
