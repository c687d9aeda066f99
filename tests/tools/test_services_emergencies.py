"""Breaking the glass: one version, one person, a day at most, and others know."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from access.models import Membership, Person, Reach, Revision, Team
from audit.models import Record
from core.actor import Actor, system_actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from tests.factories import GrantFactory, RoleFactory, person_with
from tests.tools.making import actor_of, approve, make_server, poll, reject, served, surface, tool, waiting
from tests.tools.meeting import at_once
from tools import services
from tools.models import BreakGlass, Definition, DefinitionVersion, Pin, Review, Sighting
from tools.services.polling import POLLING

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def colleague(db: None) -> Person:
    """Somebody else who may decide, so that there is somebody to tell."""
    return person_with(Permission.REVIEW_DECIDE, username="carla")


@pytest.fixture
def review(server: Server, colleague: Person) -> Review:
    poll(server, tool())
    return waiting()


def break_glass(review: Review, actor: Actor, **values: Any) -> BreakGlass:
    asked = {"digest": review.version.digest, "reason": "Everything stands still.", **values}
    until = asked.pop("until", None) or timezone.now() + HOUR
    return services.break_glass(review_id=review.public_id, actor=actor, until=until, **asked)


def end_now(actor: Actor, reason: str = "It is over.") -> Definition:
    definition = Definition.objects.get(name="read")
    return services.end_glass_now(definition_id=definition.public_id, reason=reason, actor=actor)


def later(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(timezone, "now", lambda: moment)


class TestBreaking:
    def test_what_waits_is_served_and_goes_on_waiting(self, server: Server, review: Review, reviewer: Actor) -> None:
        before = Revision.objects.get(part="server:files").n
        glass = break_glass(review, reviewer)
        assert served(server) == {"read": review.version.digest}
        assert waiting() == review
        assert not Pin.objects.exists()
        assert Revision.objects.get(part="server:files").n > before
        record = Record.objects.get(event="glass.broken")
        assert (record.type, record.tool, record.reason) == ("review", "read", "Everything stands still.")
        assert record.tool_hash == review.version.digest
        assert record.after == {
            "glass": str(glass.public_id),
            "review": str(review.public_id),
            "until": glass.expires_at.isoformat(),
            "told": 1,
        }

    def test_one_person_is_enough_where_two_are_asked_even_who_registered_the_server(
        self, server: Server, review: Review, registrant: Person
    ) -> None:
        Server.objects.update(required_approvals=2)
        break_glass(review, actor_of(registrant))
        assert list(served(server)) == ["read"]

    def test_the_pin_stays_and_is_served_again_once_the_server_is_back(
        self, server: Server, review: Review, reviewer: Actor
    ) -> None:
        pinned = approve(review, reviewer).version.digest
        poll(server, tool(description="hotfix"))
        hotfix = waiting()
        break_glass(hotfix, reviewer)
        assert served(server) == {"read": hotfix.version.digest}
        poll(server, tool())
        assert served(server) == {"read": pinned}

    def test_an_approval_that_ran_out_is_served_in_an_emergency(
        self, server: Server, review: Review, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        until = timezone.now() + HOUR
        approve(review, reviewer, approve_until=until)
        later(monkeypatch, until + HOUR)
        poll(server, tool())
        assert waiting().change == ["expired"]
        assert served(server) == {}
        # The trigger compares with the database's own clock, which this test cannot move.
        later(monkeypatch, until + timedelta(seconds=1))
        BreakGlass.objects.bulk_create([
            BreakGlass(definition=review.definition, version=review.version, review=waiting(), reason="Night.",
                       person=Person.objects.get(public_id=reviewer.id), set_at=until - HOUR,
                       expires_at=until + 2 * HOUR),
        ])  # fmt: skip
        assert served(server) == {"read": review.version.digest}

    @pytest.mark.parametrize("hours", [-1, 0, 24.01, 25, 10_000])
    def test_it_is_for_a_day_at_most(self, review: Review, reviewer: Actor, hours: float) -> None:
        with pytest.raises(Invalid) as refused:
            break_glass(review, reviewer, until=timezone.now() + hours * HOUR)
        assert refused.value.field == "until"
        assert not BreakGlass.objects.exists()

    def test_another_digest_than_what_waits_is_refused(self, server: Server, review: Review, reviewer: Actor) -> None:
        poll(server, tool(description="swapped"))
        with pytest.raises(Conflict, match="superseded"):
            break_glass(review, reviewer)
        with pytest.raises(Conflict, match="another digest"):
            break_glass(waiting(), reviewer, digest=review.version.digest)
        assert served(server) == {}

    def test_only_what_waits(self, server: Server, review: Review, reviewer: Actor) -> None:
        reject(review, reviewer)
        with pytest.raises(Conflict, match="rejected"):
            break_glass(review, reviewer)

    def test_what_some_agents_are_shown_otherwise_is_not_served_in_an_emergency_either(
        self, server: Server, review: Review, reviewer: Actor
    ) -> None:
        other = DefinitionVersion.objects.create(definition=review.definition, digest="sha256:" + "1" * 64, text="{}")
        Sighting.objects.create(definition=review.definition, vantage="agent:robot", version=other)
        with pytest.raises(Conflict, match="shown something else"):
            break_glass(review, reviewer)
        approved = Server.objects.get()
        assert served(approved) == {}

    def test_what_only_some_agents_are_shown_is_not_let_through(
        self, server: Server, review: Review, reviewer: Actor
    ) -> None:
        approve(review, reviewer)
        shown = surface(tool(description="else"), vantage="agent:robot")
        services.sight(server=Server.objects.get(), surface=shown, actor=POLLING)
        with pytest.raises(Conflict, match="Only some principals"):
            break_glass(waiting(), reviewer)

    def test_only_on_a_server_in_use(self, server: Server, review: Review, reviewer: Actor) -> None:
        services.retire(slug="files", actor=reviewer, reason="Replaced.")
        with pytest.raises(Conflict):
            break_glass(review, reviewer)

    def test_never_twice_by_one_person_for_one_version(
        self, server: Server, review: Review, reviewer: Actor, second_reviewer: Actor
    ) -> None:
        break_glass(review, reviewer)
        with pytest.raises(Conflict, match="broke the glass for this version before"):
            break_glass(review, reviewer)
        with pytest.raises(Conflict, match="already"):
            break_glass(review, second_reviewer)
        end_now(reviewer)
        with pytest.raises(Conflict, match="before"):
            break_glass(review, reviewer)
        break_glass(review, second_reviewer)
        assert list(served(server)) == ["read"]

    def test_a_newer_version_takes_the_place_of_the_one_that_the_server_no_longer_shows(
        self, server: Server, review: Review, reviewer: Actor
    ) -> None:
        break_glass(review, reviewer)
        poll(server, tool(description="next"))
        assert served(server) == {}
        break_glass(waiting(), reviewer)
        assert served(server) == {"read": waiting().version.digest}
        assert list(BreakGlass.objects.values_list("ended_reason", flat=True)) == ["", "withdrawn"]

    def test_it_follows_the_version_and_nothing_else(self, server: Server, review: Review, reviewer: Actor) -> None:
        break_glass(review, reviewer)
        poll(server, tool(description="else"))
        assert served(server) == {}
        poll(server, tool())
        assert served(server) == {"read": review.version.digest}

    def test_it_needs_its_permission_and_a_reason(self, review: Review, reviewer: Actor) -> None:
        with pytest.raises(Invalid):
            break_glass(review, reviewer, reason=" ")
        nina = actor_of(Person.objects.create(username="nina"), Permission.REVIEW_READ, Permission.REVIEW_DECIDE)
        for actor in (nina, system_actor("robot", *Permission)):
            with pytest.raises(PermissionDenied, match="review:break_glass"):
                break_glass(review, actor)
        assert Record.objects.filter(event="action.denied").count() == 2
        with pytest.raises(NotFound):
            services.break_glass(review_id=uuid4(), digest="", reason="x", until=timezone.now() + HOUR, actor=reviewer)


class TestSomebodyToTell:
    @pytest.fixture
    def review(self, server: Server) -> Review:
        poll(server, tool())
        return waiting()

    def test_nobody_breaks_the_glass_unheard(self, review: Review) -> None:
        alone = person_with(Permission.REVIEW_DECIDE)
        person_with(Permission.REVIEW_READ)
        person_with(Permission.REVIEW_DECIDE, is_active=False)
        with pytest.raises(Conflict, match="Nobody else"):
            break_glass(review, actor_of(alone))
        assert not BreakGlass.objects.exists()

    def test_everybody_who_may_decide_about_the_server_is_counted(self, server: Server, review: Review) -> None:
        team, other = (Team.objects.create(slug=slug, name=slug) for slug in ("blue", "red"))
        Server.objects.update(owner_team=team)
        own = RoleFactory.create(scopes=[Permission.REVIEW_DECIDE], reach=Reach.OWN_TEAMS)
        everywhere = RoleFactory.create(scopes=[Permission.REVIEW_DECIDE])
        people = [Person.objects.create(username=f"p{number}") for number in range(5)]
        for person, of in ((people[0], team), (people[1], other), (people[2], team), (people[3], other)):
            Membership.objects.create(person=person, team=of)
        GrantFactory.create(role=own, person=people[0])  # of the team: counted
        GrantFactory.create(role=own, person=people[1])  # of another team
        GrantFactory.create(role=own, team=team)  # reaches p0 and p2: counted
        GrantFactory.create(role=everywhere, team=other)  # reaches p1 and p3: counted
        GrantFactory.create(role=everywhere, person=people[4], revoked_at=timezone.now())
        break_glass(review, actor_of(people[0]))
        after = Record.objects.get(event="glass.broken").after
        assert after is not None
        assert after["told"] == 3  # p1, p2, p3


class TestEnding:
    def test_anybody_who_may_decide_ends_it(
        self, server: Server, review: Review, reviewer: Actor, colleague: Person
    ) -> None:
        break_glass(review, reviewer)
        before = Revision.objects.get(part="server:files").n
        end_now(actor_of(colleague, Permission.REVIEW_DECIDE, Permission.TOOL_READ))
        assert served(server) == {}
        glass = BreakGlass.objects.get()
        assert (glass.ended_reason, glass.ended_by) == ("withdrawn", colleague)
        record = Record.objects.get(event="glass.ended")
        assert (record.reason, record.after) == (
            "It is over.",
            {"ended": "withdrawn", "glass": str(glass.public_id)},
        )
        assert Revision.objects.get(part="server:files").n > before
        with pytest.raises(Conflict, match="No emergency"):
            end_now(reviewer)

    def test_who_may_only_read_does_not(self, server: Server, review: Review, reviewer: Actor) -> None:
        break_glass(review, reviewer)
        with pytest.raises(PermissionDenied):
            end_now(actor_of(Person.objects.create(username="nina"), Permission.TOOL_READ, Permission.REVIEW_READ))
        with pytest.raises(Invalid):
            end_now(reviewer, reason="")
        assert list(served(server)) == ["read"]

    @pytest.mark.parametrize("verdict", ["approve", "reject"])
    def test_a_decision_ends_it(self, server: Server, review: Review, reviewer: Actor, verdict: str) -> None:
        break_glass(review, reviewer)
        (approve if verdict == "approve" else reject)(review, reviewer)
        assert BreakGlass.objects.get().ended_reason == "decided"
        assert bool(served(server)) is (verdict == "approve")

    def test_it_ends_by_itself_and_that_is_recorded(
        self, server: Server, review: Review, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        glass = break_glass(review, reviewer)
        assert services.end_run_out() == 0
        before = Revision.objects.get(part="server:files").n
        later(monkeypatch, glass.expires_at)
        assert served(server) == {}  # before anybody noted it
        assert services.end_run_out() == 1
        assert services.end_run_out() == 0
        assert BreakGlass.objects.get().ended_reason == "expired"
        record = Record.objects.get(event="glass.ended")
        assert record.actor == "system:upkeep"
        assert Revision.objects.get(part="server:files").n > before
        assert waiting() == review

    def test_one_that_ran_out_unnoted_is_in_nobodys_way(
        self, server: Server, review: Review, reviewer: Actor, second_reviewer: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        glass = break_glass(review, reviewer, until=timezone.now() + timedelta(minutes=2))
        later(monkeypatch, glass.expires_at)
        break_glass(review, second_reviewer)
        assert list(served(server)) == ["read"]
        assert list(BreakGlass.objects.values_list("ended_reason", flat=True)) == ["", "expired"]


def test_nothing_is_let_through_or_explained_in_bulk_where_something_critical_was_found(
    server: Server, colleague: Person, reviewer: Actor
) -> None:
    poll(server, tool(description="Read. \U000e0068\U000e0069"))
    review = waiting()
    for verdict in ("approve", "dismiss", "break_glass"):
        choice = services.Choice(review.public_id, review.version.digest)
        try:
            (result,) = services.decide_reviews(choices=[choice], verdict=verdict, reason="All.", actor=reviewer)
            assert isinstance(result.error, Conflict), verdict
        except Invalid:
            assert verdict == "break_glass"
    assert waiting() == review
    assert served(server) == {}


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    @pytest.fixture
    def people(self) -> list[Actor]:
        return [actor_of(person_with(*Permission, username=name)) for name in ("ann", "bob")]

    @pytest.fixture
    def review(self, people: list[Actor]) -> Review:
        poll(make_server("files"), tool())
        return waiting()

    def test_two_who_break_the_glass_break_one(self, review: Review, people: list[Actor]) -> None:
        outcomes = at_once(*(_breaking(review, person) for person in people))
        assert sorted(outcomes) == ["conflict", "done"]
        assert BreakGlass.objects.live().count() == 1

    def test_breaking_it_while_it_is_rejected_leaves_nothing_served(self, review: Review, people: list[Actor]) -> None:
        ann, bob = people
        broken, rejected = at_once(_breaking(review, ann), lambda: reject(review, bob))
        assert rejected == "done"
        assert broken in ("done", "conflict")
        assert not BreakGlass.objects.live().exists()
        assert served(Server.objects.get()) == {}

    def test_its_end_is_noted_once(self, review: Review, people: list[Actor]) -> None:
        ann, bob = people
        break_glass(review, ann)
        *ended, decided = at_once(lambda: end_now(ann), lambda: end_now(bob), lambda: approve(review, ann))
        assert decided == "done"
        assert ended.count("done") <= 1
        assert Record.objects.filter(event="glass.ended").count() == 1


def _breaking(review: Review, actor: Actor) -> Callable[[], BreakGlass]:
    return lambda: break_glass(review, actor)
