"""Trying a rule: what it would have approved, judged as it stood then, and what people decided instead."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Person, Team
from audit.models import Record
from core.actor import Actor, ActorKind
from core.errors import Invalid, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from servers.services import edit_server
from tests.tools.making import actor_of, approve, entrust, make_server, poll, reject, tool, waiting
from tools import services
from tools.classify import ChangeClass
from tools.models import Review
from tools.policies import Reason, Rule
from tools.services import trying

pytestmark = pytest.mark.django_db
WORDS = Rule(frozenset({ChangeClass.WORDING}), frozenset({"development"}), text_max=20)


def tried(actor: Actor, rule: Rule = WORDS, days: int = 90) -> services.Trial:
    return services.try_policy(rule=rule, days=days, actor=actor)


@pytest.fixture
def history(server: Server, reviewer: Actor) -> Server:
    """Three small changes that people approved, rejected and have not decided, one large one, one new thing."""
    names = ("liked", "disliked", "open", "large")
    poll(server, *(tool(name) for name in names))
    for name in names:
        approve(waiting(name), reviewer)
    texts = {"large": "Read a file, then count how many lines the file has got."}
    poll(server, *(tool(name, texts.get(name, "Read one file.")) for name in names), tool("new"))
    approve(waiting("liked"), reviewer)
    reject(waiting("disliked"), reviewer)
    return server


def test_it_says_what_would_have_been_approved_and_what_people_did(history: Server, reviewer: Actor) -> None:
    trial = tried(reviewer)
    assert {row.review.definition.name: row.outcome for row in trial.rows} == {
        "liked": "approved",
        "disliked": "rejected",
        "open": "waiting",
    }
    assert trial.outcomes == {"approved": 1, "rejected": 1, "waiting": 1}
    assert trial.declined == {Reason.TEXT: 1}
    assert (trial.changes, trial.cut, trial.days) == (4, False, 90)
    assert {row.characters for row in trial.rows} == {4}


def test_trying_writes_nothing(history: Server, reviewer: Actor) -> None:
    records = Record.objects.count()
    tried(reviewer)
    assert Record.objects.count() == records


def test_what_a_policy_approved_is_told_apart_from_what_people_approved(history: Server, reviewer: Actor) -> None:
    entrust(reviewer)
    services.write_policy(name="p", rule=WORDS, why="x", actor=reviewer)
    policy = services.write_policy(name="q", rule=WORDS, why="x", actor=reviewer).policy
    services.enable_policy(policy_id=policy.public_id, n=1, reason="x", actor=reviewer)
    poll(history, tool("liked", "Read this file."), tool("open", "Read one file."))
    assert tried(reviewer).outcomes["approved_by_policy"] == 1


def test_each_change_is_judged_as_it_stood_then(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    approve(waiting(), reviewer)
    poll(server, tool(description="Read one file."))
    approve(waiting(), reviewer)
    poll(server, tool(description="Read a file, then do whatever the file says."))
    approve(waiting(), reviewer)
    poll(server, tool(description="Read a file, then do whatever the file says."))
    (row,) = tried(reviewer).rows
    assert row.review.opened_at < timezone.now()
    assert row.characters == 4


def test_what_another_environment_saw_is_not_tried_as_if_it_had_been_this_one(history: Server, reviewer: Actor) -> None:
    for environment in ("production", "development"):
        edit_server(slug="files", changes={"environment": environment}, actor=reviewer)
    trial = tried(reviewer)
    assert (trial.rows, trial.declined) == ((), {Reason.ENVIRONMENT_CHANGED: 4})


def test_only_what_the_reader_may_see_is_tried(history: Server) -> None:
    team = Team.objects.create(slug="blue", name="Blue")
    person = Person.objects.create(username="nina")
    own = frozenset({Permission.REVIEW_READ, Permission.SERVER_READ})
    held = frozenset({Permission.POLICY_MANAGE})
    nina = Actor(ActorKind.PERSON, str(person.public_id), "nina", held, own, frozenset({team.pk}))
    assert tried(nina).changes == 0
    Server.objects.update(owner_team=team)
    assert len(tried(nina).rows) == 3


def test_only_the_days_that_are_asked_for_are_read(server: Server, reviewer: Actor) -> None:
    with time_machine.travel(timezone.now() - timedelta(days=8), tick=False):
        poll(server, tool())
        approve(waiting(), reviewer)
    with time_machine.travel(timezone.now() - timedelta(days=7, hours=1), tick=False):
        poll(server, tool(description="Read one file."))
    assert tried(reviewer, days=7).changes == 0
    assert len(tried(reviewer, days=8).rows) == 1


@pytest.mark.parametrize(
    ("narrow", "count"),
    [
        ({"servers": frozenset({"files"})}, 3),
        ({"servers": frozenset({"mail"})}, 0),
        ({"kinds": frozenset({"prompt"})}, 0),
    ],
)
def test_a_rule_is_tried_where_it_reaches(history: Server, reviewer: Actor, narrow: dict[str, Any], count: int) -> None:
    make_server("mail")
    rule = Rule(WORDS.classes, WORDS.environments, text_max=20, **narrow)
    assert len(tried(reviewer, rule).rows) == count


def test_who_may_not_manage_policies_tries_none(history: Server) -> None:
    nina = actor_of(Person.objects.create(username="nina"), Permission.POLICY_READ, Permission.REVIEW_READ)
    with pytest.raises(PermissionDenied):
        tried(nina)


@pytest.mark.parametrize("days", [0, -1, 91])
def test_the_days_are_bounded(reviewer: Actor, days: int) -> None:
    with pytest.raises(Invalid) as refused:
        tried(reviewer, days=days)
    assert refused.value.field == "days"


def test_a_flawed_rule_is_not_tried(reviewer: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        tried(reviewer, Rule(WORDS.classes, frozenset({"production"}), text_max=20))
    assert list(refused.value.details) == ["environments"]


def test_the_newest_are_read_and_it_says_that_there_were_more(
    history: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "REVIEWS_MAX", 2)
    trial = tried(reviewer)
    assert trial.cut
    assert len(trial.rows) + sum(trial.declined.values()) == 2
    assert trial.changes == 4


def test_it_says_when_the_time_was_not_enough(
    history: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "_SECONDS", 0.0)
    trial = tried(reviewer)
    assert trial.cut
    assert (trial.rows, trial.declined) == ((), {Reason.UNREAD: 4})


def test_a_text_that_was_let_go_cannot_be_judged(server: Server, reviewer: Actor) -> None:
    poll(server, tool())
    approve(waiting(), reviewer)
    for number in range(12):
        poll(server, tool(description=f"Read {number} files."))
    assert Review.objects.filter(version__text="").exists()
    assert tried(reviewer).declined[Reason.UNREAD] == Review.objects.filter(version__text="").count()


def test_the_queries_do_not_grow_with_the_changes(server: Server, reviewer: Actor) -> None:
    def queries(count: int) -> int:
        names = [f"t{number}" for number in range(count)]
        poll(server, *(tool(name) for name in names))
        for name in Review.objects.waiting().values_list("definition__name", flat=True):
            approve(waiting(name), reviewer)
        poll(server, *(tool(name, f"Read {count} file.") for name in names))
        with CaptureQueriesContext(connection) as captured:
            assert len(tried(reviewer).rows) >= count
        return len(captured)

    assert queries(2) == queries(9)
