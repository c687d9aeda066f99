"""Writing, revising, confirming, enabling and disabling policies: who may, in which order, on record."""

from typing import Any
from uuid import uuid4

import pytest

from access.models import Person, Team
from audit.models import Record
from core.actor import Actor, ActorKind, system_actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.tools.making import actor_of, make_server
from tools import services
from tools.classify import ChangeClass
from tools.models import ChangePolicy, PolicyRevision
from tools.policies import Rule

pytestmark = pytest.mark.django_db
RULE = Rule(frozenset({ChangeClass.WORDING, ChangeClass.TITLE}), frozenset({"development"}), text_max=9)


def write(actor: Actor, **values: Any) -> PolicyRevision:
    return services.write_policy(**{"name": "small", "rule": RULE, "why": "Typing mistakes.", **values}, actor=actor)


@pytest.fixture
def revision(reviewer: Actor) -> PolicyRevision:
    return write(reviewer)


def last() -> Record:
    return Record.objects.latest("pk")


def test_a_written_policy_is_off_and_on_record(revision: PolicyRevision, reviewer: Actor) -> None:
    policy = ChangePolicy.objects.get()
    assert (policy.name, policy.in_force, revision.n) == ("small", None, 1)
    assert (revision.classes, revision.environments) == (["title", "wording"], ["development"])
    record = last()
    assert (record.event, record.type, record.subject) == ("policy.written", "config", "policy:small")
    assert record.reason == "Typing mistakes."
    assert record.after is not None
    assert (record.after["revision"], record.after["text_max"]) == (1, 9)


def test_a_name_is_taken_once_whatever_surrounds_it(revision: PolicyRevision, reviewer: Actor) -> None:
    with pytest.raises(Conflict) as refused:
        write(reviewer, name="  small ")
    assert refused.value.field == "name"


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\0b", "a\nb", "a\u202eb"])
def test_a_name_says_something_printable(reviewer: Actor, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        write(reviewer, name=name)
    assert refused.value.field == "name"


@pytest.mark.parametrize("why", ["", " \n", "x" * 2001, "a\0b"])
def test_it_is_said_why(reviewer: Actor, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        write(reviewer, why=why)
    assert refused.value.field == "why"


def test_a_flawed_rule_is_refused_by_field(reviewer: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        write(reviewer, rule=Rule(frozenset({ChangeClass.INSTRUCTIONS}), frozenset({"moon"})))
    assert sorted(refused.value.details) == ["classes", "environments"]


def test_a_rule_names_servers_that_there_are(reviewer: Actor) -> None:
    make_server("files")
    known = Rule(RULE.classes, RULE.environments, servers=frozenset({"files"}), text_max=9)
    assert write(reviewer, rule=known).servers == ["files"]
    unknown = Rule(RULE.classes, RULE.environments, servers=frozenset({"files", "absent"}), text_max=9)
    with pytest.raises(Invalid) as refused:
        write(reviewer, name="other", rule=unknown)
    assert refused.value.details == {"servers": "There is no server absent."}


def test_a_revision_leaves_the_one_in_force_in_force(revision: PolicyRevision, reviewer: Actor) -> None:
    policy_id = revision.policy.public_id
    services.enable_policy(policy_id=policy_id, n=1, reason="Tried it.", actor=reviewer)
    second = services.revise_policy(policy_id=policy_id, rule=RULE, why="More.", actor=reviewer)
    assert second.n == 2
    assert ChangePolicy.objects.get().in_force == revision
    services.enable_policy(policy_id=policy_id, n=2, reason="Tried it too.", actor=reviewer)
    assert ChangePolicy.objects.get().in_force == second
    record = last()
    assert (record.event, record.before, record.reason) == ("policy.enabled", {"revision": 1}, "Tried it too.")


def test_another_person_confirms_once(revision: PolicyRevision, reviewer: Actor, second_reviewer: Actor) -> None:
    policy_id = revision.policy.public_id
    with pytest.raises(PermissionDenied, match="another person"):
        services.confirm_revision(policy_id=policy_id, n=1, reason="Mine.", actor=reviewer)
    assert last().event == "action.denied"
    signed = services.confirm_revision(policy_id=policy_id, n=1, reason="Read it.", actor=second_reviewer)
    assert signed.confirmed_by is not None
    assert str(signed.confirmed_by.public_id) == second_reviewer.id
    assert (last().event, last().reason) == ("policy.confirmed", "Read it.")
    with pytest.raises(Conflict, match="already"):
        services.confirm_revision(policy_id=policy_id, n=1, reason="Again.", actor=actor_of(third()))


def third() -> Person:
    return Person.objects.create(username="tara")


def test_disabling_is_recorded_and_happens_once(revision: PolicyRevision, reviewer: Actor) -> None:
    policy_id = revision.policy.public_id
    with pytest.raises(Conflict):
        services.disable_policy(policy_id=policy_id, reason="x", actor=reviewer)
    services.enable_policy(policy_id=policy_id, n=1, reason="x", actor=reviewer)
    with pytest.raises(Conflict, match="in force already"):
        services.enable_policy(policy_id=policy_id, n=1, reason="x", actor=reviewer)
    assert services.disable_policy(policy_id=policy_id, reason="Enough.", actor=reviewer).in_force is None
    assert (last().event, last().before, last().reason) == ("policy.disabled", {"revision": 1}, "Enough.")


COMMANDS: dict[str, dict[str, Any]] = {
    "revise_policy": {"rule": RULE, "why": "x"},
    "confirm_revision": {"n": 1, "reason": "x"},
    "enable_policy": {"n": 1, "reason": "x"},
    "disable_policy": {"reason": "x"},
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "permissions", [(Permission.POLICY_READ,), (Permission.REVIEW_DECIDE,)], ids=["read", "decide"]
)
def test_who_may_not_manage_is_refused_and_it_is_recorded(
    revision: PolicyRevision, name: str, permissions: tuple[str, ...]
) -> None:
    nina = actor_of(third(), *permissions)
    with pytest.raises(PermissionDenied):
        getattr(services, name)(policy_id=revision.policy.public_id, actor=nina, **COMMANDS[name])
    assert last().event == "action.denied"
    assert (ChangePolicy.objects.get().in_force, PolicyRevision.objects.count()) == (None, 1)


@pytest.mark.parametrize("name", ["revise_policy", "confirm_revision"])
def test_who_may_not_decide_reviews_signs_nothing_and_may_still_put_in_force(
    revision: PolicyRevision, name: str
) -> None:
    policy_id = revision.policy.public_id
    nina = actor_of(third(), Permission.POLICY_MANAGE, Permission.POLICY_READ)
    with pytest.raises(PermissionDenied, match="review:decide"):
        getattr(services, name)(policy_id=policy_id, actor=nina, **COMMANDS[name])
    assert last().event == "action.denied"
    assert PolicyRevision.objects.get().confirmed_by is None
    assert services.enable_policy(policy_id=policy_id, n=1, reason="x", actor=nina).in_force == revision
    assert services.disable_policy(policy_id=policy_id, reason="x", actor=nina).in_force is None


def test_deciding_for_a_team_is_not_enough_to_write_what_decides_for_all() -> None:
    team = Team.objects.create(slug="blue", name="Blue")
    held, own = frozenset({Permission.POLICY_MANAGE, Permission.POLICY_READ}), frozenset({Permission.REVIEW_DECIDE})
    nina = Actor(ActorKind.PERSON, str(third().public_id), "tara", held, own, frozenset({team.pk}))
    with pytest.raises(PermissionDenied, match="review:decide"):
        write(nina)
    assert not ChangePolicy.objects.exists()


def test_no_process_writes_a_policy() -> None:
    with pytest.raises(PermissionDenied):
        write(system_actor("robot", *Permission))


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_policy_is_not_found(reviewer: Actor, name: str) -> None:
    with pytest.raises(NotFound):
        getattr(services, name)(policy_id=uuid4(), actor=reviewer, **COMMANDS[name])


@pytest.mark.parametrize("n", [0, 2, -1, 2**31, 2**70])
def test_an_unknown_revision_is_not_found(revision: PolicyRevision, reviewer: Actor, n: int) -> None:
    with pytest.raises(NotFound):
        services.enable_policy(policy_id=revision.policy.public_id, n=n, reason="x", actor=reviewer)


@pytest.mark.parametrize("name", ["confirm_revision", "enable_policy", "disable_policy"])
def test_every_command_asks_why(revision: PolicyRevision, reviewer: Actor, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        getattr(services, name)(
            policy_id=revision.policy.public_id, actor=reviewer, **{**COMMANDS[name], "reason": " "}
        )
    assert refused.value.field == "reason"
