"""The order of a list of reviews, and what stands beside one of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import Person
from core.actor import ANONYMOUS, Actor
from core.ids import new_id
from servers.models import Server
from tests.tools.making import actor_of, approve, entrust, make_server, poll, tool
from tools import services
from tools.inbox import folded, identical, listed, members, neighbours, of_look, servers_of
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


def at(slug: str, name: str = "a") -> Review:
    return Review.objects.waiting().get(definition__server__slug=slug, definition__name=name)


def test_the_same_change_at_several_servers_is_one_row_where_its_first_stands(
    four: list[Review], reviewer: Actor
) -> None:
    for slug in ("later", "last"):
        poll(make_server(slug), tool("a"))
    # A scanner's rule says of the later ones that they are called like the first: they are riskier, and stand first.
    first = at("later")
    assert (first.risk, four[0].risk) == ("high", "medium")
    assert folded(reviewer, {}) == [(first.pk, 3), *((review.pk, 1) for review in four[1:])]
    assert servers_of([first], reviewer, {})[first.pk] == ["files", "later", "last"]
    assert folded(reviewer, {"server": "files"}) == [(review.pk, 1) for review in four]


def test_what_was_approved_before_and_what_was_not_are_two_changes(four: list[Review], reviewer: Actor) -> None:
    approve(four[0], reviewer)
    here = Server.objects.get(slug="files")
    poll(here, tool("a", "Read a file at once."))
    poll(make_server("other"), tool("a", "Read a file at once."))
    assert at("files").version.digest == at("other").version.digest
    assert {(at("files").pk, 1), (at("other").pk, 1)} <= set(folded(reviewer, {}))
    assert identical([at("files"), at("other")], reviewer) == {at("files").pk: 1, at("other").pk: 1}


def test_the_same_change_of_approved_text_at_two_servers_is_one_row(server: Server, reviewer: Actor) -> None:
    both = (server, make_server("other"))
    for each in both:
        poll(each, tool("a"))
        approve(at(each.slug), reviewer)
        poll(each, tool("a", "Read a file at once."))
    assert folded(reviewer, {}) == [(at("other").pk, 2)]


def test_how_many_wait_for_a_change_is_told_as_far_as_one_sees(four: list[Review], reviewer: Actor) -> None:
    poll(make_server("other"), tool("a"))
    assert identical(four, reviewer) == {four[0].pk: 2, **{review.pk: 1 for review in four[1:]}}
    assert identical(four, ANONYMOUS) == dict.fromkeys((review.pk for review in four), 0)


def test_what_one_look_brought_belongs_together(four: list[Review], reviewer: Actor) -> None:
    here = Server.objects.get(slug="files")
    poll(here, *(tool(name) for name in ("a", "b", "c", "d", "e")))
    poll(make_server("other"), tool("a"))
    assert set(of_look(four, reviewer).values()) == {4}
    assert list(of_look([at("files", "e"), at("other")], reviewer).values()) == [1, 1]
    assert list(listed(reviewer, {"look": four[2].public_id})) == four


def test_a_row_is_all_of_its_list_and_no_more(four: list[Review], reviewer: Actor) -> None:
    poll(make_server("other"), tool("a"))
    put_off = at("other")
    services.snooze_review(review_id=put_off.public_id, until=timezone.now() + timedelta(days=1), actor=reviewer)
    first = four[0].public_id
    assert members([first], reviewer, {}) == {first: [first]}
    assert members([first], reviewer, {"state": "open"}) == {first: [first, put_off.public_id]}
    assert members([put_off.public_id], reviewer, {})[put_off.public_id] == [put_off.public_id, first]


def test_who_does_not_see_a_review_narrows_by_it_to_nothing(four: list[Review], reviewer: Actor) -> None:
    stranger = actor_of(Person.objects.create(username="stranger"), "server:read")
    assert not listed(stranger, {"identical_to": four[0].public_id}).exists()
    assert not listed(reviewer, {"identical_to": new_id()}).exists()
    assert list(listed(reviewer, {"identical_to": four[0].public_id})) == [four[0]]
