"""Only auditors read payloads, and it takes two others to make one (ADR 0020)."""

import pytest

from access import services
from access.models import ApiToken, Grant, Person
from access.services import Holder, actor_for, give_grant, people_who_may, revoke_grant
from access.services.api_tokens import authenticate_api_token
from core.actor import Actor
from core.errors import PermissionDenied
from core.permissions import Permission
from tests.access.doors import SETUP
from tests.factories import GrantFactory, MembershipFactory, PersonFactory, RoleFactory, TeamFactory, person_with

READ = Permission.PAYLOAD_READ
PASSWORD = "correct horse battery staple"


@pytest.fixture
def second(admin: Actor) -> Actor:
    """Another administrator."""
    return administrator("second", admin)


@pytest.fixture
def ada(admin: Actor) -> Person:
    return PersonFactory.create(username="ada")


def administrator(username: str, actor: Actor) -> Actor:
    person = PersonFactory.create(username=username)
    give_grant(role="administrator", holder=Holder(person=username), actor=actor, reason="A test.")
    return actor_for(person)


def appoint(*actors: Actor, holder: str = "ada") -> list[Grant]:
    return [give_grant(role="auditor", holder=Holder(person=holder), actor=actor, reason="A test.") for actor in actors]


def reads(person: Person) -> bool:
    """Whether they do, as an actor and as the database is asked."""
    as_actor = READ in actor_for(person).permissions | actor_for(person).own_team_permissions
    assert as_actor == (person.pk in people_who_may(READ, team_id=None))
    return as_actor


def test_no_administrator_reads_payloads(admin: Actor) -> None:
    assert admin.permissions == set(Permission) - {READ}


def test_two_administrators_make_an_auditor_and_one_does_not(admin: Actor, second: Actor, ada: Person) -> None:
    appoint(admin)
    assert actor_for(ada).may(Permission.AUDIT_READ)
    assert not reads(ada)
    appoint(admin)
    assert not reads(ada)
    appoint(second)
    assert reads(ada)


def test_whoever_takes_one_voice_back_ends_it(admin: Actor, second: Actor, ada: Person) -> None:
    first, _ = appoint(admin, second)
    revoke_grant(grant_id=first.public_id, actor=second, reason="A test.")
    assert not reads(ada)
    assert actor_for(ada).may(Permission.AUDIT_READ)


def test_nobody_speaks_for_themselves(admin: Actor, second: Actor, boss: Person) -> None:
    appoint(admin, second, holder="boss")
    assert not reads(boss)
    appoint(administrator("third", admin), holder="boss")
    assert reads(boss)


def test_a_voice_on_conditions_does_not_count(admin: Actor, second: Actor, ada: Person) -> None:
    appoint(admin)
    always = {"hours": {"from": "00:00", "to": "24:00"}}
    holder = Holder(person="ada")
    give_grant(role="auditor", holder=holder, actor=second, reason="A test.", conditions=always)
    assert not reads(ada)
    appoint(second)
    assert reads(ada)


def test_our_own_processes_do_not_count(admin: Actor, ada: Person) -> None:
    appoint(admin, SETUP)
    assert not reads(ada)


def test_a_team_does_not_read_payloads(admin: Actor, second: Actor, ada: Person) -> None:
    MembershipFactory.create(team=TeamFactory.create(slug="audit"), person=ada)
    for actor in (admin, second):
        give_grant(role="auditor", holder=Holder(team="audit"), actor=actor, reason="A test.")
    assert actor_for(ada).may(Permission.AUDIT_READ)
    assert not reads(ada)
    PersonFactory.create(username="eve")
    services.add_member(team="audit", username="eve", actor=admin)


def test_a_role_of_ones_own_does_not_let_anybody_read_payloads(admin: Actor, boss: Person, second: Actor) -> None:
    with pytest.raises(PermissionDenied):
        services.create_role(name="mine", scopes=[READ], actor=admin)
    role = RoleFactory.create(name="mine", scopes=[READ])
    person = Person.objects.get(username="second")
    GrantFactory.create(role=role, person=person, granted_by=boss)
    GrantFactory.create(role=role, person=person, granted_by=PersonFactory.create())
    assert not reads(person)


def test_an_administrator_cannot_act_as_an_auditor(admin: Actor, second: Actor, ada: Person) -> None:
    """Nor as one for whom only their own voice is missing: they would set the password, and give it afterwards."""
    appoint(second)
    for _ in range(2):
        with pytest.raises(PermissionDenied):
            services.set_password(username="ada", password=PASSWORD, actor=admin)
        with pytest.raises(PermissionDenied):
            services.create_api_token(username="ada", scopes=[READ], actor=admin)
        appoint(admin)


def test_a_password_is_set_once_nobody_speaks_for_the_auditor(admin: Actor, second: Actor, ada: Person) -> None:
    for grant in appoint(admin, second):
        revoke_grant(grant_id=grant.public_id, actor=admin, reason="The password is lost.")
    services.set_password(username="ada", password=PASSWORD, actor=admin)


def test_a_token_reads_payloads_only_where_it_names_them(admin: Actor, second: Actor, ada: Person) -> None:
    _, before = services.create_api_token(username="ada", actor=admin)
    appoint(admin, second)
    auditor = actor_for(ada)
    _, unnamed = services.create_api_token(username="ada", actor=auditor)
    _, named = services.create_api_token(username="ada", scopes=[READ], actor=auditor)
    held = []
    for token in (before, unnamed, named):
        found = authenticate_api_token(token)
        assert found is not None
        held.append(found[1].may(READ))
    assert held == [False, False, True]
    assert ApiToken.objects.count() == 3


def test_a_token_without_payloads_does_not_set_the_auditors_password(admin: Actor, second: Actor, ada: Person) -> None:
    appoint(admin, second)
    _, token = services.create_api_token(username="ada", actor=actor_for(ada))
    found = authenticate_api_token(token)
    assert found is not None
    with pytest.raises(PermissionDenied):
        services.set_password(username="ada", password=PASSWORD, actor=found[1])
    services.set_password(username="ada", password=PASSWORD, actor=actor_for(ada))


def test_who_gives_grants_without_holding_what_an_auditor_reads_appoints_none(admin: Actor, ada: Person) -> None:
    with pytest.raises(PermissionDenied):
        appoint(actor_for(person_with(Permission.GRANT_MANAGE)))
