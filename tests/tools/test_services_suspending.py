"""Suspending by the names that people know."""

from dataclasses import replace

import pytest

from access.models import Person, Suspension, Team
from access.services import actor_for, suspended_now
from core.actor import Actor
from core.errors import Conflict, DomainError, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from servers.services import Registration, edit_server, register_server
from tests.console.world import administrator
from tests.factories import AgentFactory, MembershipFactory, PersonFactory, actor_with
from tests.tools.making import actor_of, card, make_server, poll, tool
from tools.services import retire, suspend

pytestmark = pytest.mark.django_db


def stop(kind: str, name: str, actor: Actor, reason: str = "It leaks.") -> Suspension:
    return suspend(kind=kind, name=name, actor=actor, reason=reason)


@pytest.fixture
def security(db: None) -> Actor:
    return actor_with(Permission.SUSPENSION_SET, Permission.SERVER_READ)


def test_a_server_and_a_definition_are_suspended_by_their_names(server: Server, security: Actor) -> None:
    poll(server, tool("read"), tool("write"))
    assert stop("server", "files", security).name == "files"
    assert stop("definition", "tool:files/read", security).name == "tool:files/read"
    found = suspended_now()
    assert found is not None
    assert found.servers == {"files"}
    assert dict(found.definitions) == {"files": frozenset({("tool", "read")})}


def test_what_is_in_access_is_suspended_by_the_same_command(security: Actor) -> None:
    agent = AgentFactory.create()
    assert stop("agent", agent.client_id, security).name == agent.client_id
    assert stop("everything", "", security).kind == "everything"
    with pytest.raises(Conflict):
        stop("everything", "", security)


@pytest.mark.parametrize(
    ("kind", "name", "error", "field"),
    [
        ("house", "files", Invalid, "kind"),
        ("server", "absent", NotFound, "name"),
        ("server", "", NotFound, "name"),
        ("server", "a\0", Invalid, "name"),
        ("server", "\udc80", Invalid, "name"),
        ("definition", "read", Invalid, "name"),
        ("definition", "files/read", Invalid, "name"),
        ("definition", "tool:files/absent", NotFound, "name"),
        ("definition", "prompt:files/read", NotFound, "name"),
        ("definition", "tool:absent/read", NotFound, "name"),
        ("definition", "card:files/card", Invalid, "name"),
    ],
)
def test_what_is_not_there_is_an_error_at_its_field(
    server: Server, security: Actor, kind: str, name: str, error: type[DomainError], field: str
) -> None:
    poll(server, tool("read"), card())
    with pytest.raises(error) as refused:
        stop(kind, name, security)
    assert refused.value.field == field
    assert not Suspension.objects.exists()


def test_an_owner_suspends_the_servers_and_definitions_of_their_team_only(db: None) -> None:
    team = Team.objects.create(slug="blue", name="Blue")
    person = MembershipFactory.create(team=team, person=PersonFactory.create()).person
    owner = Actor(
        actor_of(person).kind, str(person.public_id), person.username, frozenset({Permission.SERVER_READ}),
        frozenset({Permission.SUSPENSION_SET}), frozenset({team.pk}), team_slugs=frozenset({"blue"}),
    )  # fmt: skip
    poll(make_server("files", owner_team=team), tool("read"))
    poll(make_server("mail"), tool("send"))
    for kind, name in (("server", "mail"), ("definition", "tool:mail/send")):
        with pytest.raises(PermissionDenied):
            stop(kind, name, owner)
    assert stop("definition", "tool:files/read", owner).owner_team == "blue"
    assert stop("server", "files", owner).owner_team == "blue"


def test_a_server_does_not_leave_a_team_that_is_suspended_not_even_by_being_registered_again(db: None) -> None:
    boss = administrator(username="boss")
    actor = actor_for(boss)
    for slug in ("blue", "red"):
        Team.objects.create(slug=slug, name=slug)
    registration = Registration("files", "Files", "http://127.0.0.1:9/", "development", team="blue")
    register_server(registration=registration, actor=actor)
    stop("team", "blue", actor)
    for team in ("red", None):
        with pytest.raises(Conflict, match="suspended"):
            edit_server(slug="files", changes={"team": team}, actor=actor)
    edit_server(slug="files", changes={"team": "blue", "name": "Our files"}, actor=actor)
    retire(slug="files", reason="x", actor=actor)
    with pytest.raises(Conflict, match="suspended"):
        register_server(registration=replace(registration, team="red"), actor=actor)
    assert register_server(registration=registration, actor=actor).owner_team == Team.objects.get(slug="blue")


def test_who_may_not_see_a_server_does_not_learn_of_it(server: Server) -> None:
    assert Person.objects.filter(username="rita").exists()
    with pytest.raises(NotFound):
        stop("server", "files", actor_with(Permission.SUSPENSION_SET))
