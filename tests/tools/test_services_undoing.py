"""What was decided together is taken back one by one: by events of its own, with one batch id."""

import pytest

from audit.models import Record
from core.actor import Actor
from core.errors import Invalid
from core.ids import new_id
from servers.models import Server
from tests.tools.making import approve, poll, reject, served, tool, waiting
from tools import services
from tools.models import Pin, Review, ReviewDecision
from tools.services.deciding import BULK_MAX

pytestmark = pytest.mark.django_db


def undo(actor: Actor, *reviews: Review, reason: str = "Too fast.") -> list[services.ItemResult]:
    choices = [services.Choice(review.public_id, review.version.digest) for review in reviews]
    return services.undo_decisions(choices=choices, reason=reason, actor=actor)


def test_approvals_are_withdrawn_and_rejections_opened_again(server: Server, reviewer: Actor) -> None:
    poll(server, tool("read"), tool("write"))
    approved, rejected = approve(waiting("read"), reviewer), reject(waiting("write"), reviewer)
    assert [result.state for result in undo(reviewer, approved, rejected)] == ["waiting", "waiting"]
    assert served(server) == {}
    assert {review.definition.name for review in Review.objects.waiting()} == {"read", "write"}
    records = Record.objects.filter(event__in=["pin.ended", "review.reopened"])
    assert records.count() == 2
    assert len({record.batch_id for record in records}) == 1
    assert ReviewDecision.objects.count() == 2  # what was decided stays


def test_each_stands_by_itself(server: Server, reviewer: Actor) -> None:
    poll(server, tool("read"), tool("write"))
    approved, undecided = approve(waiting("read"), reviewer), waiting("write")
    first, second, third = undo(reviewer, undecided, approved, approved)
    assert [result.error and result.error.code for result in (first, second, third)] == ["conflict", None, "conflict"]
    assert not Pin.objects.live().exists()


def test_what_was_approved_since_is_not_withdrawn_with_it(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    old = approve(waiting(), reviewer)
    poll(server, tool(description="Read a file, slowly."))
    approve(waiting(), reviewer)
    (result,) = undo(reviewer, old)
    assert result.error is not None
    assert list(served(server)) == ["read"]


def test_it_asks_why_and_takes_no_more_than_a_bulk_decision(reviewer: Actor) -> None:
    with pytest.raises(Invalid, match="Say why"):
        services.undo_decisions(choices=[], reason=" ", actor=reviewer)
    many = [services.Choice(new_id(), "")] * (BULK_MAX + 1)
    with pytest.raises(Invalid, match="At most"):
        services.undo_decisions(choices=many, reason="Why not.", actor=reviewer)
    (result,) = services.undo_decisions(choices=many[:1], reason="Why not.", actor=reviewer)
    assert result.error is not None
    assert result.error.code == "not_found"
