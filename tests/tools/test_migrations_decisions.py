"""What the application's own role cannot do to emergencies, returns, withdrawals and openings, even with raw SQL."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Person
from core.actor import Actor
from servers.models import Server
from tests.tools.making import approve, poll, reject, surface, tool, waiting
from tests.tools.test_migrations import DECIDE, person_of, refused, run
from tools import services
from tools.models import BreakGlass, DefinitionVersion, Pin, Review
from tools.services.polling import POLLING

pytestmark = pytest.mark.django_db

GLASS = (
    "INSERT INTO tools_breakglass (public_id, definition_id, version_id, review_id, person_id, reason, set_at,"
    " expires_at, ended_reason) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s, '')"
)
RETURN = (
    "INSERT INTO tools_pin (public_id, definition_id, version_id, review_id, set_at, expires_at, returned_by_id,"
    " returned_why, ended_reason, ended_why) VALUES (gen_random_uuid(), %s, %s, %s, now(), %s, %s, 'because', '', '')"
)
REOPEN = (
    "INSERT INTO tools_review (public_id, definition_id, version_id, state, change, risk, required_approvals,"
    " opened_at, vantage, times, reopens_id)"
    " VALUES (gen_random_uuid(), %s, %s, 'waiting', '{}', 'low', 1, now(), 'poller', 1, %s)"
)
END_LIVE = "UPDATE tools_pin SET ended_at = now(), ended_reason = 'replaced' WHERE ended_at IS NULL"


@pytest.fixture
def person(db: None) -> Person:
    return Person.objects.create(username="mallory")


@pytest.fixture
def review(server: Server) -> Review:
    poll(server, tool())
    return waiting()


class TestGlass:
    def values(self, review: Review, person: Person, /, **changed: Any) -> tuple[Any, ...]:
        now = timezone.now()
        row = {
            "definition": review.definition_id,
            "version": review.version_id,
            "review": review.pk,
            "person": person.pk,
            "reason": "because",
            "set_at": now,
            "expires_at": now + timedelta(hours=24),
        }
        return tuple({**row, **changed}.values())

    def test_one_is_broken_for_what_waits(self, review: Review, person: Person) -> None:
        run(GLASS, *self.values(review, person))
        assert BreakGlass.objects.live().count() == 1

    def test_it_is_bounded_to_a_day_that_begins_now(self, review: Review, person: Person) -> None:
        now = timezone.now()
        longer = self.values(review, person, set_at=now, expires_at=now + timedelta(hours=24, seconds=1))
        assert "a_day_at_most" in refused(GLASS, *longer)
        assert "a_day_at_most" in refused(GLASS, *self.values(review, person, set_at=now, expires_at=now))
        for off in (timedelta(days=1), timedelta(days=-2)):
            moved = self.values(review, person, set_at=now + off, expires_at=now + off + timedelta(hours=1))
            assert "broken now" in refused(GLASS, *moved)

    def test_it_names_exactly_what_waits(self, server: Server, review: Review, person: Person) -> None:
        poll(server, tool(), tool("write"))
        other = waiting("write")
        for changed in ({"version": other.version_id}, {"definition": other.definition_id}, {"review": other.pk}):
            assert "exactly what waits" in refused(GLASS, *self.values(review, person, **changed))

    @pytest.mark.parametrize("state", ["approved", "rejected", "superseded"])
    def test_not_for_what_is_closed(
        self, server: Server, review: Review, reviewer: Actor, person: Person, state: str
    ) -> None:
        {
            "approved": lambda: approve(review, reviewer),
            "rejected": lambda: reject(review, reviewer),
            "superseded": lambda: poll(server, tool(description="else")),
        }[state]()
        assert "exactly what waits" in refused(GLASS, *self.values(review, person))

    def test_not_for_what_only_some_were_shown(
        self, server: Server, review: Review, reviewer: Actor, person: Person
    ) -> None:
        approve(review, reviewer)
        shown = surface(tool(description="else"), vantage="agent:robot")
        services.sight(server=Server.objects.get(), surface=shown, actor=POLLING)
        assert waiting().vantage == "agent:robot"
        assert "exactly what waits" in refused(GLASS, *self.values(waiting(), person))

    def test_one_at_a_time_and_once_per_person_and_version(self, review: Review, person: Person) -> None:
        another = Person.objects.create(username="mick")
        run(GLASS, *self.values(review, person))
        assert "glass_one_broken" in refused(GLASS, *self.values(review, another))
        run("UPDATE tools_breakglass SET ended_at = now(), ended_reason = 'expired'")
        assert "glass_once" in refused(GLASS, *self.values(review, person))
        run(GLASS, *self.values(review, another))

    @pytest.mark.parametrize("reason", ["", " \t\n"])
    def test_a_reason_is_given(self, review: Review, person: Person, reason: str) -> None:
        assert "glass_reason" in refused(GLASS, *self.values(review, person, reason=reason))

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE tools_breakglass SET expires_at = expires_at + interval '1 hour'",
            "UPDATE tools_breakglass SET person_id = person_id + 1, ended_at = now(), ended_reason = 'expired'",
            "UPDATE tools_breakglass SET version_id = version_id",
            "UPDATE tools_breakglass SET ended_at = now(), ended_reason = 'because'",
            "DELETE FROM tools_breakglass",
            "TRUNCATE tools_breakglass",
        ],
    )
    def test_it_is_only_ever_ended(self, review: Review, person: Person, sql: str) -> None:
        run(GLASS, *self.values(review, person))
        refused(sql)

    def test_it_ends_once(self, review: Review, person: Person) -> None:
        run(GLASS, *self.values(review, person))
        run("UPDATE tools_breakglass SET ended_at = now(), ended_reason = 'expired'")
        refused("UPDATE tools_breakglass SET ended_at = NULL, ended_reason = ''")
        refused("UPDATE tools_breakglass SET ended_reason = 'withdrawn'")

    def test_it_approves_nothing(self, review: Review, person: Person) -> None:
        run(GLASS, *self.values(review, person))
        assert "approvals first" in refused(
            "UPDATE tools_review SET state = 'approved', closed_at = clock_timestamp() WHERE id = %s", review.pk
        )

    def test_a_server_is_not_revived_with_a_broken_glass(self, server: Server, review: Review, person: Person) -> None:
        run(GLASS, *self.values(review, person))
        poll(server, tool("other"))  # the review is superseded, the glass stays
        Review.objects.waiting().update(state="superseded", closed_at=timezone.now())
        Server.objects.update(state="retired")
        assert "revived without" in refused(
            "UPDATE servers_server SET state = 'active', registered_at = clock_timestamp(), registered_by_id = NULL"
        )


class TestReturn:
    @pytest.fixture
    def earlier(self, server: Server, review: Review, reviewer: Actor) -> Review:
        """Approved, and replaced by a newer one that is pinned now."""
        approve(review, reviewer)
        poll(server, tool(description="newer"))
        approve(waiting(), reviewer)
        review.refresh_from_db()
        return review

    def values(self, review: Review, person: Person | None, until: Any = None) -> tuple[Any, ...]:
        return review.definition_id, review.version_id, review.pk, until, person.pk if person else None

    def test_it_is_pinned_again_by_somebody_who_says_why(self, earlier: Review, person: Person) -> None:
        run(END_LIVE)
        assert "returned_by_somebody" in refused(RETURN.replace("'because'", "' '"), *self.values(earlier, person))
        assert "sets one pin" in refused(RETURN.replace("'because'", "''"), *self.values(earlier, None))
        run(RETURN, *self.values(earlier, person))

    def test_not_beside_the_live_one(self, earlier: Review, person: Person) -> None:
        assert "pin_one_live" in refused(RETURN, *self.values(earlier, person))

    def test_nobody_returns_where_nothing_was_pinned(
        self, server: Server, review: Review, reviewer: Actor, person: Person
    ) -> None:
        run(DECIDE, review.pk, person_of(reviewer).pk, review.version.digest)
        run("UPDATE tools_review SET state = 'approved', closed_at = clock_timestamp() WHERE id = %s", review.pk)
        assert "sets one pin" in refused(RETURN, *self.values(review, person))

    def test_not_to_what_was_withdrawn(self, earlier: Review, person: Person, reviewer: Actor) -> None:
        live = Pin.objects.live().select_related("version", "review").get()
        services.withdraw_approval(
            definition_id=live.definition.public_id, digest=live.version.digest, reason="x", actor=reviewer
        )
        assert "withdrawn or rejected" in refused(RETURN, *self.values(live.review, person))
        run(RETURN, *self.values(earlier, person))

    def test_not_to_what_was_rejected_since(
        self, server: Server, earlier: Review, person: Person, reviewer: Actor
    ) -> None:
        poll(server, tool())
        reject(waiting(), reviewer)
        run(END_LIVE)
        assert "withdrawn or rejected" in refused(RETURN, *self.values(earlier, person))

    def test_not_to_another_version_than_the_reviews(self, earlier: Review, person: Person) -> None:
        run(END_LIVE)
        newest = DefinitionVersion.objects.latest("id")
        wrong = (earlier.definition_id, newest.pk, earlier.pk, None, person.pk)
        assert "exactly its version" in refused(RETURN, *wrong)

    def test_not_with_half_the_approvals_that_are_asked_by_now(self, earlier: Review, person: Person) -> None:
        run(END_LIVE)
        Server.objects.update(required_approvals=2)
        assert "every approval" in refused(RETURN, *self.values(earlier, person))

    def test_not_for_longer_than_its_approvals_say(
        self, server: Server, review: Review, reviewer: Actor, person: Person
    ) -> None:
        until = timezone.now() + timedelta(days=1)
        approve(review, reviewer, approve_until=until)
        run(END_LIVE)
        assert "no later" in refused(RETURN, *self.values(review, person))
        assert "no later" in refused(RETURN, *self.values(review, person, until + timedelta(seconds=1)))
        run(RETURN, *self.values(review, person, until))

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE tools_pin SET ended_at = now(), ended_reason = 'withdrawn' WHERE ended_at IS NULL",
            "UPDATE tools_pin SET ended_at = now(), ended_reason = 'replaced', ended_why = 'x' WHERE ended_at IS NULL",
            "UPDATE tools_pin SET returned_why = 'x' WHERE ended_at IS NULL",
            "UPDATE tools_pin SET ended_reason = 'replaced' WHERE ended_at IS NULL",
            "UPDATE tools_pin SET ended_at = NULL, ended_reason = '' WHERE ended_at IS NOT NULL",
        ],
    )
    def test_a_withdrawal_has_somebody_and_a_reason_and_stands(self, earlier: Review, sql: str) -> None:
        refused(sql)


class TestOpeningAgain:
    def test_only_a_rejection_of_the_same_version(self, server: Server, review: Review, reviewer: Actor) -> None:
        rejected = reject(review, reviewer)
        poll(server, tool(), tool("write"))
        other = waiting("write")
        run("UPDATE tools_review SET state = 'superseded', closed_at = clock_timestamp() WHERE id = %s", other.pk)
        wrong = (other.definition_id, other.version_id)
        assert "same version" in refused(REOPEN, *wrong, rejected.pk)
        assert "same version" in refused(REOPEN, *wrong, other.pk)
        run(REOPEN, rejected.definition_id, rejected.version_id, rejected.pk)

    def test_once(self, review: Review, reviewer: Actor) -> None:
        rejected = reject(review, reviewer)
        again = (rejected.definition_id, rejected.version_id, rejected.pk)
        run(REOPEN, *again)
        run("UPDATE tools_review SET state = 'superseded', closed_at = clock_timestamp() WHERE state = 'waiting'")
        assert "reopens_id" in refused(REOPEN, *again)

    def test_the_rejection_itself_stays(self, review: Review, reviewer: Actor) -> None:
        rejected = reject(review, reviewer)
        refused("UPDATE tools_review SET state = 'waiting', closed_at = NULL WHERE id = %s", rejected.pk)
        refused("UPDATE tools_review SET reopens_id = id WHERE id = %s", rejected.pk)


class TestVerdicts:
    @pytest.mark.parametrize("verdict", ["dismiss", "maybe"])
    def test_what_everybody_is_shown_is_not_dismissed(self, review: Review, person: Person, verdict: str) -> None:
        sql = DECIDE.replace("'approve'", f"'{verdict}'")
        refused(sql, review.pk, person.pk, review.version.digest)
        refused("UPDATE tools_review SET state = 'dismissed', closed_at = clock_timestamp() WHERE id = %s", review.pk)

    def test_what_only_some_are_shown_is_not_approved_and_not_dismissed_by_too_few(
        self, server: Server, review: Review, reviewer: Actor, person: Person
    ) -> None:
        approve(review, reviewer)
        shown = surface(tool(description="else"), vantage="agent:robot")
        services.sight(server=Server.objects.get(), surface=shown, actor=POLLING)
        different = waiting()
        assert "approved, what only some" in refused(DECIDE, different.pk, person.pk, different.version.digest)
        closing = "UPDATE tools_review SET state = 'dismissed', closed_at = clock_timestamp() WHERE id = %s"
        assert "as many to dismiss" in refused(closing, different.pk)
        Server.objects.update(required_approvals=2)
        dismiss = DECIDE.replace("'approve'", "'dismiss'")
        run(dismiss, different.pk, person.pk, different.version.digest)
        assert "as many to dismiss" in refused(closing, different.pk)
        run(dismiss, different.pk, person_of(reviewer).pk, different.version.digest)
        run(closing, different.pk)


def test_whoever_owns_the_tables_is_stopped_by_the_triggers_as_well(
    make_broken: Callable[[], None], owner_connection: Any
) -> None:
    make_broken()
    for sql in ("DELETE FROM tools_breakglass", "UPDATE tools_breakglass SET expires_at = expires_at"):
        with pytest.raises(Exception, match=r"append-only|only ever ended"):
            owner_connection.execute(sql)
    assert BreakGlass.objects.live().count() == 1


@pytest.fixture
def make_broken() -> Callable[[], None]:
    def make() -> None:
        from tests.tools.making import make_server

        poll(make_server("files"), tool())
        review, person = waiting(), Person.objects.create(username="ravi")
        BreakGlass.objects.create(
            definition=review.definition, version=review.version, review=review, person=person, reason="Night.",
            expires_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip

    return make
