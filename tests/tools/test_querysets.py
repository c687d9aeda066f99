"""Reads: who sees what, what is held, and what the gateway is given."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from access.models import Team
from core.actor import Actor, ActorKind
from core.errors import NotFound
from core.ids import new_id
from core.permissions import Permission
from servers.models import Server
from tests.tools.making import approve, make_server, poll, reject, tool, waiting
from tools.models import Definition, Pin, Review
from tools.rules import DefinitionState

pytestmark = pytest.mark.django_db


def names(state: DefinitionState) -> set[str]:
    return set(Definition.objects.all().in_state(state).values_list("name", flat=True))


@pytest.fixture
def mixed(server: Server, reviewer: Actor) -> Server:
    """One definition in every state there is."""
    now = timezone.now()
    with time_machine.travel(now - timedelta(hours=2), tick=False):
        poll(server, *(tool(name) for name in ("approved", "drifted", "gone", "expired", "rejected", "new")))
        for name in ("approved", "drifted", "gone"):
            approve(waiting(name), reviewer)
        approve(waiting("expired"), reviewer, approve_until=now - timedelta(hours=1))
        reject(waiting("rejected"), reviewer)
    poll(server, tool("drifted", "x"), *(tool(name) for name in ("approved", "expired", "rejected", "new")))
    return server


def test_every_definition_is_in_exactly_one_state(mixed: Server) -> None:
    assert names(DefinitionState.APPROVED) == {"approved"}
    assert names(DefinitionState.HELD) == {"drifted", "expired", "rejected", "new"}
    assert names(DefinitionState.GONE) == {"gone"}


def test_a_list_says_the_same_of_each(mixed: Server) -> None:
    rows: Any = Definition.objects.all().for_list()
    assert {row.name for row in rows if row.present and row.approved} == {"approved"}


def test_after_a_complete_observation_nothing_is_unsettled(mixed: Server) -> None:
    assert not Definition.objects.all().unsettled().exists()
    Pin.objects.live().update(ended_at=timezone.now(), ended_reason="replaced")
    unsettled = set(Definition.objects.all().unsettled().values_list("name", flat=True))
    assert unsettled == {"approved"}


def test_the_gateway_is_given_approved_text_and_what_is_observed_in_one_query(
    mixed: Server, django_assert_num_queries: Any
) -> None:
    poll(make_server("other"), tool("elsewhere"))
    with django_assert_num_queries(1):
        rows = {row.name: row for row in Definition.objects.filter(server=mixed).served_rows()}
    assert set(rows) == {"approved", "drifted", "gone", "expired", "rejected", "new"}
    assert rows["approved"].digest == rows["approved"].pin_digest == rows["approved"].observed_digest
    assert json.loads(rows["drifted"].text)["description"] == "Read a file."
    assert rows["drifted"].observed_digest != rows["drifted"].pin_digest
    assert rows["expired"].expires_at is not None
    assert (rows["new"].text, rows["new"].digest) == ("", "")
    assert rows["gone"].present is False


def test_pins_in_force_are_live_and_not_expired(mixed: Server) -> None:
    assert Pin.objects.live().count() == 4
    in_force = Pin.objects.in_force(timezone.now()).values_list("definition__name", flat=True)
    assert set(in_force) == {"approved", "drifted", "gone"}


def actor(reach: str, team: Team) -> Actor:
    held = frozenset({Permission.TOOL_READ, Permission.REVIEW_READ})
    everywhere, own = {"all": (held, frozenset()), "own": (frozenset(), held)}.get(reach, (frozenset(), frozenset()))
    return Actor(ActorKind.PERSON, "x", "x", everywhere, own, frozenset({team.pk}))


@pytest.mark.parametrize(("reach", "seen"), [("all", 2), ("own", 1), ("none", 0)])
def test_lists_reach_as_far_as_the_actor_does(reach: str, seen: int) -> None:
    team = Team.objects.create(slug="blue", name="Blue")
    for slug, owner in (("ours", team), ("theirs", None)):
        poll(make_server(slug, owner_team=owner), tool())
    assert Definition.objects.visible_to(actor(reach, team)).count() == seen
    assert Review.objects.visible_to(actor(reach, team)).count() == seen


def test_a_review_is_found_by_its_public_id_or_not_at_all(server: Server) -> None:
    poll(server, tool())
    review = waiting()
    assert Review.objects.all().by_id(review.public_id) == review
    with pytest.raises(NotFound):
        Review.objects.all().by_id(new_id())
