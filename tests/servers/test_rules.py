"""States of a server."""

import pytest

from servers.rules import POLLED, TRANSITIONS, ServerState, endpoint_key, may_become


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(ServerState)


def test_a_retired_server_can_only_be_registered_again() -> None:
    assert TRANSITIONS[ServerState.RETIRED] == {ServerState.REGISTERED}


def test_a_suspended_server_is_observed_before_it_serves_again() -> None:
    assert not may_become("suspended", ServerState.ACTIVE)
    assert may_become("suspended", ServerState.REGISTERED)


@pytest.mark.parametrize("state", ServerState)
def test_only_servers_that_may_serve_are_polled(state: ServerState) -> None:
    assert (state in POLLED) is (state not in {ServerState.SUSPENDED, ServerState.RETIRED})


def test_an_unknown_state_is_an_error_and_not_a_permission() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        may_become("nonsense", ServerState.ACTIVE)


@pytest.mark.parametrize(
    "spelling",
    [
        "https://mcp.example.com/api/mcp",
        "HTTPS://MCP.Example.COM/api/mcp",
        "https://mcp.example.com:443/api/mcp",
        "https://mcp.example.com./api/mcp",
        "https://mcp.example.com/api/mcp/",
        "https://mcp.example.com/api//../mcp",
        "https://mcp.example.com/api/./mcp/.",
        "https://mcp.example.com/../other/../api/mcp",
        "https://mcp.example.com/%61pi/%6dc%70",
        "https://mcp.example.com/api/%2E/mcp",
        " https://mcp.example.com/api/mcp ",
    ],
)
def test_spelling_does_not_make_another_endpoint(spelling: str) -> None:
    assert endpoint_key(spelling) == "https://mcp.example.com/api/mcp"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://mcp.example.com/api/mcp", "http://mcp.example.com/api/mcp"),
        ("https://mcp.example.com:80/api/mcp", "https://mcp.example.com:80/api/mcp"),
        ("https://mcp.example.com/API/mcp", "https://mcp.example.com/API/mcp"),
        ("https://mcp.example.com/api%2fmcp", "https://mcp.example.com/api%2Fmcp"),
        ("https://mcp.example.com/api/mcp?tenant=%61", "https://mcp.example.com/api/mcp?tenant=a"),
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com/?", "https://mcp.example.com"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ("", ""),
        ("no url", ""),
        ("https://", ""),
        ("https://[", ""),
        ("https://mcp.example.com:99999/", ""),
    ],
)
def test_what_differs_keeps_its_own_key(url: str, key: str) -> None:
    assert endpoint_key(url) == key
    assert endpoint_key(key) == key
