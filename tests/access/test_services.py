"""Commands on people, teams, roles, grants, agents and API tokens: who may, what happens, what is recorded."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from access import services
from access.models import (
    AccessToken,
    Agent,
    ApiToken,
    FailedDocument,
    Grant,
    Person,
    ProtectedResource,
    RequestCount,
    Revision,
    Role,
    Team,
)
from access.services import Holder
from access.services.builtin import BUILTIN_ROLES
from audit.models import Record
from core.actor import ANONYMOUS, Actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.access.doors import SETUP
from tests.factories import (
    AgentFactory,
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    ProtectedResourceFactory,
    RoleFactory,
    TeamFactory,
    actor_with,
    administrator,
    person_with,
)

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
REDIRECT = "http://localhost/callback"


def events() -> list[str]:
    return list(Record.objects.order_by("id").values_list("event", flat=True))


def last() -> Any:
    return Record.objects.latest("id")


def revision() -> int:
    return Revision.objects.get(part="access").n


# --- who may do what -----------------------------------------------------------------------------------------


def command_calls() -> list[tuple[str, str, dict[str, Any]]]:
    reason = {"reason": "A test."}
    return [
        ("create_person", Permission.PERSON_MANAGE, {"username": "new", "password": PASSWORD}),
        ("deactivate_person", Permission.PERSON_MANAGE, {"username": "victim", **reason}),
        ("reactivate_person", Permission.PERSON_MANAGE, {"username": "victim", **reason}),
        ("set_password", Permission.PERSON_MANAGE, {"username": "victim", "password": PASSWORD}),
        ("create_team", Permission.TEAM_MANAGE, {"slug": "red"}),
        ("add_member", Permission.TEAM_MANAGE, {"team": "blue", "username": "victim"}),
        ("remove_member", Permission.TEAM_MANAGE, {"team": "blue", "username": "victim"}),
        ("create_role", Permission.ROLE_MANAGE, {"name": "new", "scopes": ["mcp:connect"]}),
        ("give_grant", Permission.GRANT_MANAGE, {"role": "empty", "holder": Holder(person="victim"), **reason}),
        ("register_agent", Permission.AGENT_MANAGE, {"name": "new"}),
        ("suspend_agent", Permission.AGENT_MANAGE, {"client_id": "bot", **reason}),
        ("resume_agent", Permission.AGENT_MANAGE, {"client_id": "bot", **reason}),
        ("rotate_secret", Permission.AGENT_MANAGE, {"client_id": "bot", **reason}),
        ("create_api_token", Permission.TOKEN_MANAGE, {"username": "victim"}),
    ]


@pytest.mark.parametrize(("command", "permission", "arguments"), command_calls(), ids=lambda value: str(value)[:20])
def test_a_command_needs_its_permission_and_its_denial_is_recorded(
    command: str, permission: str, arguments: dict[str, Any]
) -> None:
    PersonFactory.create(username="victim")
    TeamFactory.create(slug="blue")
    RoleFactory.create(name="empty")
    AgentFactory.create(client_id="bot")
    everything_else = actor_with(*(set(Permission) - {permission}))
    for actor in (everything_else, ANONYMOUS):
        with pytest.raises(PermissionDenied, match=permission):
            getattr(services, command)(**arguments, actor=actor)
        assert (last().event, last().type, last().decision) == ("action.denied", "deny", "denied")
        assert last().after == {"permission": str(permission)}
    assert not Revision.objects.exists()


# --- actors --------------------------------------------------------------------------------------------------


def test_an_actor_holds_what_own_and_team_grants_give_now() -> None:
    person = person_with("server:read", "mcp:files:call")
    team = MembershipFactory.create(person=person).team
    GrantFactory.create(role=RoleFactory.create(scopes=["audit:read"]), team=team)
    GrantFactory.create(role=RoleFactory.create(scopes=["server:edit"], reach="own_teams"), person=person)
    GrantFactory.create(role=RoleFactory.create(scopes=["role:manage"]), person=person, revoked_at=timezone.now())
    GrantFactory.create(role=RoleFactory.create(scopes=["team:manage"]), person=person, environment="staging")
    limited = RoleFactory.create(scopes=["token:manage"])
    GrantFactory.create(role=limited, person=person, conditions={"networks": ["0.0.0.0/0"]})
    GrantFactory.create(role=RoleFactory.create(scopes=["agent:manage"]), team=TeamFactory.create())
    ended = GrantFactory.create(role=RoleFactory.create(scopes=["grant:manage"]), person=person)
    past = timezone.now() - timedelta(days=1)
    Grant.objects.filter(pk=ended.pk).update(created_at=past, expires_at=past + timedelta(hours=1))
    actor = services.actor_for(person)
    assert actor.permissions == {"server:read", "audit:read"}
    assert actor.own_team_permissions == {"server:edit"}
    assert actor.team_ids == {team.pk}
    assert actor.may("server:edit", team_id=team.pk)
    assert not actor.may("server:edit")


def test_an_actor_is_narrowed_by_scopes_and_holds_nothing_when_inactive() -> None:
    person = person_with("server:read", "audit:read")
    assert services.actor_for(person, narrowed_to=["audit:read", "role:manage"]).permissions == {"audit:read"}
    person.is_active = False
    assert services.actor_for(person).permissions == frozenset()


# --- people --------------------------------------------------------------------------------------------------


def test_a_person_is_created_with_a_role_in_one_command(admin: Actor) -> None:
    before = revision()
    person = services.create_person(username="Ada", password=PASSWORD, role="reviewer", actor=admin)
    assert services.actor_for(person).may(Permission.REVIEW_DECIDE)
    assert person.check_password(PASSWORD)
    assert events()[-2:] == ["person.created", "grant.given"]
    assert revision() > before
    assert "Ada" not in f"{last().subject} {last().before} {last().after}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "ада"}, "username"),
        ({"username": "a" * 151}, "username"),
        ({"username": "a\0"}, "username"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"email": "nobody"}, "email"),
        ({"display_name": "a\nb"}, "display_name"),
    ],
)
def test_a_person_needs_fitting_values(admin: Actor, changes: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.create_person(**{"username": "ada", "password": PASSWORD, **changes}, actor=admin)
    assert caught.value.field == field


def test_user_names_are_unique_whatever_their_case(admin: Actor) -> None:
    services.create_person(username="ada", password=PASSWORD, actor=admin)
    with pytest.raises(Conflict) as caught:
        services.create_person(username="ADA", password=PASSWORD, actor=admin)
    assert caught.value.field == "username"


def test_nothing_remains_of_a_person_whose_role_may_not_be_given(admin: Actor) -> None:
    recruiter = actor_with("person:manage", "grant:manage")
    with pytest.raises(PermissionDenied):
        services.create_person(username="ada", password=PASSWORD, role="administrator", actor=recruiter)
    with pytest.raises(NotFound):
        services.create_person(username="ada", password=PASSWORD, role="absent", actor=admin)
    assert not Person.objects.filter(username="ada").exists()


def test_deactivating_ends_every_token(admin: Actor) -> None:
    person = person_with("server:read", username="ada")
    row, token = services.create_api_token(username="ada", actor=services.actor_for(person))
    AccessToken.objects.create(
        user=person, application=AgentFactory.create(), expires=timezone.now(), token_checksum="a", resource=["x"]
    )
    services.deactivate_person(username="ADA", actor=admin, reason="Left.")
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert services.authenticate_api_token(token) is None
    assert not AccessToken.objects.exists()
    assert (last().event, last().reason, last().after) == ("person.deactivated", "Left.", {"tokens_ended": 2})
    with pytest.raises(Conflict):
        services.deactivate_person(username="ada", actor=admin, reason="Again.")


def test_a_reactivated_person_signs_in_again_and_old_tokens_stay_dead(admin: Actor) -> None:
    person = person_with(username="ada")
    _row, token = services.create_api_token(username="ada", actor=admin)
    services.deactivate_person(username="ada", actor=admin, reason="Left.")
    services.reactivate_person(username="ada", actor=admin, reason="Back.")
    person.refresh_from_db()
    assert person.is_active
    assert services.authenticate_api_token(token) is None
    with pytest.raises(Conflict):
        services.reactivate_person(username="ada", actor=admin, reason="Again.")


def test_nobody_reactivates_somebody_who_may_do_more(admin: Actor) -> None:
    person_with("audit:read", username="ada", is_active=False)
    with pytest.raises(PermissionDenied):
        services.reactivate_person(username="ada", actor=actor_with("person:manage"), reason="Back.")


def test_the_last_administrator_cannot_go(admin: Actor) -> None:
    with pytest.raises(Conflict, match="administrator"):
        services.deactivate_person(username="boss", actor=admin, reason="Left.")
    with pytest.raises(Conflict, match="administrator"):
        services.revoke_grant(
            grant_id=Grant.objects.get(role__name="administrator").public_id, actor=admin, reason="No more."
        )
    person = services.create_person(username="ada", password=PASSWORD, role="administrator", actor=admin)
    assert person.is_active
    services.deactivate_person(username="boss", actor=admin, reason="Left.")


def test_an_administrator_by_team_only_cannot_be_taken_out_of_it(admin: Actor) -> None:
    team = TeamFactory.create(slug="roots")
    MembershipFactory.create(team=team, person=PersonFactory.create(username="ada"))
    services.give_grant(role="administrator", holder=Holder(team="roots"), actor=admin, reason="The team.")
    services.deactivate_person(username="boss", actor=admin, reason="Left.")
    with pytest.raises(Conflict, match="administrator"):
        services.remove_member(team="roots", username="ada", actor=SETUP)


def test_everybody_sets_their_own_password_and_nobody_that_of_a_mightier_person() -> None:
    ada = person_with(username="ada")
    services.set_password(username="ada", password=PASSWORD, actor=services.actor_for(ada))
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    person_with("audit:read", username="auditor")
    with pytest.raises(PermissionDenied):
        services.set_password(username="auditor", password=PASSWORD, actor=actor_with("person:manage"))
    services.set_password(username="auditor", password=PASSWORD, actor=actor_with("person:manage", "audit:read"))


def test_a_narrow_token_does_not_become_its_person_by_setting_their_password() -> None:
    ada = person_with("audit:read", "person:manage", username="ada")
    for scopes in (["audit:read"], ["person:manage"]):
        with pytest.raises(PermissionDenied):
            services.set_password(username="ada", password=PASSWORD, actor=services.actor_for(ada, narrowed_to=scopes))


# --- teams ---------------------------------------------------------------------------------------------------


def test_nobody_carries_what_reaches_own_teams_into_another_team() -> None:
    mallory = person_with("team:manage", username="mallory")
    GrantFactory.create(role=RoleFactory.create(scopes=["server:edit"], reach="own_teams"), person=mallory)
    TeamFactory.create(slug="blue")
    with pytest.raises(PermissionDenied):
        services.add_member(team="blue", username="mallory", actor=services.actor_for(mallory))
    services.add_member(team="blue", username="mallory", actor=actor_with("team:manage", "server:edit"))


def test_a_team_is_made_and_joined_and_left(admin: Actor) -> None:
    PersonFactory.create(username="ada")
    team = services.create_team(slug="blue", actor=admin)
    assert team.name == "blue"
    services.add_member(team="blue", username="ada", actor=admin)
    with pytest.raises(Conflict):
        services.add_member(team="blue", username="ada", actor=admin)
    services.remove_member(team="blue", username="ada", actor=admin)
    with pytest.raises(Conflict):
        services.remove_member(team="blue", username="ada", actor=admin)
    assert events()[-3:] == ["team.created", "membership.added", "membership.removed"]


@pytest.mark.parametrize("slug", ["", "Blue", "a_b", "a" * 25, "-a", "a\0"])
def test_a_team_needs_a_slug(admin: Actor, slug: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.create_team(slug=slug, actor=admin)
    assert caught.value.field == "slug"


def test_a_slug_is_taken_once(admin: Actor) -> None:
    services.create_team(slug="blue", actor=admin)
    with pytest.raises(Conflict):
        services.create_team(slug="blue", name="Other", actor=admin)


def test_nobody_puts_themselves_into_a_mightier_team() -> None:
    team = TeamFactory.create(slug="roots")
    GrantFactory.create(role=RoleFactory.create(scopes=["audit:read"]), team=team)
    climber = person_with("team:manage", username="climber")
    with pytest.raises(PermissionDenied):
        services.add_member(team="roots", username="climber", actor=services.actor_for(climber))


def test_a_deactivated_person_joins_no_team(admin: Actor) -> None:
    PersonFactory.create(username="ada", is_active=False)
    TeamFactory.create(slug="blue")
    with pytest.raises(Conflict):
        services.add_member(team="blue", username="ada", actor=admin)


# --- roles ---------------------------------------------------------------------------------------------------


def test_a_role_holds_permissions_and_mcp_scopes(admin: Actor) -> None:
    role = services.create_role(
        name=" Callers ", scopes=["mcp:files:call", "server:read", "mcp:files:call"], actor=admin
    )
    assert (role.name, role.scopes) == ("Callers", ["mcp:files:call", "server:read"])
    assert (last().event, last().subject) == ("role.created", "role:Callers")
    with pytest.raises(Conflict):
        services.create_role(name="CALLERS", scopes=[], actor=admin)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a" * 121}, "name"),
        ({"name": "a\0"}, "name"),
        ({"scopes": ["nonsense"]}, "scopes"),
        ({"scopes": ["server:fly"]}, "scopes"),
        ({"scopes": ["mcp:files:tool:a b"]}, "scopes"),
        ({"scopes": ["mcp:files:tool:" + "a" * 2000]}, "scopes"),
        ({"scopes": [f"mcp:files:tool:t{number}" for number in range(1001)]}, "scopes"),
        ({"reach": "everywhere"}, "reach"),
        ({"description": "a" * 2001}, "description"),
    ],
)
def test_a_role_needs_fitting_values(admin: Actor, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.create_role(**{"name": "new", "scopes": [], **changes}, actor=admin)
    assert caught.value.field == field


def test_changing_a_role_reaches_its_holders_and_bumps_the_revision(admin: Actor) -> None:
    role = services.create_role(name="Callers", scopes=["mcp:files:call"], actor=admin)
    before = revision()
    services.change_role(role_id=role.public_id, scopes=["mcp:files:read"], description="Read only.", actor=admin)
    role.refresh_from_db()
    assert (role.scopes, role.description, revision()) == (["mcp:files:read"], "Read only.", before + 1)
    assert last().before == {"scopes": ["mcp:files:call"], "reach": "installation"}


def test_a_role_that_was_changed_meanwhile_is_refused(admin: Actor) -> None:
    role = services.create_role(name="Callers", scopes=["mcp:files:call"], actor=admin)
    change: Any = {"role_id": role.public_id, "unchanged_since": role.updated_at, "actor": admin}
    services.change_role(**change, scopes=["mcp:files:read"], reason="Reading will do.")
    assert last().reason == "Reading will do."
    with pytest.raises(Conflict) as caught:
        services.change_role(**change, scopes=["mcp:files:call", "mcp:files:read"])
    role.refresh_from_db()
    assert (role.scopes, caught.value.field) == (["mcp:files:read"], "unchanged_since")


def test_more_for_a_role_that_somebody_holds_is_giving_and_less_is_not(admin: Actor) -> None:
    role = services.create_role(name="Callers", scopes=["mcp:files:call"], actor=admin)
    maker = actor_with("role:manage")
    services.change_role(role_id=role.public_id, scopes=["mcp:files:call", "mcp:mail:call"], actor=maker)
    GrantFactory.create(role=role, agent=AgentFactory.create())
    with pytest.raises(PermissionDenied):
        services.change_role(role_id=role.public_id, scopes=["mcp:files:call", "mcp:crm:call"], actor=maker)
    services.change_role(role_id=role.public_id, scopes=["mcp:files:call"], actor=maker)
    services.change_role(
        role_id=role.public_id, scopes=["mcp:crm:call"], actor=actor_with("role:manage", "grant:manage")
    )
    role.refresh_from_db()
    assert role.scopes == ["mcp:crm:call"]


def test_a_builtin_role_does_not_change(admin: Actor) -> None:
    with pytest.raises(Conflict):
        services.change_role(role_id=Role.objects.get(name="reader").public_id, scopes=[], actor=admin)


def test_nobody_puts_a_permission_into_a_role_that_they_do_not_hold() -> None:
    maker = actor_with("role:manage", "server:read")
    with pytest.raises(PermissionDenied):
        services.create_role(name="new", scopes=["audit:read"], actor=maker)
    role = services.create_role(name="new", scopes=["server:read", "mcp:files:call"], actor=maker)
    with pytest.raises(PermissionDenied):
        services.change_role(role_id=role.public_id, scopes=["server:read", "audit:read"], actor=maker)
    mighty = RoleFactory.create(scopes=["audit:read"])
    with pytest.raises(PermissionDenied):
        services.change_role(role_id=mighty.public_id, scopes=[], actor=maker)


def test_builtin_roles_are_made_once_and_put_right(db: None) -> None:
    services.ensure_builtin_roles()
    made = len(events())
    services.ensure_builtin_roles()
    assert (made, len(events())) == (6, 6)
    Role.objects.filter(name="reader").update(scopes=["role:manage"])
    services.ensure_builtin_roles()
    assert "role:manage" not in Role.objects.get(name="reader").scopes
    assert last().event == "role.changed"
    assert {role.name for role in BUILTIN_ROLES} == set(Role.objects.values_list("name", flat=True))


def test_a_role_that_has_the_name_of_a_builtin_one_in_other_letters_is_told(db: None) -> None:
    RoleFactory.create(name="Reader")
    with pytest.raises(Conflict, match="'reader' already"):
        services.ensure_builtin_roles()
    assert list(Role.objects.values_list("name", flat=True)) == ["Reader"]


def test_reader_reads_everything_but_what_is_the_auditors() -> None:
    reader = next(role for role in BUILTIN_ROLES if role.name == "reader")
    assert {name for name in Permission if name.endswith(":read")} - reader.permissions == {
        Permission.AUDIT_READ,
        Permission.PAYLOAD_READ,
    }


# --- grants --------------------------------------------------------------------------------------------------


def test_a_grant_names_who_gave_what_to_whom_and_why(admin: Actor) -> None:
    agent = AgentFactory.create()
    RoleFactory.create(name="callers", scopes=["mcp:files:call"])
    until = timezone.now() + timedelta(days=1)
    grant = services.give_grant(
        role="Callers",
        holder=Holder(agent=agent.client_id),
        environment="staging",
        expires_at=until,
        actor=admin,
        reason=" For the build. ",
    )
    assert (grant.agent, grant.environment, grant.expires_at, grant.reason) == (
        agent,
        "staging",
        until,
        "For the build.",
    )
    assert str(grant.granted_by) == "boss"
    assert (last().event, last().agent, last().environment) == ("grant.given", agent.client_id, "staging")
    services.revoke_grant(grant_id=grant.public_id, actor=admin, reason="Done.")
    with pytest.raises(Conflict):
        services.revoke_grant(grant_id=grant.public_id, actor=admin, reason="Again.")
    assert not Grant.objects.live().filter(pk=grant.pk).exists()
    assert events()[-1] == "grant.revoked"


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"holder": Holder()}, Invalid, "agent"),
        ({"holder": Holder(agent="bot", person="ada")}, Invalid, "agent"),
        ({"holder": Holder(agent="absent")}, NotFound, "agent"),
        ({"holder": Holder(person="absent")}, NotFound, "person"),
        ({"holder": Holder(team="absent")}, NotFound, "team"),
        ({"holder": Holder(team="a\0")}, NotFound, "team"),
        ({"holder": Holder(person="left")}, Conflict, "person"),
        ({"role": "absent"}, NotFound, "role"),
        ({"environment": "moon"}, Invalid, "environment"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, Invalid, "expires_at"),
        ({"conditions": {"moon": "full"}}, Invalid, "conditions"),
        ({"conditions": []}, Invalid, "conditions"),
        ({"reason": " "}, Invalid, "reason"),
        ({"reason": "a" * 2001}, Invalid, "reason"),
    ],
)
def test_a_grant_needs_fitting_values(admin: Actor, changes: dict[str, Any], error: type[Invalid], field: str) -> None:
    AgentFactory.create(client_id="bot")
    PersonFactory.create(username="ada")
    PersonFactory.create(username="left", is_active=False)
    arguments = {"role": "reader", "holder": Holder(person="ada"), "reason": "A test.", **changes}
    with pytest.raises(error) as caught:
        services.give_grant(**arguments, actor=admin)
    assert caught.value.field == field


def test_the_conditions_of_a_grant_are_stored_in_one_form_and_recorded(admin: Actor) -> None:
    PersonFactory.create(username="ada")
    wanted = {"networks": ["192.0.2.0/24", "10.0.0.0/8"]}
    grant = services.give_grant(
        role="reader", holder=Holder(person="ada"), actor=admin, reason="From here.", conditions=wanted
    )
    grant.refresh_from_db()
    assert grant.conditions == last().after["conditions"] == {"networks": ["10.0.0.0/8", "192.0.2.0/24"]}


def test_whoever_is_an_administrator_on_conditions_only_is_none(admin: Actor) -> None:
    only = Grant.objects.live().get(role__name="administrator")
    services.give_grant(
        role="administrator",
        holder=Holder(person=PersonFactory.create().username),
        actor=admin,
        reason="At the office.",
        conditions={"networks": ["10.0.0.0/8"]},
    )
    with pytest.raises(Conflict):
        services.revoke_grant(grant_id=only.public_id, actor=admin, reason="The other one remains?")


def test_a_team_is_found_by_slug_or_by_a_name_of_its_own(admin: Actor) -> None:
    blue = TeamFactory.create(slug="blue", name="Blue Team")
    for name in ("blue", "Blue Team"):
        assert services.give_grant(role="reader", holder=Holder(team=name), actor=admin, reason="x").team == blue
    TeamFactory.create(slug="blue2", name="Blue Team")
    with pytest.raises(NotFound):
        services.give_grant(role="reader", holder=Holder(team="Blue Team"), actor=admin, reason="x")


def test_nobody_gives_a_role_with_a_permission_that_they_do_not_hold() -> None:
    PersonFactory.create(username="ada")
    RoleFactory.create(name="mighty", scopes=["audit:read"])
    RoleFactory.create(name="callers", scopes=["mcp:files:call", "server:read"])
    giver = actor_with("grant:manage", "server:read")
    with pytest.raises(PermissionDenied):
        services.give_grant(role="mighty", holder=Holder(person="ada"), actor=giver, reason="x")
    assert services.give_grant(role="callers", holder=Holder(person="ada"), actor=giver, reason="x").granted_by


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"person": True, "agent": True},
        {"person": True, "reason": " "},
        {"person": True, "environment": "moon"},
        {"person": True, "conditions": []},
        {"person": True, "conditions": None},
    ],
)
def test_the_table_itself_refuses_a_grant_that_makes_no_sense(columns: dict[str, Any]) -> None:
    holders: dict[str, Any] = {"person": PersonFactory, "agent": AgentFactory}
    made = {name: holders[name].create() if name in holders else value for name, value in columns.items()}
    role = RoleFactory.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(**{"role": role, "reason": "x", **made})


# --- agents --------------------------------------------------------------------------------------------------


def test_an_agents_secret_is_shown_once_and_stored_as_a_keyed_hash(admin: Actor) -> None:
    registered = services.register_agent(name="Bot", actor=admin)
    stored = Agent.objects.get(client_id=registered.agent.client_id).client_secret
    assert stored.startswith("holdfast_client_secret$")
    assert registered.secret not in f"{stored}{registered!r}{last().after}"
    assert len(registered.secret) == len("hfs_") + 64
    assert last().agent == registered.agent.client_id


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"name": ""}, Invalid, "name"),
        ({"name": "a\0"}, Invalid, "name"),
        ({"grant_types": []}, Invalid, "grant_types"),
        ({"grant_types": ["password"]}, Invalid, "grant_types"),
        ({"grant_types": ["client_credentials", "client_credentials"]}, Invalid, "grant_types"),
        ({"grant_types": ["client_credentials", "authorization_code"]}, Invalid, "grant_types"),
        ({"redirect_uris": [REDIRECT]}, Invalid, "redirect_uris"),
        ({"public": True}, Invalid, "public"),
        ({"grant_types": ["authorization_code"]}, Invalid, "redirect_uris"),
        ({"grant_types": ["authorization_code"], "redirect_uris": ["http://evil.test/"]}, Invalid, "redirect_uris"),
        ({"grant_types": ["authorization_code"], "redirect_uris": [REDIRECT, "\0"]}, Invalid, "redirect_uris"),
        (
            {"grant_types": ["authorization_code"], "redirect_uris": [f"{REDIRECT}{n}" for n in range(11)]},
            Invalid,
            "redirect_uris",
        ),
        ({"name_style": "camel"}, Invalid, "name_style"),
        ({"owner_team": "absent"}, NotFound, "owner_team"),
    ],
)
def test_an_agent_needs_fitting_values(admin: Actor, changes: dict[str, Any], error: type[Invalid], field: str) -> None:
    with pytest.raises(error) as caught:
        services.register_agent(**{"name": "Bot", **changes}, actor=admin)
    assert caught.value.field == field


def test_an_agent_on_a_persons_computer_has_no_secret_that_anybody_knows(admin: Actor) -> None:
    made = services.register_agent(
        name="Editor", grant_types=["authorization_code"], redirect_uris=[REDIRECT, REDIRECT], public=True, actor=admin
    )
    agent = Agent.objects.get(pk=made.agent.pk)
    assert (made.secret, agent.is_public, agent.acts_for_people, agent.redirect_uris) == ("", True, True, REDIRECT)
    assert not check_password("", agent.client_secret)
    assert last().after["redirect_uris"] == [REDIRECT]
    with pytest.raises(Conflict, match="no secret"):
        services.rotate_secret(client_id=agent.client_id, actor=admin, reason="Leaked.")


def test_an_agent_for_people_may_keep_a_secret_where_it_can(admin: Actor) -> None:
    made = services.register_agent(
        name="Site", grant_types=["authorization_code"], redirect_uris=["https://app.example/cb"], actor=admin
    )
    assert made.secret.startswith("hfs_")
    assert not made.agent.is_public


@pytest.mark.parametrize(
    "columns", [{"client_type": "public"}, {"client_type": "anything"}, {"authorization_grant_type": "implicit"}]
)
def test_the_table_of_agents_refuses_what_the_product_does_not_know(columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AgentFactory.create(**columns)


def _give_token(agent: Agent) -> None:
    AccessToken.objects.create(application=agent, expires=timezone.now(), token_checksum=str(agent.pk), resource=["x"])


def test_suspending_ends_tokens_and_resuming_gives_none_back(admin: Actor) -> None:
    agent = AgentFactory.create()
    _give_token(agent)
    services.suspend_agent(client_id=agent.client_id, actor=admin, reason="Odd calls.")
    assert not AccessToken.objects.exists()
    assert last().after == {"state": "suspended", "tokens_ended": 1}
    with pytest.raises(Conflict):
        services.suspend_agent(client_id=agent.client_id, actor=admin, reason="Again.")
    services.resume_agent(client_id=agent.client_id, actor=admin, reason="Explained.")
    with pytest.raises(Conflict):
        services.resume_agent(client_id=agent.client_id, actor=admin, reason="Again.")
    assert not AccessToken.objects.exists()


def test_rotating_replaces_the_secret_and_ends_tokens(admin: Actor) -> None:
    agent = services.register_agent(name="Bot", actor=admin).agent
    before = agent.client_secret
    _give_token(agent)
    rotated = services.rotate_secret(client_id=agent.client_id, actor=admin, reason="Leaked.")
    agent.refresh_from_db()
    assert agent.client_secret not in (before, rotated.secret)
    assert not AccessToken.objects.exists()


def test_a_teams_own_operator_manages_its_agents_only() -> None:
    person = PersonFactory.create()
    blue = MembershipFactory.create(person=person, team=TeamFactory.create(slug="blue")).team
    role = RoleFactory.create(scopes=["agent:manage"], reach="own_teams")
    GrantFactory.create(role=role, person=person)
    actor = services.actor_for(person)
    agent = services.register_agent(name="Bot", owner_team="blue", actor=actor).agent
    assert agent.owner_team == blue
    assert last().owner_team == "blue"
    services.suspend_agent(client_id=agent.client_id, actor=actor, reason="A test.")
    for stranger in (AgentFactory.create(), AgentFactory.create(owner_team=TeamFactory.create())):
        with pytest.raises(PermissionDenied):
            services.suspend_agent(client_id=stranger.client_id, actor=actor, reason="A test.")


@pytest.mark.parametrize("client_id", ["absent", "a\0", ""])
def test_a_missing_agent_is_not_found(admin: Actor, client_id: str) -> None:
    with pytest.raises(NotFound):
        services.suspend_agent(client_id=client_id, actor=admin, reason="A test.")


# --- API tokens ----------------------------------------------------------------------------------------------


def test_a_token_acts_for_its_person_within_its_scopes() -> None:
    person = person_with("server:read", "audit:read", username="ada")
    actor = services.actor_for(person)
    row, token = services.create_api_token(username="ada", scopes=["server:read", "role:manage"], actor=actor)
    assert row.scopes == ["role:manage", "server:read"]
    found = services.authenticate_api_token(token)
    assert found is not None
    assert found[1].permissions == {"server:read"}
    assert token not in str(vars(row))
    assert (last().event, last().after["scopes"]) == ("api_token.created", row.scopes)


def test_use_of_a_token_is_noted_once_a_minute(django_assert_num_queries: Any) -> None:
    person_with(username="ada")
    _row, token = services.create_api_token(username="ada", actor=administrator())
    services.authenticate_api_token(token)
    assert ApiToken.objects.get().last_used_at is not None
    with django_assert_num_queries(3):  # the token with its person, grants, teams
        services.authenticate_api_token(token)


def test_rubbish_costs_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        for text in ("", "x", "hfp_00000000_" + "0" * 64 + "_" + "0" * 32, "hfp_\0", "\ud800"):
            assert services.authenticate_api_token(text) is None


def test_a_token_that_ends_makes_none_that_outlives_it() -> None:
    person, end = person_with("server:read", username="ada"), timezone.now() + timedelta(hours=1)
    _row, token = services.create_api_token(username="ada", actor=services.actor_for(person), expires_at=end)
    found = services.authenticate_api_token(token)
    assert found
    for later in (None, end + timedelta(seconds=1)):
        with pytest.raises(Invalid, match="outlives"):
            services.create_api_token(username="ada", actor=found[1], expires_at=later)
    assert services.create_api_token(username="ada", actor=found[1], expires_at=end)


def test_a_narrow_token_makes_no_wider_one() -> None:
    person = person_with("server:read", "audit:read", username="ada")
    narrow = services.actor_for(person, narrowed_to=["server:read"])
    with pytest.raises(PermissionDenied):
        services.create_api_token(username="ada", actor=narrow)
    with pytest.raises(PermissionDenied):
        services.create_api_token(username="ada", scopes=["audit:read"], actor=narrow)
    assert services.create_api_token(username="ada", scopes=["server:read"], actor=narrow)


def test_whoever_manages_tokens_hands_on_only_what_they_hold() -> None:
    person_with("audit:read", username="ada")
    manager = actor_with("token:manage", "server:read")
    for scopes in ([], ["audit:read"]):
        with pytest.raises(PermissionDenied):
            services.create_api_token(username="ada", scopes=scopes, actor=manager)
    assert services.create_api_token(username="ada", scopes=["server:read"], actor=manager)


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"username": "absent"}, NotFound, "username"),
        ({"username": "left"}, Conflict, "username"),
        ({"scopes": ["mcp:files:call"]}, Invalid, "scopes"),
        ({"scopes": ["x" * 5000]}, Invalid, "scopes"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, Invalid, "expires_at"),
        ({"name": "a" * 121}, Invalid, "name"),
    ],
)
def test_a_token_needs_fitting_values(admin: Actor, changes: dict[str, Any], error: type[Invalid], field: str) -> None:
    PersonFactory.create(username="left", is_active=False)
    with pytest.raises(error) as caught:
        services.create_api_token(**{"username": "boss", **changes}, actor=admin)
    assert caught.value.field == field


def test_a_token_is_revoked_by_its_person_or_a_manager_and_by_nobody_else() -> None:
    ada = person_with(username="ada")
    row, token = services.create_api_token(username="ada", actor=services.actor_for(ada))
    with pytest.raises(PermissionDenied):
        services.revoke_api_token(token_id=row.public_id, actor=actor_with("server:read"))
    services.revoke_api_token(token_id=row.public_id, actor=services.actor_for(ada))
    assert services.authenticate_api_token(token) is None
    with pytest.raises(Conflict):
        services.revoke_api_token(token_id=row.public_id, actor=actor_with("token:manage"))


def test_an_expired_token_does_not_work() -> None:
    row, token = services.create_api_token(username=person_with(username="ada").username, actor=administrator())
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    assert services.authenticate_api_token(token) is None


# --- resources, revisions, setting up ------------------------------------------------------------------------


def test_a_servers_endpoint_is_kept_as_a_protected_resource() -> None:
    services.keep_protected_resource(server_slug="files", active=True)
    resource = services.keep_protected_resource(server_slug="files", active=False)
    assert (resource.uri, resource.active) == ("http://127.0.0.1:8000/mcp/files", False)
    assert ProtectedResource.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        ProtectedResourceFactory.create(server_slug="other", uri=resource.uri)


def test_a_revision_counts_up_by_one() -> None:
    for _ in range(3):
        services.bump_revision(services.server_part("files"))
    assert Revision.objects.get(part="server:files").n == 3


@pytest.mark.django_db(transaction=True)
def test_a_revision_is_bumped_inside_a_transaction_only() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        services.bump_revision("access")


def test_tokens_that_ended_long_ago_are_cleared_away() -> None:
    agent, now = AgentFactory.create(), timezone.now()
    for number, age in enumerate((timedelta(days=2), timedelta(hours=1), timedelta(seconds=-600))):
        AccessToken.objects.create(
            application=agent, expires=now - age, token_checksum=str(number), token="", resource=["x"]
        )
    assert services.clear_expired() == 1
    assert AccessToken.objects.count() == 2
    assert services.clear_expired() == 0


@pytest.mark.parametrize("source", ["dcr", "cimd"])
def test_clearing_removes_agents_of_strangers_that_hold_nothing(source: str) -> None:
    document = {"document_digest": "a" * 64, "cimd_expires_at": timezone.now()} if source == "cimd" else {}
    kept = {"grant", "token", "suspended", "fresh"}
    for name in (*kept, "unused"):
        AgentFactory.create(
            client_id=f"https://app.example/{name}",
            registration_source=source,
            client_type="public",
            authorization_grant_type="authorization-code",
            state="suspended" if name == "suspended" else "active",
            **document,
        )
    AgentFactory.create(client_id="manual")
    Agent.objects.exclude(client_id__endswith="fresh").update(updated=timezone.now() - timedelta(days=2))
    GrantFactory.create(agent=Agent.objects.get(client_id__endswith="grant"))
    _give_token(Agent.objects.get(client_id__endswith="token"))
    AccessToken.objects.update(expires=timezone.now() + timedelta(minutes=5))
    services.clear_expired()
    left = set(Agent.objects.values_list("client_id", flat=True))
    assert left == {"manual", *(f"https://app.example/{name}" for name in kept)}
    assert last().event == "agent.removed"
    assert last().after == {"removed": 1, "client_ids": ["https://app.example/unused"]}


def test_clearing_forgets_counts_and_failures_that_are_over() -> None:
    now = timezone.now()
    for age in (timedelta(0), timedelta(minutes=5)):
        RequestCount.objects.create(key=str(age), count=1, window_started_at=now - age)
        FailedDocument.objects.create(url=str(age), failed_at=now - age)
    services.clear_expired()
    assert [row.key for row in RequestCount.objects.all()] == ["0:00:00"]
    assert [row.url for row in FailedDocument.objects.all()] == ["0:00:00"]


def test_the_first_administrator_is_made_once_and_gets_a_fresh_token_each_time() -> None:
    person, first = services.create_first_administrator(username="root", password=PASSWORD)
    again, second = services.create_first_administrator(username="root", password="another long password")
    assert person == again
    assert Person.objects.get().check_password(PASSWORD)
    assert services.authenticate_api_token(first) is None
    found = services.authenticate_api_token(second)
    assert found is not None
    assert found[1].permissions == set(Permission) - {Permission.PAYLOAD_READ}
    assert Grant.objects.count() == 1
    assert Team.objects.count() == 0


def test_who_may_do_something_is_the_same_answer_as_asking_each_person() -> None:
    team, other = TeamFactory.create(), TeamFactory.create()
    people = [PersonFactory.create(is_active=number != 5) for number in range(8)]
    for number, of in ((0, team), (1, other), (2, team), (3, other), (5, team)):
        MembershipFactory.create(person=people[number], team=of)
    own = RoleFactory.create(scopes=[Permission.REVIEW_DECIDE], reach="own_teams")
    everywhere = RoleFactory.create(scopes=[Permission.REVIEW_DECIDE, Permission.REVIEW_READ])
    for values in (
        {"role": own, "person": people[0]},
        {"role": own, "team": other},
        {"role": everywhere, "team": team},
        {"role": everywhere, "person": people[4]},
        {"role": everywhere, "person": people[6], "revoked_at": timezone.now()},
        {"role": everywhere, "person": people[7], "environment": "staging"},
        {"role": everywhere, "person": people[7], "conditions": {"hours": {"from": "00:00", "to": "24:00"}}},
        {"role": everywhere, "person": people[5]},
    ):
        GrantFactory.create(**values)
    for team_id in (team.pk, other.pk, None):
        for permission in (Permission.REVIEW_DECIDE, Permission.REVIEW_READ, Permission.SERVER_EDIT):
            asked = {each.pk for each in people if services.actor_for(each).may(permission, team_id=team_id)}
            assert services.people_who_may(permission, team_id=team_id) == asked
