"""A rejection stands until somebody opens it again, and then people decide, nobody else."""

from uuid import uuid4

import pytest

from access.models import Person, Revision
from audit.models import Record
from core.actor import Actor, system_actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from tests.tools.making import actor_of, approve, decide, poll, reject, served, surface, tool, waiting
from tools import services
from tools.models import Review
from tools.services.polling import POLLING

pytestmark = pytest.mark.django_db


@pytest.fixture
def rejected(server: Server, reviewer: Actor) -> Review:
    poll(server, tool())
    return reject(waiting(), reviewer)


def reopen(review: Review, actor: Actor, reason: str = "Their answer convinces me.") -> Review:
    return services.reopen_review(review_id=review.public_id, reason=reason, actor=actor)


def test_what_was_rejected_waits_again_as_a_review_of_its_own(
    server: Server, rejected: Review, reviewer: Actor
) -> None:
    before = Revision.objects.get(part="server:files").n
    opened = reopen(rejected, reviewer)
    assert (opened.state, opened.reopens, opened.version_id) == ("waiting", rejected, rejected.version_id)
    assert not opened.decisions.exists()
    rejected.refresh_from_db()
    assert rejected.state == "rejected"
    assert served(server) == {}
    assert Revision.objects.get(part="server:files").n > before
    record = Record.objects.get(event="review.reopened")
    assert (record.type, record.reason, record.tool) == ("review", "Their answer convinces me.", "read")
    assert record.after == {"review": str(opened.public_id), "state": "waiting"}
    assert approve(waiting(), reviewer).state == "approved"
    assert list(served(server)) == ["read"]


def test_a_look_at_the_same_text_leaves_it_waiting(server: Server, rejected: Review, reviewer: Actor) -> None:
    opened = reopen(rejected, reviewer)
    poll(server, tool())
    assert waiting() == opened


def test_it_is_compared_with_what_is_pinned_now(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    first = approve(waiting(), reviewer)
    poll(server, tool(description="Read a file, slowly."))
    opened = reopen(reject(waiting(), reviewer), reviewer)
    assert opened.base == first.version
    assert opened.change == ["wording"]


def test_it_can_be_rejected_and_opened_once_more(rejected: Review, reviewer: Actor, second_reviewer: Actor) -> None:
    second = reject(reopen(rejected, reviewer), second_reviewer)
    third = reopen(second, reviewer)
    assert third.reopens == second
    with pytest.raises(Conflict, match="already"):
        reopen(rejected, reviewer)


def test_a_rejection_is_opened_once(rejected: Review, reviewer: Actor) -> None:
    reopen(rejected, reviewer)
    with pytest.raises(Conflict, match="already"):
        reopen(rejected, reviewer)
    assert Review.objects.count() == 2


@pytest.mark.parametrize("verdict", ["waiting", "approved", "superseded"])
def test_only_a_rejection_is_opened_again(server: Server, reviewer: Actor, verdict: str) -> None:
    poll(server, tool())
    review = waiting()
    if verdict == "approved":
        approve(review, reviewer)
    if verdict == "superseded":
        poll(server, tool(description="else"))
    with pytest.raises(Conflict, match=verdict):
        reopen(review, reviewer)


def test_what_the_server_no_longer_shows_is_not_opened(server: Server, rejected: Review, reviewer: Actor) -> None:
    poll(server, tool(description="else"))
    with pytest.raises(Conflict, match="something else"):
        reopen(rejected, reviewer)
    poll(server, tool("other"))
    with pytest.raises(Conflict, match="something else"):
        reopen(rejected, reviewer)
    poll(server, tool())
    assert not Review.objects.waiting().filter(definition__name="read").exists()
    assert reopen(rejected, reviewer).state == "waiting"


def test_what_only_agents_were_shown_is_opened_again_and_explained_after_all(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    approve(waiting(), reviewer)
    look = surface(tool(description="For agents."), vantage="agent:robot")
    services.sight(server=Server.objects.get(), surface=look, actor=POLLING)
    rejected = reject(waiting(), reviewer)
    assert served(server) == {}
    opened = reopen(rejected, reviewer)
    assert (opened.vantage, "shown_differently" in opened.change) == ("agent:robot", True)
    decide(waiting(), reviewer, "dismiss")
    assert list(served(server)) == ["read"]
    with pytest.raises(Conflict):
        reopen(rejected, reviewer)


def test_nothing_is_opened_on_a_retired_server(rejected: Review, reviewer: Actor) -> None:
    services.retire(slug="files", actor=reviewer, reason="Replaced.")
    with pytest.raises(Conflict, match="retired"):
        reopen(rejected, reviewer)


def test_it_needs_a_reason_and_a_person_who_may_decide(rejected: Review, reviewer: Actor) -> None:
    with pytest.raises(Invalid):
        reopen(rejected, reviewer, reason=" ")
    nina = actor_of(Person.objects.create(username="nina"), Permission.REVIEW_READ)
    for actor in (nina, system_actor("robot", *Permission)):
        with pytest.raises(PermissionDenied):
            reopen(rejected, actor)
    assert Record.objects.filter(event="action.denied").count() == 2
    with pytest.raises(NotFound):
        services.reopen_review(review_id=uuid4(), reason="x", actor=reviewer)
    assert Review.objects.count() == 1


def test_it_says_what_the_rejected_review_said(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    approved = approve(waiting(), reviewer)
    services.withdraw_approval(
        definition_id=approved.definition.public_id, digest=approved.version.digest, reason="Leaks.", actor=reviewer
    )
    said_no = reject(waiting(), reviewer)
    assert said_no.change == ["withdrawn"]
    opened = services.reopen_review(review_id=said_no.public_id, reason="Once more.", actor=reviewer)
    assert (opened.change, opened.risk) == (["withdrawn"], "high")
