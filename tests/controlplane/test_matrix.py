"""docs/security/permissions.md is true: each of its cells is a real request by a person of exactly that role."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from access.models import Person
from access.services import Holder, actor_for, give_grant
from access.services.builtin import BUILTIN_ROLES, BuiltinRole
from controlplane import matrix
from controlplane.matrix import Cell, cell
from controlplane.routes import API, Route, routes
from core.permissions import Permission
from servers.surface import Problem, Surface
from tests import databases
from tests.access.doors import SETUP
from tests.controlplane.two_of_everything import MINE, THEIRS, Doors, Installation
from tests.factories import MembershipFactory, PersonFactory, person_with
from tests.tools.making import failing

ROLES = {role.name: role for role in BUILTIN_ROLES}
# What a state of the thing stands against is allowed all the same: who may is asked first.
ALLOWED = {200, 201, 202, 204, 302, 409}
REFUSED = {403, 404}


@pytest.fixture(scope="module")
def installation(django_db_setup: None, django_db_blocker: Any) -> Iterator[Installation]:
    """In a database of its own, for all tests here; nobody was told of it."""
    with databases.filled_copy(django_db_blocker, Installation) as found:
        yield found


@pytest.fixture
def world(installation: Installation, db: None, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """What a test does to it is taken back. Its servers do not answer: what a look finds is not what is asked here."""
    monkeypatch.setattr("servers.observe.observe", unanswered)
    return installation


async def unanswered(*_args: Any, **_options: Any) -> Surface:
    return failing(Problem.REFUSED)


def somebody(world: Installation, role: str) -> Person:
    """A person who holds this role and nothing else, and is in one of the two teams where that counts."""
    person = PersonFactory.create(username="tried")
    if role == "auditor":  # reads payloads by the word of two
        for giver in Person.objects.filter(username__in=["deputy", "founder"]):
            give_grant(role=role, holder=Holder(person="tried"), actor=actor_for(giver), reason="A test.")
    elif role:
        give_grant(role=role, holder=Holder(person="tried"), actor=SETUP, reason="A test.")
    if role in ROLES and ROLES[role].reach == "own_teams":
        MembershipFactory.create(team=world.sides[MINE].team, person=person)
    return person


def complaint(doors: Doors, route: Route, expected: Cell, *, blind: bool = False) -> str:
    """What is wrong with the answers on a route, if anything. Who is `blind` is not told apart from what is not there."""
    mine = doors.knock(route, MINE)
    theirs = doors.knock(route, THEIRS) if doors.are_told_apart(route) else mine
    got = (_status(mine), _status(theirs))
    fits = {
        Cell.ALLOWED: got[0] in ALLOWED and got[1] in ALLOWED,
        Cell.OWN_TEAMS: got[0] in ALLOWED and _is_kept_from(route, theirs),
        Cell.OWN_THINGS: got[0] in ALLOWED and got[1] in REFUSED,
        Cell.NOT_FOUND: got == (404, 404),
        Cell.REFUSED: (blind or got[0] == 403) and set(got) <= REFUSED,
    }
    return "" if fits[expected] else f"{route}: {expected.value} expected, answered {got} {_content(mine)[-300:]!r}"


def complaints(doors: Doors, role: BuiltinRole, asked: Iterable[Route], *, blind: bool = False) -> str:
    """All that is wrong, a line each."""
    found = [complaint(doors, route, cell(role, route), blind=blind) for route in asked]
    return "\n".join(filter(None, found))


def _status(answer: Any) -> int:
    is_sent_to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/sign-in/")
    return 401 if is_sent_to_sign_in else int(answer.status_code)


def _content(answer: Any) -> bytes:
    """What an answer shows; a file that is streamed is not read here."""
    return b"" if answer.streaming else bytes(answer.content)


def _is_kept_from(route: Route, answer: Any) -> bool:
    """What names one thing, or says where a new one goes, is refused; anything else shows nothing of the others."""
    if "{" in route.path:
        return _status(answer) in REFUSED
    if str(route) in ("POST /api/v1/servers/", "POST /servers/onboard/", "POST /servers/register/"):
        return _status(answer) in {403, 422}  # the form does not offer the team
    if route.method == "POST" and route.path.endswith(("/suspensions/", "/suppressions/")):
        return _status(answer) == 404  # with the name that was asked for
    if route.path.endswith(("/access/", "/access/export/", "/access-matrix/")):
        return _status(answer) == 404  # as above
    return not answer.streaming and THEIRS.encode() not in _content(answer)


@pytest.mark.parametrize("role", BUILTIN_ROLES, ids=lambda role: role.name)
def test_every_route_answers_a_role_as_the_document_says(world: Installation, role: BuiltinRole) -> None:
    # A token carries `payload:read` only where it names it.
    named = [str(name) for name in Permission] if role.name == "auditor" else None
    doors = Doors(world, somebody(world, role.name), named)
    assert not complaints(doors, role, routes())


def test_who_holds_no_role_gets_what_is_their_own_and_nothing_else(world: Installation) -> None:
    nothing = BuiltinRole("nothing", "", frozenset())
    doors = Doors(world, somebody(world, ""))
    assert not complaints(doors, nothing, routes(), blind=True)


def test_a_token_opens_no_more_than_its_scopes_name(world: Installation) -> None:
    named = [Permission.SERVER_READ, Permission.SERVER_EDIT, Permission.TOOL_READ]
    doors = Doors(world, somebody(world, "administrator"), [str(name) for name in named])
    narrow = BuiltinRole("narrow", "", frozenset(named))
    asking = [route for route in routes() if route.door == API and route.needs and not route.needs.or_own]
    assert not complaints(doors, narrow, asking, blind=True)


# What no page and no operation asks for: clients register at an OAuth endpoint.
NO_ROUTE = {Permission.AGENT_REGISTER}


@pytest.mark.parametrize("missing", [name for name in Permission if name not in NO_ROUTE])
def test_a_route_is_closed_to_who_lacks_one_permission_that_it_asks_for(
    world: Installation, missing: Permission
) -> None:
    doors = Doors(world, person_with(*(str(name) for name in Permission if name is not missing)))
    asking = [route for route in routes() if route.needs and missing in route.needs.permissions]
    assert asking
    assert [str(route) for route in asking if _status(doors.knock(route, THEIRS)) not in REFUSED] == []


def test_every_role_has_a_title() -> None:
    assert set(matrix.TITLES) == set(ROLES)


def test_the_document_has_a_row_for_every_route_and_a_column_for_every_role() -> None:
    lines = matrix.document().splitlines()
    for route in routes():
        row = next(line for line in lines if line.startswith(f"| `{route.method}` | `{route.path}` |"))
        assert row.count("|") == 4 + len(BUILTIN_ROLES), route
