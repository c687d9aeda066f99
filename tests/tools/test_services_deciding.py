"""Deciding: exactly the digest that was shown, by people who may, with a reason."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from access.models import Person, Role, Team
from audit.models import Record
from core.actor import Actor, ActorKind, system_actor
from core.errors import Conflict, DomainError, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from servers.surface import Problem
from tests.tools.making import actor_of, approve, decide, fail, make_server, poll, reject, served, tool, waiting
from tools import services
from tools.models import Pin, Review, ReviewDecision
from tools.services import Choice

pytestmark = pytest.mark.django_db


@pytest.fixture
def review(server: Server) -> Review:
    poll(server, tool())
    return waiting()


def actor(username: str, *permissions: str) -> Actor:
    return actor_of(Person.objects.create(username=username), *permissions)


def test_one_approval_pins_the_version_and_is_recorded_with_its_reason(
    server: Server, review: Review, reviewer: Actor
) -> None:
    decided = approve(review, reviewer, reason="  Read the code.  ")
    assert decided.state == "approved"
    assert served(server) == {"read": review.version.digest}
    record = Record.objects.get(event="review.decided")
    assert (record.type, record.server, record.tool, record.reason) == ("review", "files", "read", "Read the code.")
    assert record.tool_hash == review.version.digest
    assert record.after is not None
    assert record.after["state"] == "approved"


def test_a_rejected_change_leaves_the_older_pin_and_stays_withheld(
    server: Server, review: Review, reviewer: Actor
) -> None:
    approve(review, reviewer)
    poll(server, tool(description="changed"))
    assert reject(waiting(), reviewer).state == "rejected"
    assert served(server) == {}
    assert Pin.objects.live().get().version == review.version
    poll(server, tool())
    assert list(served(server)) == ["read"]


def test_approving_a_change_ends_the_older_pin(server: Server, review: Review, reviewer: Actor) -> None:
    approve(review, reviewer)
    poll(server, tool(description="changed"))
    approve(waiting(), reviewer)
    assert list(Pin.objects.order_by("id").values_list("ended_reason", flat=True)) == ["replaced", ""]


def test_approving_after_a_swap_is_refused(server: Server, review: Review, reviewer: Actor) -> None:
    poll(server, tool(description="swapped"))
    with pytest.raises(Conflict, match="superseded"):
        approve(review, reviewer)
    with pytest.raises(Conflict, match="another digest"):
        approve(waiting(), reviewer, digest=review.version.digest)
    assert served(server) == {}
    assert not ReviewDecision.objects.exists()


def test_a_definition_that_has_gone_cannot_be_approved(server: Server, review: Review, reviewer: Actor) -> None:
    poll(server, tool("other"))
    with pytest.raises(Conflict):
        approve(review, reviewer)


def test_a_failed_poll_meanwhile_does_not_hinder_a_decision(server: Server, review: Review, reviewer: Actor) -> None:
    fail(server, Problem.TIMEOUT)
    assert approve(review, reviewer).state == "approved"


def test_nothing_is_decided_twice(review: Review, reviewer: Actor, second_reviewer: Actor) -> None:
    approve(review, reviewer)
    with pytest.raises(Conflict, match="approved"):
        reject(review, second_reviewer)


@pytest.mark.parametrize("reason", ["", "  \n\t ", "x" * 2001, "a\0b"])
def test_a_reason_is_required_and_bounded(review: Review, reviewer: Actor, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        approve(review, reviewer, reason=reason)
    assert refused.value.field == "reason"


def test_a_verdict_that_does_not_exist_is_refused(review: Review, reviewer: Actor) -> None:
    with pytest.raises(Invalid, match="approve"):
        decide(review, reviewer, "maybe")


def test_an_approval_may_end(server: Server, review: Review, reviewer: Actor) -> None:
    until = timezone.now() + timedelta(days=1)
    approve(review, reviewer, approve_until=until)
    assert Pin.objects.get().expires_at == until


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_an_end_in_the_past_or_of_a_rejection_is_refused(review: Review, reviewer: Actor, verdict: str) -> None:
    days = -1 if verdict == "approve" else 1
    with pytest.raises(Invalid) as refused:
        decide(review, reviewer, verdict, approve_until=timezone.now() + timedelta(days=days))
    assert refused.value.field == "approve_until"


def test_where_one_approval_is_asked_the_registrant_may_give_it(review: Review, registrant: Person) -> None:
    assert approve(review, actor_of(registrant)).state == "approved"


class TestFourEyes:
    @pytest.fixture(autouse=True)
    def two_needed(self, server: Server) -> None:
        Server.objects.update(required_approvals=2)
        server.refresh_from_db()

    def test_two_people_approve(self, server: Server, review: Review, reviewer: Actor, second_reviewer: Actor) -> None:
        assert approve(review, reviewer).state == "waiting"
        assert served(server) == {}
        assert approve(review, second_reviewer).state == "approved"
        assert list(served(server)) == ["read"]

    def test_the_same_person_cannot_be_both(self, review: Review, reviewer: Actor) -> None:
        approve(review, reviewer)
        with pytest.raises(Conflict, match="already"):
            approve(review, reviewer)

    def test_the_registrant_is_refused_and_the_refusal_recorded(self, review: Review, registrant: Person) -> None:
        with pytest.raises(PermissionDenied, match="registered"):
            approve(review, actor_of(registrant))
        assert Record.objects.filter(event="action.denied").count() == 1
        assert not ReviewDecision.objects.exists()

    def test_whoever_changed_the_endpoint_is_refused(self, server: Server, review: Review, reviewer: Actor) -> None:
        Server.objects.update(
            url="http://127.0.0.1:1/mcp", endpoint_changed_by=Person.objects.get(public_id=reviewer.id)
        )
        with pytest.raises(PermissionDenied):
            approve(review, reviewer)

    def test_an_approval_stops_counting_when_its_giver_changes_the_endpoint(
        self, server: Server, review: Review, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        approve(review, reviewer)
        Server.objects.update(
            url="http://127.0.0.1:1/mcp", endpoint_changed_by=Person.objects.get(public_id=reviewer.id)
        )
        assert approve(review, second_reviewer).state == "waiting"

    def test_one_person_may_reject_even_the_registrant(self, review: Review, registrant: Person) -> None:
        assert reject(review, actor_of(registrant)).state == "rejected"

    def test_the_earlier_end_of_two_approvals_counts(
        self, review: Review, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        until = timezone.now() + timedelta(days=1)
        approve(review, reviewer, approve_until=until)
        approve(review, second_reviewer)
        assert Pin.objects.get().expires_at == until


@pytest.mark.parametrize(
    ("permissions", "error"),
    [
        ((Permission.REVIEW_READ,), PermissionDenied),
        ((Permission.REVIEW_DECIDE,), NotFound),
        ((Permission.SERVER_EDIT,), NotFound),
    ],
)
def test_who_may_not_decide_is_refused(review: Review, permissions: tuple[str, ...], error: type[DomainError]) -> None:
    with pytest.raises(error):
        approve(review, actor("nina", *permissions))


def test_nobody_but_a_person_decides(review: Review) -> None:
    with pytest.raises(PermissionDenied):
        approve(review, system_actor("robot", *Permission))


def test_a_permission_for_ones_own_teams_reaches_no_further(server: Server, review: Review) -> None:
    team = Team.objects.create(slug="blue", name="Blue")
    person = Person.objects.create(username="nina")
    own = frozenset({Permission.REVIEW_READ, Permission.REVIEW_DECIDE})
    nina = Actor(ActorKind.PERSON, str(person.public_id), "nina", frozenset(), own, frozenset({team.pk}))
    with pytest.raises(NotFound):
        approve(review, nina)
    Server.objects.update(owner_team=team)
    assert approve(review, nina).state == "approved"


def test_an_unknown_review_is_not_found(reviewer: Actor) -> None:
    with pytest.raises(NotFound):
        services.decide_review(
            review_id=uuid4(), verdict="approve", digest="sha256:" + "0" * 64, reason="x", actor=reviewer
        )


class TestBulk:
    def choices(self) -> list[Choice]:
        reviews = Review.objects.waiting().select_related("version").order_by("definition__name")
        return [Choice(review.public_id, review.version.digest) for review in reviews]

    def bulk(self, reviewer: Actor, choices: list[Choice], **values: Any) -> list[services.ItemResult]:
        asked = {"verdict": "approve", "reason": "All read.", **values}
        return services.decide_reviews(choices=choices, actor=reviewer, **asked)

    def test_each_item_has_its_own_result_and_record_under_one_batch(self, server: Server, reviewer: Actor) -> None:
        poll(server, tool("a"), tool("b"), tool("c"))
        choices = self.choices()
        choices[1] = Choice(choices[1].review_id, "sha256:" + "0" * 64)
        results = self.bulk(reviewer, [*choices, Choice(uuid4(), choices[0].digest), choices[0]])
        assert [result.state for result in results] == ["approved", "", "approved", "", ""]
        assert [result.error.code if result.error else "" for result in results] == [
            "", "conflict", "", "not_found", "conflict",
        ]  # fmt: skip
        assert sorted(served(server)) == ["a", "c"]
        batches = Record.objects.filter(event="review.decided").values_list("batch_id", flat=True)
        assert len(batches) == 2
        assert len(set(batches)) == 1

    def test_what_was_rejected_anywhere_is_never_approved_in_bulk(self, server: Server, reviewer: Actor) -> None:
        poll(make_server("elsewhere"), tool())
        reject(waiting(), reviewer)
        poll(server, tool())
        (result,) = self.bulk(reviewer, self.choices())
        assert result.error is not None
        assert "rejected before" in result.error.message
        assert Review.objects.for_list().get(state="waiting").rejected_before  # type: ignore[attr-defined]  # annotated
        assert approve(waiting(), reviewer).state == "approved"

    def test_a_critical_finding_is_never_approved_in_bulk(self, server: Server, reviewer: Actor) -> None:
        poll(server, tool(description="Read. \U000e0068\U000e0069"))
        (result,) = self.bulk(reviewer, self.choices())
        assert isinstance(result.error, Conflict)
        assert [result.state for result in self.bulk(reviewer, self.choices(), verdict="reject")] == ["rejected"]

    def test_too_many_at_once_or_no_reason_is_refused_as_a_whole(self, reviewer: Actor) -> None:
        with pytest.raises(Invalid):
            self.bulk(reviewer, [Choice(uuid4(), "")] * 501)
        with pytest.raises(Invalid):
            self.bulk(reviewer, [], reason=" ")


def test_after_a_revival_what_was_rejected_before_is_asked_again_with_the_old_answer_in_view(
    server: Server, review: Review, reviewer: Actor
) -> None:
    reject(review, reviewer)
    services.retire(slug="files", actor=reviewer, reason="Replaced.")
    Server.objects.update(state="registered", registered_at=timezone.now())
    poll(server, tool())
    again = waiting()
    assert [row.pk for row in Review.objects.precedents(again)] == [review.pk]
    assert Review.objects.for_list().get(pk=again.pk).rejected_before  # type: ignore[attr-defined]  # annotated


def test_a_refusal_for_four_eyes_says_on_record_what_it_was_about(server: Server, registrant: Person) -> None:
    Server.objects.update(required_approvals=2)
    poll(server, tool())
    with pytest.raises(PermissionDenied):
        approve(waiting(), actor_of(registrant))
    assert Record.objects.get(event="action.denied").subject == "tool:files/read"


def test_retiring_ends_pins_and_reviews_so_that_a_revival_starts_held(
    server: Server, review: Review, reviewer: Actor
) -> None:
    approve(review, reviewer)
    poll(server, tool(), tool("write"))
    services.retire(slug="files", actor=reviewer, reason="Replaced.")
    assert not Pin.objects.live().exists()
    assert not Review.objects.waiting().exists()
    Server.objects.update(state="registered", registered_at=timezone.now())
    assert poll(server, tool(), tool("write")).reviews_opened == 2
    assert served(server) == {}


def test_marking_as_sensitive_is_recorded_and_needs_its_permission(server: Server, review: Review) -> None:
    values: dict[str, Any] = {"definition_id": review.definition.public_id, "sensitive": True}
    with pytest.raises(PermissionDenied):
        services.mark_sensitive(actor=actor("nina", Permission.TOOL_READ), reason="Money.", **values)
    with pytest.raises(Invalid):
        services.mark_sensitive(actor=actor("ned"), reason=" ", **values)
    assert services.mark_sensitive(actor=actor("olga"), reason="Money.", **values).sensitive
    services.mark_sensitive(actor=actor("otto"), reason="Again.", **values)
    assert Record.objects.filter(event="tool.marked_sensitive").count() == 1
    with pytest.raises(NotFound):
        services.mark_sensitive(actor=actor("oona"), reason="x", definition_id=uuid4(), sensitive=True)


@pytest.mark.django_db(transaction=True)
def test_two_people_who_approve_at_the_same_moment_set_one_pin() -> None:
    server = make_server("files", required_approvals=2)
    poll(server, tool())
    review = waiting()
    people = [actor(f"p{number}") for number in range(4)]
    start = Barrier(len(people))

    def decide_together(person: Actor) -> str:
        start.wait(60)
        try:
            return approve(review, person).state
        except Conflict as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as threads:
        outcomes = sorted(threads.map(decide_together, people))
    assert outcomes == ["approved", "conflict", "conflict", "waiting"]
    assert Pin.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_that_arrives_during_decisions_is_never_approved_unseen() -> None:
    server = make_server("files")
    poll(server, tool())
    review, person = waiting(), actor("ravi")
    start = Barrier(2)

    def in_thread(step: Callable[[], object]) -> str:
        start.wait(60)
        try:
            step()
        except Conflict as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as threads:
        swap = threads.submit(in_thread, lambda: poll(server, tool(description="swapped")))
        decision = threads.submit(in_thread, lambda: approve(review, person))
        assert swap.result() == "done"
        assert decision.result() in ("done", "conflict")
    assert served(server) == {}
    assert waiting().version.digest != review.version.digest


def test_retiring_takes_the_servers_scopes_out_of_every_role(server: Server, second_reviewer: Actor) -> None:
    kept = ["mcp:connect", "mcp:mail:call", "review:read"]
    role = Role.objects.create(name="user", scopes=[*kept, "mcp:files:call", "mcp:files:tool:read"])
    other = Role.objects.create(name="other", scopes=kept)
    services.retire(slug=server.slug, actor=second_reviewer, reason="moved")
    role.refresh_from_db()
    other.refresh_from_db()
    assert role.scopes == other.scopes == kept
    changed = Record.objects.get(event="role.changed")
    assert (changed.subject, changed.reason) == ("role:user", "moved")
