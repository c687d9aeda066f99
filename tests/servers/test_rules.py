"""States of a server."""

import pytest

from servers.rules import POLLED, TRANSITIONS, ServerState, may_become


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
