"""The API of what is not used."""

from typing import Any

import pytest

from access.models import Grant, Role
from core.permissions import Permission
from tests.access.doors import Api, problem
from tests.factories import AgentFactory, GrantFactory, RoleFactory, person_with
from tests.tools.making import make_server, poll, tool
from tests.tools.records import age, called, connected, counted, days_ago
from tools.models import Definition
from tools.rightsizing import NEEDED

pytestmark = pytest.mark.django_db
CALL = "mcp:files:call"


@pytest.fixture
def api() -> Api:
    return Api(person_with(*Permission))


@pytest.fixture
def grant() -> Grant:
    """Its role calls one of two tools."""
    poll(make_server("files"), tool("read"), tool("write"))
    role = RoleFactory.create(name="callers", scopes=[CALL, "mcp:files:read"])
    grant = GrantFactory.create(role=role, agent=AgentFactory.create(client_id="bot"))
    age(role, grant, days=200)
    called(grant, Definition.objects.select_related("server", "observed").get(name="read"), time=days_ago(50))
    connected(grant)
    counted(since=days_ago(200))
    return grant


def test_it_names_grants_scopes_and_roles_and_the_narrower_role_is_one_request_away(api: Api, grant: Grant) -> None:
    found = api.get("right-sizing/?days=40").json()
    assert {key: found[key] for key in ("days", "records_to_read", "live_grants", "uncounted_grants")} == {
        "days": 40, "records_to_read": 0, "live_grants": 2, "uncounted_grants": 1,
    }  # fmt: skip
    unused = found["unused_grants"]
    assert (unused["total"], unused["results"][0]["id"], unused["results"][0]["agent"]) == (
        1,
        str(grant.public_id),
        "bot",
    )
    assert unused["results"][0]["last_used"] < unused["results"][0]["last_connected"]
    assert found["ending_grants"] == {"total": 0, "results": []}
    assert found["scopes_per_tool"] == {"average": None, "target": 3, "count": 0, "tools": {}}
    # Within the 90 days of the setting it was used, for one tool of two.
    found = api.get("right-sizing/").json()
    assert found["unused_grants"]["total"] == 0
    wide = {"scope": CALL, "used": 1, "offered": 2, "instead": ["mcp:files:tool:read"]}
    role = {"id": str(grant.role.public_id), "name": "callers", "grants": 1, "wildcard": []}
    sizing = {"unused": ["mcp:files:read"], "wide": [wide], "narrower": ["mcp:files:tool:read"]}
    assert found["roles"] == {"total": 1, "held": 2, "young": 1, "results": [{**role, "sizing": sizing}]}
    made = api.post("right-sizing/narrow/", {"role": role["id"], "name": "readers"})
    assert (made.status_code, made.json()["scopes"]) == (201, sizing["narrower"])
    assert not Grant.objects.filter(role__name="readers").exists()


def test_lists_are_cut_at_the_limit_and_say_how_many_there_are(api: Api) -> None:
    for number in range(3):
        grant = GrantFactory.create(role=RoleFactory.create(scopes=[CALL]), agent=AgentFactory.create())
        age(grant.role, grant, days=100 + number)
    counted(since=days_ago(200))
    found = api.get("right-sizing/?limit=2").json()
    assert (found["unused_grants"]["total"], len(found["unused_grants"]["results"])) == (3, 2)
    assert (found["roles"]["total"], len(found["roles"]["results"])) == (3, 2)


@pytest.mark.parametrize("query", ["days=0", "days=3651", "days=x", "limit=0", "limit=1001", "days=%00"])
def test_what_is_no_number_of_days_is_refused_at_its_field(api: Api, query: str) -> None:
    assert problem(api.get(f"right-sizing/?{query}")) == (400, "invalid", [query.partition("=")[0]])


@pytest.mark.parametrize("missing", NEEDED)
def test_reading_it_needs_what_it_is_made_of(missing: Permission) -> None:
    everything = person_with(*Permission)
    held = [str(each) for each in Permission if each is not missing]
    assert problem(Api(everything, held).get("right-sizing/"))[:2] == (403, "permission_denied")
    assert Api(everything, [str(each) for each in NEEDED]).get("right-sizing/").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"role": "callers", "name": "x"}, 400),
        ({"role": "019a0000-0000-7000-8000-000000000000", "name": "x"}, 404),
        ({"role": "", "name": "x", "days": 0}, 400),
        ([], 400),
    ],
)
def test_a_request_for_a_narrower_role_that_does_not_fit_makes_none(api: Api, body: Any, status: int) -> None:
    before = Role.objects.count()
    assert api.post("right-sizing/narrow/", body).status_code == status
    assert Role.objects.count() == before


def test_other_methods_are_refused(api: Api) -> None:
    assert api.post("right-sizing/").status_code == api.get("right-sizing/narrow/").status_code == 405
