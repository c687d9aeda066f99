"""On a production server nobody decides in a session that a password alone began; a token stands for itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.services import create_api_token
from audit.models import Record
from core.actor import Actor, SignIn
from core.errors import SecondFactorNeeded
from servers.models import Server
from servers.services import edit_server
from tests.access.signing_in import PASSWORD, adds_app, known, signs_in
from tests.console.world import World
from tools.classify import ChangeClass
from tools.models import Review
from tools.policies import Rule
from tools.services import break_glass, decide_review, enable_policy, write_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> World:
    world = World(known(admin=True)).build()
    Server.objects.update(environment="production")
    return world


def weak(world: World) -> Actor:
    return replace(world.actor, signed_in=SignIn(timezone.now()))


def strong(world: World) -> Actor:
    return replace(world.actor, signed_in=SignIn(timezone.now(), second_factor=True))


def decide(review: Review, actor: Actor, verdict: str = "approve") -> Review:
    return decide_review(
        review_id=review.public_id, verdict=verdict, digest=review.version.digest, reason="Read.", actor=actor
    )


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_password_alone_decides_nothing_in_production(world: World, verdict: str) -> None:
    with pytest.raises(SecondFactorNeeded):
        decide(world.waiting(), weak(world), verdict)
    assert world.waiting().state == "waiting"
    assert Record.objects.filter(event="action.denied").latest("pk").reason.startswith("This needs a second factor")


@pytest.mark.parametrize("acting", [strong, lambda world: world.actor], ids=["second factor", "token"])
def test_a_second_factor_or_a_token_decides(world: World, acting: Callable[[World], Actor]) -> None:
    assert decide(world.waiting(), acting(world)).state == "approved"


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_elsewhere_a_password_decides(world: World, environment: str) -> None:
    Server.objects.update(environment=environment)
    assert decide(world.waiting(), weak(world)).state == "approved"


def test_the_glass_is_not_broken_by_a_password_alone(world: World) -> None:
    review = world.waiting()
    with pytest.raises(SecondFactorNeeded):
        break_glass(
            review_id=review.public_id,
            digest=review.version.digest,
            reason="Now.",
            until=timezone.now() + timedelta(hours=1),
            actor=weak(world),
        )


def test_production_is_not_edited_away_by_a_password_alone(world: World) -> None:
    with pytest.raises(SecondFactorNeeded):
        edit_server(slug="files", changes={"environment": "development"}, actor=weak(world))
    edit_server(slug="files", changes={"name": "Renamed"}, actor=weak(world))
    assert edit_server(slug="files", changes={"environment": "staging"}, actor=strong(world)).environment == "staging"


def test_a_policy_that_reaches_production_is_put_in_force_by_a_second_factor(world: World) -> None:
    rule = Rule(frozenset({ChangeClass.INPUT_SCHEMA_EQUIVALENT}), frozenset({"production"}))
    revision = write_policy(name="Same", rule=rule, why="Nothing changes.", actor=weak(world))
    with pytest.raises(SecondFactorNeeded):
        enable_policy(policy_id=revision.policy.public_id, n=1, reason="Now.", actor=weak(world))
    enable_policy(policy_id=revision.policy.public_id, n=1, reason="Now.", actor=strong(world))


def test_a_password_alone_makes_no_token(world: World) -> None:
    with pytest.raises(SecondFactorNeeded):
        create_api_token(username="ada", actor=weak(world))
    create_api_token(username="ada", actor=strong(world))


def test_the_page_says_so_and_leads_to_a_way_out(world: World) -> None:
    browser, review = signs_in(), world.waiting()
    page = browser.get(f"/reviews/{review.public_id}/").content.decode()
    assert "deciding needs a second factor" in page
    assert "data-decide" not in page
    answer = post(browser, review)
    assert answer.status_code == 403
    assert 'href="/account/security/"' in answer.content.decode()
    ticked = {"review": f"{review.public_id} {review.version.digest}", "verdict": "approve", "reason": "Read."}
    ticked["confirmed"] = "on"
    assert "This needs a second factor" in browser.post("/reviews/decide/", ticked).content.decode()
    assert world.waiting().state == "waiting"
    adds_app(browser)
    assert "data-decide" in browser.get(f"/reviews/{review.public_id}/").content.decode()
    assert post(browser, review).status_code == 302
    review.refresh_from_db()
    assert review.state == "approved"


def post(browser: Client, review: Review) -> Any:
    body = {"verdict": "approve", "digest": review.version.digest, "reason": "Read it."}
    return browser.post(f"/reviews/{review.public_id}/", body)


def test_a_token_of_the_setting_up_approves_in_production(world: World) -> None:
    from access.services import create_first_administrator

    _person, token = create_first_administrator(username="ada", password=PASSWORD)
    review = world.waiting()
    answer = Client().post(
        f"/api/v1/reviews/{review.public_id}/approve/",
        {"digest": review.version.digest, "reason": "Read it."},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200, answer.content
