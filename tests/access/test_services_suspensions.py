"""The kill switch: who sets it, who lifts it, what it stops in this process, and that no table lets it be undone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from access import services
from access.models import ApiToken, Person, Revision, Suspension
from access.rules import Rule
from access.services import Target, actor_for, lift, suspended_now, target_of
from access.services.api_tokens import authenticate_api_token, insert_api_token
from access.services.suspensions import suspend as suspend_target
from access.suspended import SuspensionKind
from audit.models import Record
from core.actor import Actor, system_actor
from core.errors import Conflict, DomainError, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests import databases
from tests.access.doors import SETUP
from tests.console.world import administrator
from tests.factories import AgentFactory, MembershipFactory, PersonFactory, TeamFactory, person_with

pytestmark = pytest.mark.django_db
HOST = system_actor("host", Permission.SUSPENSION_SET, Permission.SUSPENSION_LIFT)
PASSWORD = "correct horse battery"


@pytest.fixture
def boss() -> Person:
    return administrator(username="boss")


@pytest.fixture
def deputy() -> Person:
    return administrator(username="deputy")


def suspend(kind: str, name: str, actor: Actor, reason: str = "It leaks.") -> Suspension:
    return suspend_target(target=target_of(kind=SuspensionKind(kind), name=name), actor=actor, reason=reason)


def stopped() -> Suspension:
    return suspend("everything", "", HOST)


def test_a_second_person_lifts_what_one_suspended_and_both_are_on_record(boss: Person, deputy: Person) -> None:
    agent = AgentFactory.create(owner_team=TeamFactory.create(slug="blue"))
    row = suspend("agent", agent.client_id, actor_for(boss))
    with pytest.raises(Conflict, match="Another person lifts it"):
        lift(suspension_id=row.public_id, actor=actor_for(boss), reason="Never mind.")
    assert suspended_now() is not None
    lifted = lift(suspension_id=row.public_id, actor=actor_for(deputy), reason="Repaired.")
    assert (lifted.suspended_by, lifted.lifted_by, lifted.lift_reason) == (boss, deputy, "Repaired.")
    assert suspended_now() is None
    first, second = Record.objects.filter(event__startswith="suspension.").order_by("id")
    assert (first.event, first.reason, second.event, second.reason) == (
        "suspension.set", "It leaks.", "suspension.lifted", "Repaired.",
    )  # fmt: skip
    assert first.subject == second.subject == f"agent:{agent.client_id}"
    assert (first.owner_team, first.agent) == ("blue", agent.client_id)
    assert first.after == {"suspension": str(row.public_id), "kind": "agent", "on_the_host": False}


def test_what_was_lifted_can_be_suspended_again_but_not_lifted_twice(boss: Person, deputy: Person) -> None:
    first = suspend("everything", "", actor_for(boss))
    with pytest.raises(Conflict, match="suspended already"):
        suspend("everything", "", actor_for(deputy))
    lift(suspension_id=first.public_id, actor=actor_for(deputy), reason="Repaired.")
    with pytest.raises(Conflict, match="lifted already"):
        lift(suspension_id=first.public_id, actor=actor_for(deputy), reason="Repaired.")
    assert suspend("everything", "", actor_for(deputy)).pk != first.pk


def test_the_host_lifts_alone_and_the_record_says_so(boss: Person) -> None:
    row = suspend("everything", "", actor_for(boss))
    lift(suspension_id=row.public_id, actor=HOST, reason="There is nobody else.")
    last = Record.objects.filter(event="suspension.lifted").latest("id")
    assert (last.actor, (last.after or {})["on_the_host"]) == ("system:host", True)
    assert Suspension.objects.get().lifted_by is None


def test_a_person_stands_in_records_under_their_pseudonym(boss: Person) -> None:
    ada = PersonFactory.create(username="ada")
    suspend("person", "ada", actor_for(boss))
    written = Record.objects.get(event="suspension.set")
    assert written.subject.startswith("person:")
    assert str(ada.public_id) not in str(written.after)
    assert Suspension.objects.titled().get().title == "ada"  # type: ignore[attr-defined]  # `titled` gives it


def test_gateways_are_told_by_the_revision_of_access(boss: Person, deputy: Person) -> None:
    before = Revision.objects.get(part="access").n
    row = suspend("everything", "", actor_for(boss))
    between = Revision.objects.get(part="access").n
    lift(suspension_id=row.public_id, actor=actor_for(deputy), reason="x")
    assert before < between < Revision.objects.get(part="access").n


def test_a_team_stops_with_its_people_and_agents(boss: Person) -> None:
    team = TeamFactory.create(slug="blue")
    agent, other = AgentFactory.create(owner_team=team), AgentFactory.create()
    ada = MembershipFactory.create(team=team, person=PersonFactory.create()).person
    suspend("team", "blue", actor_for(boss))
    suspend("agent", other.client_id, actor_for(boss))
    found = suspended_now()
    assert found is not None
    assert dict(found.agents) == {agent.pk: Rule.SUSPENDED_TEAM, other.pk: Rule.SUSPENDED_AGENT}
    assert dict(found.people) == {ada.pk: Rule.SUSPENDED_TEAM}
    assert found.teams == {"blue"}


def test_nobody_leaves_a_team_while_it_is_suspended(boss: Person, deputy: Person) -> None:
    ada = MembershipFactory.create(team=TeamFactory.create(slug="blue"), person=PersonFactory.create()).person
    row = suspend("team", "blue", actor_for(boss))
    with pytest.raises(Conflict, match="suspended"):
        services.remove_member(team="blue", username=ada.username, actor=actor_for(boss))
    lift(suspension_id=row.public_id, actor=actor_for(deputy), reason="Repaired.")
    services.remove_member(team="blue", username=ada.username, actor=actor_for(boss))


@pytest.mark.parametrize(
    ("kind", "name", "error"),
    [
        ("agent", "absent", NotFound),
        ("agent", "a\0", NotFound),
        ("person", "absent", NotFound),
        ("team", "absent", NotFound),
        ("team", "", NotFound),
        ("everything", "files", Invalid),
    ],
)
def test_what_is_not_there_cannot_be_suspended(boss: Person, kind: str, name: str, error: type[DomainError]) -> None:
    with pytest.raises(error) as refused:
        suspend(kind, name, actor_for(boss))
    assert refused.value.field == "name"


def test_both_ways_need_a_reason(boss: Person, deputy: Person) -> None:
    with pytest.raises(Invalid):
        suspend("everything", "", actor_for(boss), reason=" ")
    row = suspend("everything", "", actor_for(boss))
    with pytest.raises(Invalid):
        lift(suspension_id=row.public_id, actor=actor_for(deputy), reason="")


def test_setting_and_lifting_are_two_permissions(boss: Person) -> None:
    sets, lifts = (actor_for(person_with(name)) for name in (Permission.SUSPENSION_SET, Permission.SUSPENSION_LIFT))
    with pytest.raises(PermissionDenied):
        suspend("everything", "", lifts)
    row = suspend("everything", "", sets)
    with pytest.raises(PermissionDenied):
        lift(suspension_id=row.public_id, actor=actor_for(person_with(Permission.SUSPENSION_SET)), reason="x")
    assert Record.objects.filter(event="action.denied").count() == 2
    lift(suspension_id=row.public_id, actor=lifts, reason="x")


def test_an_owner_suspends_what_their_team_owns_and_lifts_nothing(boss: Person) -> None:
    services.ensure_builtin_roles()
    team = TeamFactory.create(slug="blue")
    owner = MembershipFactory.create(team=team, person=PersonFactory.create(username="olga")).person
    services.give_grant(role="owner", holder=services.Holder(person="olga"), actor=SETUP, reason="A test.")
    actor = actor_for(owner)
    theirs, own = AgentFactory.create(), AgentFactory.create(owner_team=team)
    for kind, name in (("agent", theirs.client_id), ("person", "boss"), ("everything", "")):
        with pytest.raises(PermissionDenied):
            suspend(kind, name, actor)
    row = suspend("agent", own.client_id, actor)
    with pytest.raises(PermissionDenied):
        lift(suspension_id=row.public_id, actor=actor, reason="x")
    suspend("everything", "", actor_for(boss))
    suspend("agent", theirs.client_id, actor_for(boss))
    assert set(Suspension.objects.visible_to(actor).values_list("kind", "name")) == {
        ("everything", ""), ("agent", own.client_id),
    }  # fmt: skip


# --- people --------------------------------------------------------------------------------------------------


def sign_in(person: Person) -> Client:
    person.set_password(PASSWORD)
    person.save()
    browser = Client()
    browser.post("/sign-in/", {"username": person.username, "password": PASSWORD})
    return browser


@pytest.mark.parametrize("kind", ["person", "team"])
def test_a_suspended_person_is_signed_out_kept_out_and_let_in_again(boss: Person, deputy: Person, kind: str) -> None:
    ada = MembershipFactory.create(team=TeamFactory.create(slug="blue"), person=PersonFactory.create()).person
    token = insert_api_token(ada, actor=SETUP, scopes=[], name="")[1]
    browser = sign_in(ada)
    assert browser.get("/preferences/").status_code == 200
    row = suspend(kind, ada.username if kind == "person" else "blue", actor_for(boss))
    assert browser.get("/preferences/").status_code == 302
    assert sign_in(ada).get("/preferences/").status_code == 302
    assert authenticate_api_token(token) is None
    assert Record.objects.filter(event="person.sign_in_failed", reason="suspended").count() == 1
    lift(suspension_id=row.public_id, actor=actor_for(deputy), reason="It was not her.")
    assert sign_in(ada).get("/preferences/").status_code == 200
    assert authenticate_api_token(token) is not None
    assert ApiToken.objects.get().revoked_at is None


def test_everything_keeps_nobody_out_of_the_console(boss: Person) -> None:
    stopped()
    assert sign_in(boss).get("/preferences/").status_code == 200
    assert authenticate_api_token(insert_api_token(boss, actor=SETUP, scopes=[], name="")[1]) is not None


def test_the_last_administrator_cannot_be_suspended_not_even_with_their_team(boss: Person) -> None:
    MembershipFactory.create(team=TeamFactory.create(slug="blue"), person=boss)
    for kind, name in (("person", "boss"), ("team", "blue")):
        with pytest.raises(Conflict, match="Nobody would be left"):
            suspend(kind, name, HOST)
    assert not Suspension.objects.exists()


def test_a_suspended_person_counts_among_nobody_who_may(boss: Person, deputy: Person) -> None:
    assert deputy.pk in services.people_who_may(Permission.REVIEW_DECIDE, team_id=None)
    suspend("person", "deputy", actor_for(boss))
    assert deputy.pk not in services.people_who_may(Permission.REVIEW_DECIDE, team_id=None)


# --- the table -----------------------------------------------------------------------------------------------

UNDOING = (
    "UPDATE access_suspension SET kind = 'agent', name = 'x'",
    "UPDATE access_suspension SET reason = 'Another.'",
    "UPDATE access_suspension SET suspended_by_id = NULL, suspended_at = suspended_at - interval '1 day'",
    "UPDATE access_suspension SET lifted_at = now(), lift_reason = 'x', name = 'x'",
    "UPDATE access_suspension SET lifted_at = now(), lift_reason = 'x', lifted_by_id = suspended_by_id",
    "UPDATE access_suspension SET lifted_at = now()",
    "UPDATE access_suspension SET lifted_at = suspended_at - interval '1 second', lift_reason = 'x'",
    "UPDATE access_suspension SET lift_reason = 'x'",
    "DELETE FROM access_suspension",
)


@pytest.mark.parametrize("statement", UNDOING)
def test_the_applications_role_can_undo_no_suspension(boss: Person, statement: str) -> None:
    suspend("agent", AgentFactory.create().client_id, actor_for(boss))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_was_lifted_stays_as_it_was_lifted(boss: Person, deputy: Person) -> None:
    row = suspend("everything", "", actor_for(boss))
    lift(suspension_id=row.public_id, actor=actor_for(deputy), reason="Repaired.")
    for change in ({"lifted_at": None, "lifted_by": None, "lift_reason": ""}, {"lift_reason": "Another."}):
        with pytest.raises(IntegrityError, match="only ever lifted, once"), transaction.atomic():
            Suspension.objects.update(**change)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "house"},
        {"kind": "agent", "name": ""},
        {"kind": "everything", "name": "x"},
        {"reason": " "},
        {"lifted_at": timezone.now(), "lift_reason": "x"},
        {"suspended_at": timezone.now() - timedelta(days=1)},
    ],
)
def test_no_row_begins_otherwise_than_suspended_now(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Suspension.objects.create(**{"kind": "everything", "reason": "x", **fields})


@pytest.mark.django_db(transaction=True)
def test_not_even_the_owners_role_deletes_or_shortens_one() -> None:
    suspend_target(target=Target(SuspensionKind.EVERYTHING, "", "installation:everything"), actor=HOST, reason="x")
    database = str(connection.settings_dict["NAME"])
    with databases.owner_connection(database) as owner:
        for statement in (*UNDOING[1:3], "DELETE FROM access_suspension", "TRUNCATE access_suspension"):
            with pytest.raises(Exception, match="a suspension is"):
                owner.execute(statement)
    assert Suspension.objects.live().exists()
