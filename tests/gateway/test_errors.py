"""Refusals and their answers."""

import pytest

from access.policy import Reason
from gateway import errors
from gateway.errors import Refused, http_status, refuse, unknown_prompt, unknown_resource, unknown_tool, word


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_policy_has_an_answer_with_code_reason_and_request_id(reason: Reason) -> None:
    refused = refuse(reason)
    payload = refused.payload("r-1")
    assert payload["message"]
    assert payload["data"]["reason"] == reason
    assert payload["data"]["request_id"] == "r-1"
    assert payload["data"]["code"] == word(refused.code) != "error"
    own = -32019 <= refused.code <= -32000
    assert own or refused.code in (-32600, -32601, -32602)
    assert not -32002 <= refused.code <= -32000


def test_own_codes_stay_in_their_band_and_differ() -> None:
    names = ["DENIED", "WITHHELD", "SERVER_UNAVAILABLE", "POLICY_STALE", "AUDIT_UNAVAILABLE", "UPSTREAM_FAILED",
             "NOT_CARRIED", "SHUTTING_DOWN", "SERVER_BUSY"]  # fmt: skip
    codes = [getattr(errors, name) for name in names]
    assert len(set(codes)) == len(codes)
    assert all(-32019 <= code <= -32003 for code in codes)


@pytest.mark.parametrize(
    ("refused", "handshake", "modern"),
    [
        (refuse(Reason.METHOD_NOT_SUPPORTED), 200, 404),
        (unknown_tool("x", recorded_as=Reason.NOT_GRANTED), 200, 400),
        (refuse(Reason.DEFINITION_QUARANTINED), 200, 200),
        (refuse(Reason.INSUFFICIENT_SCOPE), 403, 403),
        (refuse(Reason.POLICY_STALE), 503, 503),
        (refuse(Reason.SERVER_BUSY), 503, 503),
    ],
)
def test_the_status_follows_the_era(refused: Refused, handshake: int, modern: int) -> None:
    assert http_status(refused, modern=False) == handshake
    assert http_status(refused, modern=True) == modern


@pytest.mark.parametrize("reason", [Reason.UNKNOWN_DEFINITION, Reason.NOT_GRANTED, Reason.SCHEME_NOT_ALLOWED])
@pytest.mark.parametrize(("modern", "code", "status"), [(False, -32002, 200), (True, -32602, 400)])
def test_a_resource_that_is_not_there_is_answered_as_the_era_says(
    reason: Reason,
    modern: bool,  # noqa: FBT001 -- a column
    code: int,
    status: int,
) -> None:
    refused = unknown_resource("file:///" + "a" * 5000, modern=modern, recorded_as=reason)
    payload = refused.payload("r-1")
    assert (payload["code"], http_status(refused, modern=modern)) == (code, status)
    assert (payload["message"], payload["data"]["reason"]) == ("Resource not found", "unknown_definition")
    assert payload["data"]["uri"].startswith("file:///a")
    assert len(payload["data"]["uri"]) == 200
    assert payload["data"]["code"] == word(code) != "error"
    assert refused.recorded_as == reason


def test_a_prompt_that_is_not_there_is_answered_like_a_tool() -> None:
    prompt = unknown_prompt("x" * 999, recorded_as=Reason.NOT_GRANTED)
    tool = unknown_tool("x" * 999, recorded_as=Reason.NOT_GRANTED)
    assert (prompt.code, prompt.reason, prompt.recorded_as) == (tool.code, tool.reason, tool.recorded_as)
    assert prompt.message == "Unknown prompt: " + "x" * 200


def test_what_is_away_says_when_to_come_back() -> None:
    for reason in (Reason.POLICY_STALE, Reason.AUDIT_UNAVAILABLE, Reason.SERVER_BUSY):
        assert ("retry-after", "1") in refuse(reason).headers


def test_a_denial_that_cannot_be_recorded_is_not_recorded_as_one() -> None:
    assert refuse(Reason.AUDIT_UNAVAILABLE).recorded_as is None
    assert refuse(Reason.INVALID_TOKEN, recorded=False).recorded_as is None
    assert refuse(Reason.NOT_GRANTED).recorded_as == Reason.NOT_GRANTED


def test_a_tool_that_was_not_granted_reads_as_an_unknown_one_but_is_recorded_truly() -> None:
    granted, known = (
        unknown_tool("x" * 1000, recorded_as=each) for each in (Reason.NOT_GRANTED, Reason.UNKNOWN_DEFINITION)
    )
    assert granted.payload("r") == known.payload("r")
    assert len(granted.message) < 300
    assert granted.recorded_as == Reason.NOT_GRANTED
