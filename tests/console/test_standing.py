"""Who may decide a review, as the page says it."""

import pytest

from core.permissions import Permission
from servers.services import edit_server
from tests.console.world import World
from tests.factories import actor_with
from tools.services import decide_review
from tools.standing import standing

DECIDER = (Permission.REVIEW_DECIDE, Permission.REVIEW_READ)


@pytest.mark.parametrize("needed", [1, 2])
def test_somebody_uninvolved_may_approve(world: World, needed: int) -> None:
    edit_server(slug="files", changes={"required_approvals": needed}, actor=world.actor)
    found = standing(world.waiting(), [], actor_with(*DECIDER))
    assert (found.may_decide, found.may_approve, found.given, found.needed, found.why) == (True, True, 0, needed, "")


@pytest.mark.parametrize(("needed", "may_approve"), [(1, True), (2, False)])
def test_who_registered_the_server_may_approve_alone_only(world: World, needed: int, *, may_approve: bool) -> None:
    edit_server(slug="files", changes={"required_approvals": needed}, actor=world.actor)
    found = standing(world.waiting(), [], world.actor)
    assert found.may_decide
    assert found.may_approve is may_approve
    assert bool(found.why) is not may_approve


def test_nobody_decides_twice(world: World) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
    review, actor = world.waiting(), actor_with(*DECIDER)
    decide_review(
        review_id=review.public_id, verdict="approve", digest=review.version.digest, reason="Read.", actor=actor
    )
    found = standing(review, list(review.decisions.all()), actor)
    assert (found.may_decide, found.given) == (False, 1)


def test_who_only_reads_is_told_what_is_missing(world: World) -> None:
    found = standing(world.waiting(), [], actor_with(Permission.REVIEW_READ))
    assert not found.may_decide
    assert "review:decide" in found.why


def test_a_closed_review_is_nobodys_to_decide(world: World) -> None:
    review = world.approve()
    found = standing(review, list(review.decisions.all()), actor_with(*DECIDER))
    assert (found.may_decide, found.given, found.needed) == (False, 1, 1)
