"""Who may decide a review, as the page says it."""

from typing import Any

import pytest

from core.permissions import Permission
from servers.services import edit_server
from tests.console.world import World, tool
from tests.factories import actor_with
from tools.services import decide_review, reopen_review, return_to_version, withdraw_approval
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


def test_what_everybody_is_shown_is_approved_and_what_only_some_are_shown_is_dismissed(world: World) -> None:
    review = world.waiting()
    found = standing(review, [], actor_with(*DECIDER))
    assert (found.may_approve, found.may_dismiss) == (True, False)
    review.vantage = "agent:robot"
    found = standing(review, [], actor_with(*DECIDER))
    assert (found.may_decide, found.may_approve, found.may_dismiss) == (True, False, True)


def test_the_glass_is_broken_by_whom_it_is_allowed_for_what_everybody_is_shown(world: World) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=world.actor)
    review = world.waiting()
    assert standing(review, [], world.actor).may_break_glass
    assert standing(review, [], actor_with(Permission.REVIEW_READ, Permission.REVIEW_BREAK_GLASS)).may_break_glass
    assert not standing(review, [], actor_with(*DECIDER)).may_break_glass
    review.vantage = "agent:robot"
    assert not standing(review, [], world.actor).may_break_glass


def test_a_rejection_is_opened_again_once_by_whoever_may_decide(world: World) -> None:
    review = world.waiting()
    about: dict[str, Any] = {"review_id": review.public_id, "reason": "Read.", "actor": world.actor}
    review = decide_review(**about, verdict="reject", digest=review.version.digest)
    assert standing(review, [], actor_with(*DECIDER)).may_reopen
    assert not standing(review, [], actor_with(Permission.REVIEW_READ)).may_reopen
    reopen_review(**about)
    assert not standing(review, [], actor_with(*DECIDER)).may_reopen


def test_a_pin_is_withdrawn_while_it_lives_and_returned_to_once_it_was_replaced(world: World) -> None:
    review = world.approve()

    def pins() -> tuple[bool, bool]:
        found = standing(review, [], actor_with(*DECIDER))
        return found.may_withdraw, found.may_return

    assert pins() == (True, False)
    world.show([tool("read", "Newer."), world.tools[1]])
    newer = world.approve()
    assert pins() == (False, True)
    about: dict[str, Any] = {"definition_id": review.definition.public_id, "reason": "Read.", "actor": world.actor}
    return_to_version(**about, digest=review.version.digest, expected_pin=newer.version.digest)
    assert pins() == (True, False)
    withdraw_approval(**about, digest=review.version.digest)
    assert pins() == (False, False)
    assert not standing(newer, [], actor_with(Permission.REVIEW_READ)).may_return
