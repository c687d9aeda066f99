"""A server is served from only while it is the one whose definitions were approved."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.actor import Actor
from servers.models import Server
from tests.factories import person_with
from tests.tools.making import approve, card, decide, poll, reject, surface, tool, waiting
from tools import services
from tools.models import Definition, Pin, Review
from tools.services.polling import POLLING
from tools.trust import Trust, is_withheld

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(server: Server, reviewer: Actor) -> Server:
    show(server)
    for review in Review.objects.waiting().select_related("version"):
        approve(review, reviewer)
    return server


def show(server: Server, **fields: Any) -> None:
    poll(server, card(**fields), tool())


def withdraw_card(actor: Actor) -> None:
    pin = Pin.objects.live().select_related("version", "definition").get(definition__kind="card")
    services.withdraw_approval(
        definition_id=pin.definition.public_id, digest=pin.version.digest, reason="Not them.", actor=actor
    )


def test_an_approved_card_and_one_that_nobody_judged_withhold_nothing(server: Server, approved: Server) -> None:
    assert not is_withheld(approved)
    show(approved, instructions="Be kinder.")
    assert not is_withheld(approved)


@pytest.mark.parametrize(
    "change", [{"serverInfo": {"name": "other"}}, {"endpoint": "http://127.0.0.1:9/x"}, {"authorization": {"a": 1}}]
)
def test_another_identity_endpoint_or_authorization_withholds_it(approved: Server, change: dict[str, Any]) -> None:
    show(approved, **change)
    assert is_withheld(approved)
    show(approved)
    assert not is_withheld(approved)


def test_withdrawing_the_cards_approval_never_lifts_what_it_withheld(approved: Server, reviewer: Actor) -> None:
    show(approved, serverInfo={"name": "other"})
    withdraw_card(reviewer)
    assert is_withheld(approved)
    show(approved, serverInfo={"name": "other"})
    reject(waiting("card"), reviewer)
    assert is_withheld(approved)


def test_a_withdrawn_card_withholds_the_server_until_one_is_approved_again(approved: Server, reviewer: Actor) -> None:
    withdraw_card(reviewer)
    assert is_withheld(approved)
    approve(waiting("card"), reviewer)
    assert not is_withheld(approved)


def test_a_server_that_moved_before_any_card_was_approved_waits_for_one(server: Server, reviewer: Actor) -> None:
    show(server)
    approve(waiting("read"), reviewer)
    services_edit(server, reviewer)
    assert is_withheld(server)


def services_edit(server: Server, actor: Actor) -> None:
    from servers.services import edit_server

    edit_server(slug=server.slug, changes={"url": "http://127.0.0.1:9/elsewhere"}, actor=actor)
    server.refresh_from_db()


def test_an_emergency_lets_it_through_for_its_time(approved: Server, reviewer: Actor) -> None:
    person_with("review:decide", username="carla")
    show(approved, serverInfo={"name": "other"})
    until = timezone.now() + timedelta(hours=1)
    review = waiting("card")
    services.break_glass(
        review_id=review.public_id, digest=review.version.digest, reason="It burns.", until=until, actor=reviewer
    )
    assert not is_withheld(approved)


def test_trust_ends_with_the_emergency_that_it_rests_on() -> None:
    now = timezone.now()
    assert not Trust(until=now + timedelta(seconds=1)).is_withheld(now)
    assert Trust(until=now).is_withheld(now)
    assert Trust(withheld=True).is_withheld(now)


def test_a_server_without_a_card_is_judged_by_nothing(server: Server) -> None:
    poll(server, tool())
    assert Definition.objects.count() == 1
    assert not is_withheld(server)


def sight(server: Server, vantage: str = "agent:robot", **fields: Any) -> None:
    server.refresh_from_db()
    shown = surface(card(**fields), tool(), vantage=vantage)
    services.sight(server=server, surface=shown, actor=POLLING)


@pytest.mark.parametrize("change", [{"serverInfo": {"name": "other"}}, {"authorization": {"a": 1}}])
def test_agents_that_are_told_it_is_another_withhold_it_until_they_are_not_or_it_is_explained(
    approved: Server, reviewer: Actor, change: dict[str, Any]
) -> None:
    sight(approved, **change)
    assert is_withheld(approved)
    show(approved)
    assert is_withheld(approved), "the poller being told the same as ever frees nothing"
    sight(approved, "agent:other")
    assert is_withheld(approved)
    sight(approved)
    assert not is_withheld(approved)
    sight(approved, **change)
    decide(waiting("card"), reviewer, "dismiss")
    assert not is_withheld(approved)


def test_agents_that_are_told_other_words_withhold_the_words_only(approved: Server) -> None:
    sight(approved, instructions="Be quick.")
    assert not is_withheld(approved)
    assert waiting("card").vantage == "agent:robot"
