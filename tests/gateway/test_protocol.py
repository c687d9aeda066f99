"""Results and metadata in both eras, checked against the reference implementation's types."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import _v2025_11_25 as handshake
from mcp_types import _v2026_07_28 as modern

from gateway.protocol import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LEVELS,
    LIST_TTL_MS,
    LOG_LEVEL,
    PROTOCOL_VERSION,
    SERVER_INFO,
    SUBSCRIPTION_ID,
    NotCarried,
    Wire,
    discover_result,
    initialize_result,
    kind_of_result,
    list_result,
    negotiated,
    outgoing_meta,
    released_result,
)

HANDSHAKE = Wire(modern=False, version="2025-11-25")
MODERN = Wire(modern=True, version="2026-07-28")
OURS = {"name": "files", "version": "1"}
ABLE = {"tools": {"listChanged": True}, "logging": {}}
TOOL = b'{ "name":"read", "inputSchema":{"type":"object","maximum":18446744073709551615} }'


@pytest.mark.parametrize(
    ("requested", "answered"),
    [("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2024-11-05", "2025-11-25"), (None, "2025-11-25"),
     ("2026-07-28", "2025-11-25"), ([], "2025-11-25")],
)  # fmt: skip
def test_a_session_speaks_what_was_asked_for_or_our_newest(requested: Any, answered: str) -> None:
    assert negotiated(requested) == answered


@pytest.mark.parametrize("instructions", ["", "Be kind."])
def test_the_first_answers_have_the_specified_form(instructions: str) -> None:
    opened = handshake.InitializeResult.model_validate_json(initialize_result("2025-11-25", OURS, instructions, ABLE))
    found = modern.DiscoverResult.model_validate_json(discover_result(OURS, instructions, ABLE))
    assert (opened.server_info.name, opened.instructions or "") == ("files", instructions)
    assert (found.supported_versions[0], found.instructions or "") == ("2026-07-28", instructions)
    assert (found.cache_scope, found.result_type) == ("private", "complete")
    for capabilities in (opened.capabilities, found.capabilities):
        assert capabilities.model_dump(by_alias=True, exclude_none=True) == ABLE


# --- lists --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", [HANDSHAKE, MODERN])
@pytest.mark.parametrize("cursor", [None, "next"])
def test_a_list_holds_approved_text_byte_for_byte(wire: Wire, cursor: str | None) -> None:
    listed = list_result("tools", [TOOL, TOOL], wire, OURS, cursor)
    assert TOOL + b"," + TOOL in listed
    kind = modern.ListToolsResult if wire.modern else handshake.ListToolsResult
    found = kind.model_validate_json(listed)
    assert (len(found.tools), found.next_cursor) == (2, cursor)
    assert json.loads(list_result("tools", [], wire, OURS))["tools"] == []


def test_a_list_says_who_lists_and_for_whom_in_the_modern_era_alone() -> None:
    assert json.loads(list_result("tools", [], MODERN, OURS)) == {
        "tools": [],
        "resultType": "complete",
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
        "_meta": {SERVER_INFO: OURS},
    }
    assert json.loads(list_result("tools", [], HANDSHAKE, OURS)) == {"tools": []}


# --- what goes to a server ----------------------------------------------------------------------------------------

META: dict[str, Any] = {
    PROTOCOL_VERSION: "1999-01-01",
    CLIENT_INFO: {"name": "spy"},
    CLIENT_CAPABILITIES: {"sampling": {}, "elicitation": {}},
    SERVER_INFO: {"name": "evil"},
    SUBSCRIPTION_ID: 7,
    LOG_LEVEL: "debug",
    "progressToken": "theirs",
    "traceparent": "00-theirs",
    "tracestate": "theirs",
    "baggage": "theirs",
    "example.org/kept": 1,
}


def sent(
    meta: dict[str, Any], wire: Wire, token: int | None = None, able: Any = None, trace: Any = None
) -> dict[str, Any]:
    """The `_meta` that goes to a server."""
    return outgoing_meta(meta, wire, progress_token=token, capabilities=able or {}, trace=trace or {})


def test_protocol_keys_of_a_caller_never_travel_and_ours_do() -> None:
    assert sent(META, HANDSHAKE) == {"example.org/kept": 1}
    found = sent(META, MODERN, 7, {"roots": {}})
    assert found.pop(CLIENT_INFO)["name"] == "holdfast-gateway"
    assert found == {
        "example.org/kept": 1,
        "progressToken": 7,
        PROTOCOL_VERSION: "2026-07-28",
        CLIENT_CAPABILITIES: {"roots": {}},
        LOG_LEVEL: "debug",
    }


@pytest.mark.parametrize("wire", [HANDSHAKE, MODERN])
def test_why_a_call_is_made_stays_here(wire: Wire) -> None:
    given = {"holdfast/intention": "To close the books.", "holdfast/other": 1}
    found = sent(given, wire)
    assert "holdfast/intention" not in found
    assert found["holdfast/other"] == 1


def test_an_own_token_goes_out_and_a_callers_never_does() -> None:
    for wire in (HANDSHAKE, MODERN):
        assert "progressToken" not in sent(META, wire)
        assert sent(META, wire, 3)["progressToken"] == 3
        assert sent({}, wire, 3)["progressToken"] == 3


def test_the_trace_is_the_one_that_is_given_whatever_a_caller_said() -> None:
    trace = {"traceparent": "00-ours"}
    assert sent(META, HANDSHAKE, trace=trace) == {"example.org/kept": 1, "traceparent": "00-ours"}
    assert sent({}, HANDSHAKE, trace=trace) == trace
    assert sent(META, MODERN, trace=trace)["traceparent"] == "00-ours"
    assert not {"tracestate", "baggage"} & set(sent(META, MODERN, trace=trace))


def test_nothing_is_said_to_a_server_of_the_handshake_era_where_there_is_nothing_to_say() -> None:
    assert sent({}, HANDSHAKE) == {}


@pytest.mark.parametrize("level", [*sorted(LEVELS), "DEBUG", "loud", "", None, 1])
def test_a_log_level_is_passed_on_where_it_is_one(level: Any) -> None:
    if isinstance(level, str) and level in LEVELS:
        assert sent({LOG_LEVEL: level}, MODERN)[LOG_LEVEL] == level
    else:
        assert LOG_LEVEL not in sent({LOG_LEVEL: level}, MODERN)
    assert sent({LOG_LEVEL: level}, HANDSHAKE) == {}


@pytest.mark.parametrize("level", [["debug"], {"debug": 1}])
def test_a_log_level_that_is_no_text_does_no_harm(level: Any) -> None:
    assert LOG_LEVEL not in sent({LOG_LEVEL: level}, MODERN)


def test_what_is_ours_follows_what_is_the_callers_and_nothing_is_said_twice() -> None:
    trace = {"traceparent": "00-ours"}
    ours = [PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES]
    assert list(sent(META, MODERN, 7, trace=trace)) == ["example.org/kept", "progressToken", *ours, LOG_LEVEL, *trace]
    without = {key: value for key, value in META.items() if key != "example.org/kept"}
    assert list(sent(without, MODERN, trace=trace)) == [*ours, LOG_LEVEL, *trace]
    assert trace == {"traceparent": "00-ours"}


def test_what_a_caller_gave_is_not_changed() -> None:
    before = dict(META)
    sent(META, MODERN, 7, trace={"traceparent": "00-ours"})
    assert before == META


# --- what comes from a server -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "kind"),
    [({}, "complete"), ({"resultType": "complete"}, "complete"), ({"resultType": "task"}, "task"),
     ({"resultType": 1}, ""), ({"resultType": None}, ""), ({"resultType": ["complete"]}, "")],
)  # fmt: skip
def test_a_result_is_of_the_kind_that_it_says(result: dict[str, Any], kind: str) -> None:
    assert kind_of_result(result) == kind


@pytest.mark.parametrize("result", [None, [], "x", 1, True])
def test_what_is_no_object_is_no_result(result: Any) -> None:
    with pytest.raises(NotCarried):
        kind_of_result(result)


RESULT = {"content": [], "resultType": "complete", "_meta": {SERVER_INFO: {"name": "evil"}, "a": 1}, "isError": True}


def test_a_result_says_what_its_clients_era_says_and_never_the_servers_own_name() -> None:
    assert released_result(RESULT, HANDSHAKE, OURS) == {"content": [], "isError": True, "_meta": {"a": 1}}
    assert released_result(RESULT, MODERN, OURS) == {
        "content": [],
        "isError": True,
        "resultType": "complete",
        "_meta": {"a": 1, SERVER_INFO: OURS},
    }
    assert released_result({"content": []}, MODERN, OURS)["resultType"] == "complete"


@pytest.mark.parametrize(
    "result",
    [{"content": []}, {"content": [], "_meta": {"a": 1}}, {"content": [], "_meta": "x"}, {"ttlMs": 1, "requestState": "a tool's own"}],
)  # fmt: skip
def test_a_result_in_the_clients_own_era_is_the_very_same_object(result: dict[str, Any]) -> None:
    assert released_result(result, HANDSHAKE, OURS) is result
    own = {"content": [], "resultType": "complete", "_meta": {SERVER_INFO: OURS}}
    assert released_result(own, MODERN, OURS) is own


def test_what_only_the_modern_era_knows_does_not_reach_the_other() -> None:
    result = {"contents": [], "resultType": "complete", "ttlMs": 5, "cacheScope": "public", "requestState": "s",
              "inputRequests": {}}  # fmt: skip
    assert released_result(result, HANDSHAKE, OURS) == {"contents": []}
    assert released_result({"contents": [], "_meta": {SERVER_INFO: {}}}, HANDSHAKE, OURS) == {"contents": []}


@given(
    st.dictionaries(st.sampled_from(["resultType", "ttlMs", "cacheScope", "requestState", "content", "x"]), st.text()),
    st.sampled_from([{}, {"a": 1}, [], None, "x", {SERVER_INFO: OURS}]),
)
def test_a_result_without_metadata_loses_what_one_with_some_does(result: dict[str, Any], meta: Any) -> None:
    bare, other = (released_result(each, HANDSHAKE, OURS) for each in (result, {**result, "_meta": meta}))
    assert list(bare.items()) == [each for each in other.items() if each[0] != "_meta"]
    assert (bare is result) == ("resultType" not in result)
    assert "resultType" not in bare


@pytest.mark.parametrize("meta", [None, [], "x", 1])
def test_metadata_that_are_no_object_give_way_to_ours(meta: Any) -> None:
    assert released_result({"_meta": meta}, MODERN, OURS)["_meta"] == {SERVER_INFO: OURS}
    assert "_meta" not in released_result({"_meta": meta, "resultType": "complete"}, HANDSHAKE, OURS)


@pytest.mark.parametrize(
    ("given", "told"),
    [(0, 0), (1000, 1000), (LIST_TTL_MS, LIST_TTL_MS), (LIST_TTL_MS + 1, LIST_TTL_MS), (10**30, LIST_TTL_MS), (-1, 0),
     (True, 0), ("60000", 0), (1.5, 0), (None, 0)],
)  # fmt: skip
@pytest.mark.parametrize("scope", ["private", "public", None, 1])
def test_what_may_be_cached_is_the_callers_alone_and_not_for_long(given: Any, told: int, scope: Any) -> None:
    found = released_result({"ttlMs": given, "cacheScope": scope}, MODERN, OURS, cacheable=True)
    assert (found["ttlMs"], found["cacheScope"]) == (told, "private")


def test_who_may_cache_nothing_is_told_nothing() -> None:
    assert not {"ttlMs", "cacheScope"} & set(released_result({}, MODERN, OURS))
