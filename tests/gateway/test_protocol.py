"""Results and metadata in both eras, checked against the reference implementation's types."""

import json
from typing import Any

import pytest
from mcp_types import _v2025_11_25 as handshake
from mcp_types import _v2026_07_28 as modern

from gateway.protocol import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    PROTOCOL_VERSION,
    SERVER_INFO,
    NotCarried,
    Wire,
    discover_result,
    initialize_result,
    list_result,
    negotiated,
    outgoing_meta,
    released_result,
)

HANDSHAKE = Wire(modern=False, version="2025-11-25")
MODERN = Wire(modern=True, version="2026-07-28")
OURS = {"name": "files", "version": "1"}
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
    opened = handshake.InitializeResult.model_validate_json(initialize_result("2025-11-25", OURS, instructions))
    found = modern.DiscoverResult.model_validate_json(discover_result(OURS, instructions))
    assert (opened.server_info.name, opened.instructions or "") == ("files", instructions)
    assert (found.supported_versions[0], found.instructions or "") == ("2026-07-28", instructions)
    assert (found.cache_scope, found.result_type) == ("private", "complete")


@pytest.mark.parametrize("wire", [HANDSHAKE, MODERN])
def test_a_list_holds_approved_text_byte_for_byte(wire: Wire) -> None:
    listed = list_result("tools", [TOOL, TOOL], wire, OURS)
    assert TOOL + b"," + TOOL in listed
    kind = modern.ListToolsResult if wire.modern else handshake.ListToolsResult
    assert len(kind.model_validate_json(listed).tools) == 2
    assert json.loads(list_result("tools", [], wire, OURS))["tools"] == []


def test_protocol_keys_of_a_caller_never_travel_and_ours_do() -> None:
    meta = {CLIENT_INFO: {"name": "spy"}, CLIENT_CAPABILITIES: {"sampling": {}}, "io.modelcontextprotocol/x": 1,
            "progressToken": "theirs", "example.org/kept": 1}  # fmt: skip
    assert outgoing_meta(meta, HANDSHAKE, None) == {"example.org/kept": 1}
    sent = outgoing_meta(meta, MODERN, 7)
    assert (sent["progressToken"], sent[PROTOCOL_VERSION], sent[CLIENT_CAPABILITIES]) == (7, "2026-07-28", {})
    assert sent[CLIENT_INFO]["name"] == "holdfast-gateway"


RESULT = {"content": [], "resultType": "complete", "_meta": {SERVER_INFO: {"name": "evil"}, "a": 1}, "isError": True}


def test_a_result_says_what_its_clients_era_says_and_never_the_servers_own_name() -> None:
    assert released_result(RESULT, HANDSHAKE, OURS) == {"content": [], "isError": True, "_meta": {"a": 1}}
    assert released_result(RESULT, MODERN, OURS) == {
        "content": [],
        "isError": True,
        "resultType": "complete",
        "_meta": {"a": 1, SERVER_INFO: OURS},
    }
    assert released_result({"content": []}, HANDSHAKE, OURS) == {"content": []}
    assert released_result({"content": []}, MODERN, OURS)["resultType"] == "complete"


@pytest.mark.parametrize("result", [None, [], "x", {"resultType": "input_required"}, {"resultType": "task"},
                                    {"resultType": 1}])  # fmt: skip
def test_other_kinds_of_result_are_not_carried(result: Any) -> None:
    with pytest.raises(NotCarried):
        released_result(result, MODERN, OURS)
