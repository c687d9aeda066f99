"""A narrower role is made on a word, and nothing is given or taken by that."""

import uuid

import pytest

from access.models import Grant, Role
from access.services import actor_for
from audit.events import Event
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.factories import AgentFactory, GrantFactory, RoleFactory, administrator, person_with
from tests.tools.making import make_server, poll, tool
from tests.tools.records import age, called, counted, days_ago
from tools.models import Definition
from tools.services import narrow_role

pytestmark = pytest.mark.django_db
CALL = "mcp:files:call"
NEEDS = (Permission.ROLE_MANAGE, Permission.GRANT_READ, Permission.ROLE_READ, Permission.TOOL_READ)


@pytest.fixture
def boss() -> Actor:
    return administrator()


@pytest.fixture
def wide() -> Role:
    """A role that calls one of two tools."""
    poll(make_server("files"), tool("read"), tool("write"))
    role = RoleFactory.create(name="callers", scopes=["mcp:files:read", CALL], reach="own_teams")
    grant = GrantFactory.create(role=role, agent=AgentFactory.create())
    age(role, grant, days=200)
    called(grant, Definition.objects.select_related("server", "observed").get(name="read"))
    counted(since=days_ago(200))
    return role


def narrowed(role: Role, actor: Actor, *, name: str = "readers", days: int = 90) -> Role:
    return narrow_role(role_id=role.public_id, name=name, days=days, actor=actor)


def test_it_holds_what_was_used_and_nobody_holds_it(wide: Role, boss: Actor) -> None:
    grants = list(Grant.objects.values())
    made = narrowed(wide, boss)
    assert (made.name, made.scopes, made.reach) == ("readers", ["mcp:files:tool:read"], "own_teams")
    assert "callers" in made.description
    assert list(Grant.objects.values()) == grants
    wide.refresh_from_db()
    assert wide.scopes == ["mcp:files:read", CALL]
    record = Record.objects.get(event=Event.ROLE_CREATED.value)
    assert (record.subject, record.after["scopes"]) == ("role:readers", made.scopes)  # type: ignore[index]


def test_permissions_stay_in_it_and_nobody_makes_a_role_of_what_they_lack(wide: Role, boss: Actor) -> None:
    wide.scopes = [*wide.scopes, "server:edit"]
    Role.objects.filter(pk=wide.pk).update(scopes=wide.scopes)
    with pytest.raises(PermissionDenied):
        narrowed(wide, actor_for(person_with(*NEEDS)))
    assert narrowed(wide, boss).scopes == ["mcp:files:tool:read", "server:edit"]


@pytest.mark.parametrize("missing", NEEDS)
def test_it_needs_sight_of_all_that_it_is_worked_out_from(wide: Role, missing: Permission) -> None:
    with pytest.raises(PermissionDenied):
        narrowed(wide, actor_for(person_with(*(each for each in NEEDS if each is not missing))))
    assert not Role.objects.filter(name="readers").exists()
    assert Record.objects.filter(event=Event.ACTION_DENIED.value, subject="role:readers").count() == 1


def test_what_cannot_be_narrowed_is_refused_and_says_why(wide: Role, boss: Actor) -> None:
    with pytest.raises(NotFound):
        narrow_role(role_id=uuid.uuid4(), name="x", days=90, actor=boss)
    with pytest.raises(Conflict, match="fewer than 300 days"):
        narrowed(wide, boss, days=300)
    with pytest.raises(Conflict, match="Nobody holds"):
        narrowed(RoleFactory.create(scopes=[CALL]), boss)
    with pytest.raises(Conflict, match="There is a role"):
        narrowed(wide, boss, name="CALLERS")
    with pytest.raises(Invalid):
        narrowed(wide, boss, name=" ")
    Role.objects.filter(pk=wide.pk).update(scopes=["mcp:files:tool:read"])
    with pytest.raises(Conflict, match="no narrower role"):
        narrowed(wide, boss)
