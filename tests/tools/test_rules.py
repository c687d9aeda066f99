"""Truth tables of the rules on decisions."""

import pytest

from tools.rules import TRANSITIONS, ReviewState, approvals_needed, may_count


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


def test_only_a_waiting_review_moves() -> None:
    assert set(TRANSITIONS) == set(ReviewState)
    assert [state for state, following in TRANSITIONS.items() if following] == [ReviewState.WAITING]
