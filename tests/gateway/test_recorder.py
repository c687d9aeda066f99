"""What a call's records say, and that none of them says what another call's pattern said."""

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from audit.events import Event, RecordType
from audit.sealing import Sealer
from core.ids import new_id
from gateway.capture import Captures
from gateway.recorder import Outcome, Recorded
from tests.audit.calls import EVERYTHING
from tests.gateway.admitting import NOW, Kept, recorder

CALL = Recorded(
    call_id=new_id(), principal="agent:a", agent="a", token_id="t", server="files", environment="prod", owner_team="red",
    method="tools/call", kind="tool", tool="read", tool_hash="ab", rule_ids=("r",), scopes_used=("s",),
    client_ip="10.0.0.1", trace_id="0a" * 16, intention="why", policy_digest="cd",
)  # fmt: skip
OTHERS: dict[str, Any] = {
    **{name: "other" for name, value in asdict(CALL).items() if type(value) is str},
    **dict.fromkeys(("rule_ids", "scopes_used", "scopes_needed"), ("other",)),
    **dict.fromkeys(("call_id", "parent_call_id"), new_id()),
}


@pytest.mark.parametrize("field", Recorded.__struct_fields__)
async def test_a_record_says_what_its_call_says_whatever_the_one_before_said(field: str) -> None:
    kept, other = Kept(), replace(CALL, **{field: OTHERS[field]})
    shared = recorder(kept)
    for call in (CALL, other, CALL):
        await shared.intended(call)
        await shared.completed(call, Outcome("ok", "", 3, 12))
    alone = Kept()
    await recorder(alone).intended(other)
    await recorder(alone).completed(other, Outcome("ok", "", 3, 12))
    assert [said(draft) for draft in kept.drafts[2:4]] == [said(draft) for draft in alone.drafts]
    assert said(kept.drafts[2]) != said(kept.drafts[0])
    assert [said(draft) for draft in kept.drafts[4:]] == [said(draft) for draft in kept.drafts[:2]]


async def test_how_a_call_ended_stands_in_its_outcome_alone() -> None:
    kept = Kept()
    shared = recorder(kept)
    for outcome in (Outcome("ok", "", 3, 12), Outcome("error", "http 500", 4, 0), Outcome("ok", "", 5, 13)):
        await shared.intended(CALL)
        await shared.completed(CALL, outcome)
    intents, outcomes = kept.drafts[::2], kept.drafts[1::2]
    assert {(made.type, made.event, made.status, made.latency_ms, made.intention) for made in intents} == {
        (RecordType.INTENT, Event.CALL_INTENDED, "", None, "why")
    }
    assert {(made.type, made.event, made.intention) for made in outcomes} == {
        (RecordType.OUTCOME, Event.CALL_COMPLETED, "")
    }
    assert [(made.status, made.error_class, made.latency_ms, made.bytes) for made in outcomes] == [
        ("ok", "", 3, 12),
        ("error", "http 500", 4, 0),
        ("ok", "", 5, 13),
    ]


@pytest.mark.parametrize("size", [10, 100_000])
async def test_what_is_captured_goes_with_the_record_that_it_is_about(size: int) -> None:
    sealer, kept = Sealer([bytes(32)], "here"), Kept()
    shared, params, released = recorder(kept), {"name": "read", "arguments": {"x": "y" * size}}, b'"%b"' % (b"z" * size)
    captured = Captures(sealer, days=30).begin(EVERYTHING, "read", params)
    await shared.intended(CALL, captured=captured)
    await shared.completed(CALL, Outcome("ok"), captured=captured, released=released)
    asked, told = kept.payloads
    keys = sealer.find(asked.key_id, asked.secret, CALL.call_id, kept.drafts[0].id)
    assert [(made.args_commit is None, made.result_commit is None) for made in kept.drafts] == [
        (False, True),
        (True, False),
    ]
    assert kept.drafts[1].result_commit == keys.commit("result", released)
    assert [(row.part, row.record_id, row.call_id) for row in (asked, told)] == [
        ("arguments", kept.drafts[0].id, CALL.call_id),
        ("result", kept.drafts[1].id, CALL.call_id),
    ]


async def test_an_answer_that_is_not_released_is_not_captured() -> None:
    kept = Kept()
    shared = recorder(kept)
    captured = Captures(Sealer([bytes(32)], "here"), days=30).begin(EVERYTHING, "read", {"name": "read"})
    await shared.intended(CALL, captured=captured)
    await shared.completed(CALL, Outcome("failed"), captured=captured)
    assert kept.drafts[1].result_commit is None
    assert len(kept.payloads) == 1


def said(draft: Any) -> dict[str, Any]:
    assert draft.time == NOW
    return {name: value for name, value in asdict(draft).items() if name != "id"}
