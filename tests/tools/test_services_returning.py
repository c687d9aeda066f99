"""Taking an approval back, and going back to an earlier one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from access.models import Person, Revision
from audit.models import Record
from core.actor import Actor, system_actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from servers.services import Registration, register_server
from tests.tools.making import actor_of, approve, make_server, poll, reject, served, tool, waiting
from tests.tools.meeting import at_once
from tools import services
from tools.models import BreakGlass, Definition, Pin, Review

pytestmark = pytest.mark.django_db
NOWHERE = "sha256:" + "0" * 64


def definition() -> Definition:
    return Definition.objects.get(name="read")


def withdraw(actor: Actor, digest: str, reason: str = "It leaks.") -> Definition:
    return services.withdraw_approval(definition_id=definition().public_id, digest=digest, reason=reason, actor=actor)


def go_back(actor: Actor, digest: str, expected: str = "", reason: str = "The new one fails.") -> Pin:
    return services.return_to_version(
        definition_id=definition().public_id, digest=digest, expected_pin=expected, reason=reason, actor=actor
    )


def revive(slug: str, actor: Actor) -> None:
    registration = Registration(slug=slug, name=slug, url="http://127.0.0.1:9/other", environment="development")
    register_server(registration=registration, actor=actor)


def pinned() -> str:
    return Pin.objects.live().get().version.digest


def shown_and_approved(server: Server, actor: Actor, description: str, **values: Any) -> str:
    poll(server, tool(description=description))
    return approve(waiting(), actor, **values).version.digest


@pytest.fixture
def first(server: Server, reviewer: Actor) -> str:
    return shown_and_approved(server, reviewer, "one")


@pytest.fixture
def second(server: Server, first: str, reviewer: Actor) -> str:
    return shown_and_approved(server, reviewer, "two")


class TestWithdrawing:
    def test_it_is_held_from_then_on_and_waits_for_a_decision(
        self, server: Server, first: str, second_reviewer: Actor
    ) -> None:
        before = Revision.objects.get(part="server:files").n
        withdraw(second_reviewer, first)
        assert served(server) == {}
        assert Revision.objects.get(part="server:files").n > before
        pin = Pin.objects.get()
        assert (pin.ended_reason, pin.ended_why) == ("withdrawn", "It leaks.")
        assert pin.ended_by is not None
        assert pin.ended_by.username == "sara"
        assert (waiting().change, waiting().base) == (["withdrawn"], None)
        record = Record.objects.get(event="pin.ended")
        assert (record.type, record.tool, record.tool_hash, record.reason) == ("review", "read", first, "It leaks.")

    def test_looking_again_does_not_bring_it_back(self, server: Server, first: str, reviewer: Actor) -> None:
        withdraw(reviewer, first)
        review = waiting()
        poll(server, tool(description="one"))
        assert served(server) == {}
        assert waiting() == review

    def test_what_the_server_shows_meanwhile_is_compared_with_nothing(
        self, server: Server, first: str, reviewer: Actor
    ) -> None:
        poll(server, tool(description="drifted"))
        withdraw(reviewer, first)
        assert (waiting().change, waiting().base) == (["new"], None)

    def test_an_approval_given_anew_serves_it_again(self, server: Server, first: str, reviewer: Actor) -> None:
        withdraw(reviewer, first)
        approve(waiting(), reviewer)
        assert served(server) == {"read": first}

    def test_one_person_is_enough_even_who_registered_the_server(
        self, server: Server, first: str, registrant: Person
    ) -> None:
        Server.objects.update(required_approvals=2)
        withdraw(actor_of(registrant), first)
        assert served(server) == {}

    def test_another_digest_than_the_pins_is_refused(self, server: Server, second: str, first: str) -> None:
        actor = actor_of(Person.objects.create(username="olga"))
        with pytest.raises(Conflict, match="Another version"):
            withdraw(actor, first)
        withdraw(actor, second)
        with pytest.raises(Conflict, match="Nothing"):
            withdraw(actor, second)

    def test_it_needs_a_reason_and_a_person_who_may_decide(self, first: str, reviewer: Actor) -> None:
        with pytest.raises(Invalid):
            withdraw(reviewer, first, reason="\t")
        nina = actor_of(Person.objects.create(username="nina"), Permission.TOOL_READ, Permission.REVIEW_READ)
        for actor in (nina, system_actor("robot", *Permission)):
            with pytest.raises(PermissionDenied):
                withdraw(actor, first)
        with pytest.raises(NotFound):
            withdraw(actor_of(Person.objects.create(username="ned"), Permission.REVIEW_DECIDE), first)
        with pytest.raises(NotFound):
            services.withdraw_approval(definition_id=uuid4(), digest=first, reason="x", actor=reviewer)
        assert pinned() == first
        assert Record.objects.filter(event="action.denied").count() == 2


class TestReturning:
    def test_the_earlier_version_is_pinned_by_its_own_approval(
        self, server: Server, first: str, second: str, second_reviewer: Actor
    ) -> None:
        pin = go_back(second_reviewer, first, second)
        assert pinned() == first
        assert (pin.returned_why, pin.expires_at) == ("The new one fails.", None)
        assert pin.returned_by is not None
        assert pin.returned_by.username == "sara"
        assert pin.review == Pin.objects.earliest("pk").review
        record = Record.objects.get(event="pin.set")
        assert (record.tool_hash, record.before, record.reason) == (first, {"digest": second}, "The new one fails.")

    def test_what_the_server_shows_is_held_until_it_shows_the_earlier_one_again(
        self, server: Server, first: str, second: str, reviewer: Actor
    ) -> None:
        go_back(reviewer, first, second)
        assert served(server) == {}
        assert waiting().version.digest == second
        assert waiting().base is not None
        poll(server, tool(description="one"))
        assert served(server) == {"read": first}
        assert not Review.objects.waiting().exists()

    def test_where_a_change_waits_it_is_compared_with_the_version_returned_to(
        self, server: Server, first: str, second: str, reviewer: Actor
    ) -> None:
        poll(server, tool(description="three"))
        go_back(reviewer, first, second)
        base = waiting().base
        assert base is not None
        assert base.digest == first

    def test_back_and_forth(self, server: Server, first: str, second: str, reviewer: Actor) -> None:
        for digest, expected in ((first, second), (second, first), (first, second)):
            go_back(reviewer, digest, expected)
        assert pinned() == first
        assert Pin.objects.count() == 5

    def test_going_back_to_what_the_server_shows_serves_it_at_once(
        self, server: Server, first: str, second: str, reviewer: Actor
    ) -> None:
        poll(server, tool(description="one"))
        go_back(reviewer, first, second)
        assert served(server) == {"read": first}
        assert not Review.objects.waiting().exists()

    def test_from_a_withdrawn_pin_to_the_one_before(
        self, server: Server, first: str, second: str, reviewer: Actor
    ) -> None:
        withdraw(reviewer, second)
        go_back(reviewer, first)
        assert pinned() == first

    def test_it_lasts_no_longer_than_its_approvals(self, server: Server, reviewer: Actor) -> None:
        until = timezone.now() + timedelta(days=1)
        first = shown_and_approved(server, reviewer, "one", approve_until=until)
        second = shown_and_approved(server, reviewer, "two")
        assert go_back(reviewer, first, second).expires_at == until

    def test_an_emergency_ends_with_it(self, server: Server, first: str, second: str, reviewer: Actor) -> None:
        poll(server, tool(description="three"))
        review, person = waiting(), Person.objects.get(public_id=reviewer.id)
        BreakGlass.objects.create(
            definition=review.definition, version=review.version, review=review, person=person, reason="Night.",
            expires_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip
        go_back(reviewer, first, second)
        assert BreakGlass.objects.get().ended_reason == "decided"
        assert served(server) == {}


class TestNoReturn:
    """To what nobody stands for today."""

    def test_when_the_pin_has_moved(self, first: str, second: str, reviewer: Actor) -> None:
        for expected in (first, "", NOWHERE):
            with pytest.raises(Conflict, match="Another version") as refused:
                go_back(reviewer, first, expected)
            assert refused.value.field == "expected_pin"
        assert pinned() == second

    def test_to_what_was_never_approved(self, server: Server, first: str, reviewer: Actor) -> None:
        poll(server, tool(description="drifted"))
        for digest in (waiting().version.digest, NOWHERE, ""):
            with pytest.raises(Conflict, match="never approved"):
                go_back(reviewer, digest, first)

    def test_to_what_is_approved_already(self, first: str, reviewer: Actor) -> None:
        with pytest.raises(Conflict, match="already"):
            go_back(reviewer, first, first)

    def test_to_what_was_withdrawn_since(self, server: Server, first: str, reviewer: Actor) -> None:
        withdraw(reviewer, first)
        with pytest.raises(Conflict, match="withdrawn"):
            go_back(reviewer, first)
        second = shown_and_approved(server, reviewer, "two")
        with pytest.raises(Conflict, match="withdrawn"):
            go_back(reviewer, first, second)
        assert pinned() == second

    def test_to_what_was_withdrawn_until_it_was_approved_anew(
        self, server: Server, first: str, reviewer: Actor
    ) -> None:
        withdraw(reviewer, first)
        approve(waiting(), reviewer)
        second = shown_and_approved(server, reviewer, "two")
        assert go_back(reviewer, first, second).version.digest == first

    def test_to_what_was_rejected_since(self, server: Server, first: str, second: str, reviewer: Actor) -> None:
        poll(server, tool(description="one"))
        reject(waiting(), reviewer)
        with pytest.raises(Conflict, match="rejected since"):
            go_back(reviewer, first, second)

    def test_where_two_people_are_asked_by_now(self, first: str, second: str, reviewer: Actor) -> None:
        Server.objects.update(required_approvals=2)
        with pytest.raises(Conflict, match="two people"):
            go_back(reviewer, first, second)
        assert pinned() == second

    def test_where_an_approver_changed_the_endpoint_since(
        self, server: Server, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        Server.objects.update(required_approvals=2)
        server.refresh_from_db()
        digests = []
        for description in ("one", "two"):
            poll(server, tool(description=description))
            approve(waiting(), reviewer)
            digests.append(approve(waiting(), second_reviewer).version.digest)
        changer = Person.objects.get(public_id=second_reviewer.id)
        Server.objects.update(url="http://127.0.0.1:9/moved", endpoint_changed_by=changer)
        with pytest.raises(Conflict, match="no longer enough"):
            go_back(reviewer, *digests)

    def test_when_its_approval_ran_out(self, server: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        until = timezone.now() + timedelta(days=1)
        first = shown_and_approved(server, reviewer, "one", approve_until=until)
        second = shown_and_approved(server, reviewer, "two")
        monkeypatch.setattr(timezone, "now", lambda: until)
        with pytest.raises(Conflict, match="run out"):
            go_back(reviewer, first, second)

    def test_on_a_server_that_was_retired_since(self, server: Server, first: str, second: str, reviewer: Actor) -> None:
        services.retire(slug="files", actor=reviewer, reason="Replaced.")
        with pytest.raises(Conflict, match="retired"):
            go_back(reviewer, first)
        revive("files", reviewer)
        for digest in (first, second):
            with pytest.raises(Conflict, match="retired since"):
                go_back(reviewer, digest)

    def test_after_a_revival_even_if_the_approval_had_been_withdrawn_before(
        self, server: Server, first: str, second: str, reviewer: Actor
    ) -> None:
        withdraw(reviewer, second)  # so that no pin ends with the server
        services.retire(slug="files", actor=reviewer, reason="Replaced.")
        revive("files", reviewer)
        with pytest.raises(Conflict, match="retired since"):
            go_back(reviewer, first)

    def test_without_a_reason_or_a_person_who_may_decide(self, first: str, second: str, reviewer: Actor) -> None:
        with pytest.raises(Invalid):
            go_back(reviewer, first, second, reason="")
        nina = actor_of(Person.objects.create(username="nina"), Permission.TOOL_READ, Permission.REVIEW_READ)
        for actor in (nina, system_actor("robot", *Permission)):
            with pytest.raises(PermissionDenied):
                go_back(actor, first, second)
        assert pinned() == second


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    """Two people, each on a connection of their own; whatever comes first, one consistent state is left."""

    @pytest.fixture
    def two(self) -> tuple[Server, Actor, Actor, list[str]]:
        server = make_server("files")
        ann, bob = (actor_of(Person.objects.create(username=name)) for name in ("ann", "bob"))
        digests = [shown_and_approved(server, ann, description) for description in ("one", "two")]
        return server, ann, bob, digests

    def test_withdrawing_while_the_next_is_approved(self, two: tuple[Server, Actor, Actor, list[str]]) -> None:
        server, ann, bob, (_, second) = two
        poll(server, tool(description="three"))
        review = waiting()
        withdrawn, approved = at_once(lambda: withdraw(ann, second), lambda: approve(review, bob))
        live = Pin.objects.live().select_related("version").first()
        if approved == "done":  # it came first: the pin that was to be withdrawn was replaced by then
            assert withdrawn == "conflict"
            assert live is not None
            assert live.version == review.version
        else:  # the review was compared with a pin that has gone, so another one waits
            assert (withdrawn, approved, live) == ("done", "conflict", None)
            assert waiting().version == review.version
        assert Review.objects.waiting().count() == (live is None)

    def test_two_who_go_back_set_one_pin(self, two: tuple[Server, Actor, Actor, list[str]]) -> None:
        _, ann, bob, (first, second) = two
        outcomes = at_once(lambda: go_back(ann, first, second), lambda: go_back(bob, first, second))
        assert sorted(outcomes) == ["conflict", "done"]
        assert pinned() == first
        assert Pin.objects.count() == 3

    def test_going_back_while_it_is_withdrawn(self, two: tuple[Server, Actor, Actor, list[str]]) -> None:
        _, ann, bob, (first, second) = two
        outcomes = at_once(lambda: go_back(ann, first, second), lambda: withdraw(bob, second))
        assert sorted(outcomes) == ["conflict", "done"]
        assert Pin.objects.live().count() <= 1

    def test_two_who_withdraw(self, two: tuple[Server, Actor, Actor, list[str]]) -> None:
        _, ann, bob, (_, second) = two
        outcomes = at_once(lambda: withdraw(ann, second), lambda: withdraw(bob, second))
        assert sorted(outcomes) == ["conflict", "done"]
        assert Record.objects.filter(event="pin.ended").count() == 1

    def test_two_who_open_a_rejection_again(self, two: tuple[Server, Actor, Actor, list[str]]) -> None:
        server, ann, bob, _ = two
        poll(server, tool(description="three"))
        rejected = reject(waiting(), ann)

        def reopen(actor: Actor) -> Callable[[], Review]:
            return lambda: services.reopen_review(review_id=rejected.public_id, reason="Again.", actor=actor)

        assert sorted(at_once(reopen(ann), reopen(bob))) == ["conflict", "done"]
        assert Review.objects.waiting().count() == 1
