"""Truth tables of the rules on decisions."""

import pytest

from tools.classify import RISKS, ChangeClass, Risk
from tools.rules import (
    HARMLESS_WHILE_WAITING,
    MOVES_LOUD,
    TRANSITIONS,
    VANTAGE_MAX,
    ReviewState,
    approvals_needed,
    is_quiet,
    may_count,
    says_flapping,
    vantage_of_agent,
)


@pytest.mark.parametrize(("review", "server", "needed"), [(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 2)])
def test_the_stricter_number_of_approvals_holds(review: int, server: int, needed: int) -> None:
    assert approvals_needed(review=review, server=server) == needed


@pytest.mark.parametrize(
    ("person", "needed", "counts"),
    [(1, 1, True), (2, 1, True), (3, 1, True), (1, 2, False), (2, 2, False), (3, 2, True)],
)
def test_where_two_are_needed_registrant_and_endpoint_changer_do_not_count(
    person: int,
    needed: int,
    counts: bool,  # noqa: FBT001 -- a column of the table
) -> None:
    assert may_count(person, needed=needed, registered_by=1, endpoint_changed_by=2) is counts
    assert may_count(person, needed=needed, registered_by=None, endpoint_changed_by=None)


def test_what_was_decided_never_moves_again() -> None:
    assert set(TRANSITIONS) == set(ReviewState)
    assert [state for state, following in TRANSITIONS.items() if following] == [
        ReviewState.WAITING,
        ReviewState.SUPERSEDED,
    ]
    assert TRANSITIONS[ReviewState.SUPERSEDED] == {ReviewState.WAITING}


def test_a_thousand_changes_are_a_handful_of_records() -> None:
    said = [moves for moves in range(1, 1001) if not is_quiet(moves) or says_flapping(moves)]
    assert said == [*range(1, MOVES_LOUD + 2), 32, 64, 128, 256, 512]


def test_what_is_harmless_while_it_waits_is_never_of_high_risk() -> None:
    assert {RISKS[cls] for cls in HARMLESS_WHILE_WAITING} <= {Risk.LOW, Risk.MEDIUM}
    assert not HARMLESS_WHILE_WAITING & {ChangeClass.NEW, ChangeClass.EXPIRED, ChangeClass.OTHER}


def test_every_agent_has_a_vantage_of_its_own_however_long_its_id_is() -> None:
    ids = ["robot", "x" * 94, "x" * 95, "x" * 200, "x" * 199 + "y"]
    vantages = [vantage_of_agent(client_id) for client_id in ids]
    assert vantages[0] == "agent:robot"
    assert len(set(vantages)) == len(ids)
    assert max(map(len, vantages)) <= VANTAGE_MAX
