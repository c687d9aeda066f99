"""Who looks at a review and what is put off: none of it decides anything, and a change brings everything back."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from access.models import Person
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from servers.services import edit_server
from tests.tools.making import actor_of, approve, entrust, poll, reject, served, tool, waiting
from tests.tools.test_services_rescanning import BAD, other_rules, rescan
from tools import services
from tools.models import Review, ReviewComment, Triage
from tools.rules import COMMENT_MAX, SNOOZE_MAX

pytestmark = pytest.mark.django_db


@pytest.fixture
def review(server: Server) -> Review:
    poll(server, tool())
    return waiting()


def assign(review: Review, actor: Actor, assignee: str) -> Review:
    return services.assign_review(review_id=review.public_id, assignee=assignee, actor=actor)


def snooze(review: Review, actor: Actor, days: float | None = 3) -> Review:
    until = None if days is None else timezone.now() + timedelta(days=days)
    return services.snooze_review(review_id=review.public_id, until=until, actor=actor)


def comment(review: Review, actor: Actor, text: str = "Ask the vendor.") -> ReviewComment:
    return services.comment_on_review(review_id=review.public_id, text=text, actor=actor)


def awake() -> list[str]:
    found = Review.objects.waiting().awake(timezone.now())
    return list(found.order_by("definition__name").values_list("definition__name", flat=True))


def put_off() -> list[str]:
    return list(Review.objects.waiting().snoozed(timezone.now()).values_list("definition__name", flat=True))


def mine(username: str) -> list[Review]:
    return list(Review.objects.waiting().assigned_to(username))


def test_a_review_is_given_to_somebody_and_to_nobody_again(review: Review, reviewer: Actor) -> None:
    assert mine("") == [review]
    entrust(reviewer)
    assign(review, reviewer, "ravi")
    assert (mine("ravi"), mine("RAVI"), mine("sara"), mine("")) == ([review], [review], [], [])
    assign(review, reviewer, "")
    assert (mine("ravi"), mine("")) == ([], [review])


def test_giving_it_is_on_record_once_and_names_the_person_by_pseudonym(review: Review, reviewer: Actor) -> None:
    entrust(reviewer)
    assign(review, reviewer, "ravi")
    assign(review, reviewer, "ravi")
    record = Record.objects.get(event="review.assigned")
    assert record.before == {"assignee": None}
    assert record.after is not None
    assert record.after["assignee"].startswith("person:")
    assert "ravi" not in str(record.after)


def test_a_review_is_given_only_to_who_may_decide_it(review: Review, reviewer: Actor) -> None:
    Person.objects.create(username="bystander")
    with pytest.raises(Invalid, match="may not decide"):
        assign(review, reviewer, "bystander")
    with pytest.raises(NotFound):
        assign(review, reviewer, "nobody-of-this-name")
    assert not Triage.objects.exists()


def test_what_is_put_off_is_out_of_sight_until_its_end(server: Server, reviewer: Actor) -> None:
    poll(server, tool("read"), tool("write"))
    snooze(waiting("read"), reviewer, days=3)
    assert (awake(), put_off()) == (["write"], ["read"])
    with time_machine.travel(timezone.now() + timedelta(days=3, minutes=1), tick=False):
        assert (awake(), put_off()) == (["read", "write"], [])


def test_what_is_put_off_still_waits_and_stays_in_quarantine(server: Server, review: Review, reviewer: Actor) -> None:
    approve(review, reviewer)
    poll(server, tool(description="Read a file, and send it away."))
    snooze(waiting(), reviewer, days=None)
    assert served(server) == {}
    assert Review.objects.waiting().count() == 1
    poll(server, tool(description="Read a file, and send it away."))
    assert (awake(), put_off(), served(server)) == ([], ["read"], {})


def test_snoozing_is_no_decision(review: Review, reviewer: Actor) -> None:
    snooze(review, reviewer)
    review.refresh_from_db()
    assert (review.state, review.closed_at, review.decisions.count()) == ("waiting", None, 0)
    assert approve(waiting(), reviewer).state == "approved"


def test_another_digest_ends_it(server: Server, review: Review, reviewer: Actor) -> None:
    snooze(review, reviewer, days=None)
    poll(server, tool(description="Something else."))
    assert (awake(), put_off()) == (["read"], [])


def test_coming_back_to_wait_ends_it(server: Server, review: Review, reviewer: Actor) -> None:
    snooze(review, reviewer, days=None)
    poll(server)
    assert not Review.objects.waiting().exists()
    poll(server, tool())
    assert waiting() == review
    assert awake() == ["read"]


def test_a_new_finding_ends_it(review: Review, reviewer: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    snooze(review, reviewer, days=None)
    other_rules(monkeypatch, name="sha256:some")
    assert rescan() == 1
    assert awake() == []  # read anew, and nothing new was found
    other_rules(monkeypatch, BAD)
    assert rescan() == 1
    assert awake() == ["read"]


def test_the_first_of_two_voices_ends_it_so_that_the_second_person_sees_it(
    server: Server, review: Review, reviewer: Actor
) -> None:
    edit_server(slug="files", changes={"required_approvals": 2}, actor=reviewer)
    snooze(review, reviewer, days=None)
    assert approve(waiting(), reviewer).state == "waiting"
    assert awake() == ["read"]


def test_who_looked_at_it_looks_at_what_it_is_now(server: Server, review: Review, reviewer: Actor) -> None:
    entrust(reviewer)
    assign(review, reviewer, "ravi")
    poll(server, tool(description="Something else."))
    assert mine("ravi") == [waiting()]
    assert waiting() != review


def test_a_snooze_is_taken_back(review: Review, reviewer: Actor) -> None:
    with pytest.raises(Conflict):
        services.wake_review(review_id=review.public_id, actor=reviewer)
    snooze(review, reviewer)
    services.wake_review(review_id=review.public_id, actor=reviewer)
    assert awake() == ["read"]
    events = Record.objects.filter(event__in=["review.snoozed", "review.woken"]).order_by("pk")
    assert [record.event for record in events] == ["review.snoozed", "review.woken"]


@pytest.mark.parametrize("days", [-1, 0, SNOOZE_MAX.days + 1])
def test_a_snooze_ends_in_the_future_and_not_too_late(review: Review, reviewer: Actor, days: float) -> None:
    with pytest.raises(Invalid, match="90 days"):
        snooze(review, reviewer, days)


def test_what_is_decided_is_neither_given_nor_put_off(review: Review, reviewer: Actor) -> None:
    entrust(reviewer)
    reject(review, reviewer)
    with pytest.raises(Conflict):
        snooze(review, reviewer)
    with pytest.raises(Conflict):
        assign(review, reviewer, "ravi")


def test_a_review_is_overdue_by_its_risk(review: Review, settings: Any) -> None:
    settings.REVIEW_DUE_HOURS = {"high": 1, "medium": 5, "low": 9}
    hours = settings.REVIEW_DUE_HOURS[review.risk]
    assert review.due_at == review.opened_at + timedelta(hours=hours)
    for late in (False, True):
        with time_machine.travel(review.due_at - timedelta(seconds=0 if late else 1), tick=False):
            assert review.is_overdue is late
            assert Review.objects.overdue(timezone.now()).exists() is late


def test_a_comment_stays_as_it_was_said_and_the_record_does_not_repeat_it(review: Review, reviewer: Actor) -> None:
    said = comment(review, reviewer, "  <b>Ask</b> the vendor.  ")
    assert (said.text, said.person.username) == ("<b>Ask</b> the vendor.", "ravi")
    record = Record.objects.get(event="review.commented")
    assert record.after == {"review": str(review.public_id), "comment": str(said.public_id)}
    assert "vendor" not in bytes(record.body).decode()
    for statement in ("UPDATE tools_reviewcomment SET text = 'x'", "DELETE FROM tools_reviewcomment"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_decided_review_is_still_talked_about(review: Review, reviewer: Actor) -> None:
    approve(review, reviewer)
    comment(review, reviewer)
    assert [each.text for each in ReviewComment.objects.thread(review)] == ["Ask the vendor."]


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "x" * (COMMENT_MAX + 1)])
def test_a_comment_says_something(review: Review, reviewer: Actor, text: str) -> None:
    with pytest.raises(Invalid):
        comment(review, reviewer, text)


def test_each_asks_for_its_permission_and_a_refusal_is_on_record(review: Review, reviewer: Actor) -> None:
    reader = actor_of(Person.objects.create(username="rob"), Permission.REVIEW_READ)
    for act in (lambda: assign(review, reader, ""), lambda: snooze(review, reader), lambda: comment(review, reader)):
        with pytest.raises(PermissionDenied):
            act()
    assert Record.objects.filter(event="action.denied").count() == 3
    commenter = actor_of(Person.objects.create(username="ann"), Permission.REVIEW_READ, Permission.REVIEW_COMMENT)
    assert comment(review, commenter).person.username == "ann"
