"""The order of a list of reviews, and what stands beside one of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.actor import Actor
from servers.models import Server
from tests.tools.making import entrust, make_server, poll, tool
from tools import services
from tools.inbox import listed, neighbours, twins
from tools.models import Review

pytestmark = pytest.mark.django_db


@pytest.fixture
def four(server: Server) -> list[Review]:
    """Reviews as the list orders them: of one risk and one time, by key."""
    poll(server, *(tool(name) for name in ("a", "b", "c", "d")))
    return list(Review.objects.waiting().select_related("version", "definition").order_by("pk"))


def test_neighbours_follow_the_order_of_the_list(four: list[Review], reviewer: Actor) -> None:
    assert list(listed(reviewer, {})) == four
    for index, review in enumerate(four):
        found = neighbours(review, reviewer, {})
        assert found.before == (four[index - 1] if index else None)
        assert found.after == (four[index + 1] if index + 1 < len(four) else None)


def test_what_left_the_list_stands_where_it_was(four: list[Review], reviewer: Actor) -> None:
    services.snooze_review(review_id=four[1].public_id, until=timezone.now() + timedelta(days=1), actor=reviewer)
    found = neighbours(four[1], reviewer, {})
    assert (found.before, found.after) == (four[0], four[2])
    assert neighbours(four[0], reviewer, {}).after == four[2]


def test_filters_hold_for_neighbours_too(four: list[Review], reviewer: Actor) -> None:
    entrust(reviewer)
    for review in (four[0], four[3]):
        services.assign_review(review_id=review.public_id, assignee="ravi", actor=reviewer)
    assert list(listed(reviewer, {"assignee": "me"})) == [four[0], four[3]]
    assert neighbours(four[0], reviewer, {"assignee": "me"}).after == four[3]
    assert neighbours(four[0], reviewer, {"assignee": "nobody"}).after == four[1]


def test_an_undecided_review_has_no_neighbours_among_closed_ones(four: list[Review], reviewer: Actor) -> None:
    found = neighbours(four[0], reviewer, {"state": "approved"})
    assert (found.before, found.after) == (None, None)


def test_the_same_version_elsewhere_is_counted_as_far_as_one_sees(four: list[Review], reviewer: Actor) -> None:
    poll(make_server("other"), tool("a"))
    both = Review.objects.waiting().filter(definition__name="a").select_related("version")
    assert twins(list(both), reviewer) == {four[0].version.digest: 2}
    assert twins(four[1:], reviewer) == {}
