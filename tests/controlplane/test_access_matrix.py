"""Roles against tools: what the page says is what the decision says, and what is saved is what was looked at."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Agent, Person, Role
from access.policy import Allowed, Call, DefinitionFacts, Facts, PinState, ServerFacts, decide
from access.principals import GrantFacts, PrincipalFacts
from access.rules import Rule
from access.services import ensure_builtin_roles
from audit.models import Record
from core.permissions import Permission
from core.scopes import CONNECT
from tests import databases
from tests.access.doors import Api, problem
from tests.console.test_export_pages import whole
from tests.console.world import HOSTILE, Page
from tests.factories import (
    AgentFactory,
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    PublicAgentFactory,
    RoleFactory,
    person_with,
)
from tests.gateway.flowing import flowing, serve
from tests.tools.making import make_server, poll, tool
from tools.models import Definition

pytestmark = pytest.mark.django_db


def built() -> None:
    """Three servers with a tool each, one with three, and two roles."""
    flowing()
    serve("files", "read_file", "list_dir", "wipe")


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with databases.filled_copy(django_db_blocker, built):
        yield


@pytest.fixture
def console(servers: None, db: None) -> Client:
    client = Client()
    client.force_login(person_with(*Permission, username="ada"))
    return client


def matrix(console: Client, server: str = "files") -> dict[str, dict[str, str]]:
    """The cells of a server's page: by role, then tool."""
    response = console.get(f"/access/?server={server}")
    assert response.status_code == 200
    assert Page(response.content.decode()).inline == []
    roles = [column.role.name for column in response.context["columns"]]
    return {
        name: {line.tool.name: line.cells[at].value for line in response.context["lines"]}
        for at, name in enumerate(roles)
    }


def sent(role: Role, do: str, *own: str, **more: Any) -> dict[str, Any]:
    """The form of all tools of `files`, of which `own` are ticked."""
    tools = dict(Definition.objects.filter(server__slug="files", kind="tool").values_list("name", "public_id"))
    ticked = [str(tools[name]) for name in own]
    shown = [str(key) for key in tools.values()]
    return {"do": do, "seen": role.updated_at.isoformat(), "shown": shown, "own": ticked, **more}


def address(role: Role) -> str:
    return f"/access/files/{role.public_id}/"


def test_servers_come_first_with_their_tools_and_the_roles_that_name_them(console: Client) -> None:
    RoleFactory.create(name="lister", scopes=["mcp:files:tool:list_dir", "mcp:crm:read"])
    response = console.get("/access/")
    rows = [(row.server.slug, row.tools, row.roles) for row in response.context["rows"]]
    assert rows == [("crm", 1, 2), ("files", 3, 1), ("forge", 1, 1), ("mail", 1, 1)]
    assert b'href="?server=files"' in response.content
    assert [row.server.slug for row in console.get("/access/?q=or").context["rows"]] == ["forge"]
    assert console.get("/access/?server=nothing").status_code == 404


def test_a_cell_says_by_which_scope_a_role_reaches_a_tool(console: Client) -> None:
    Definition.objects.filter(name="wipe").update(sensitive=True)
    RoleFactory.create(name="lister", scopes=["mcp:files:tool:list_dir"])
    RoleFactory.create(name="caller", scopes=["mcp:files:call", "mcp:files:tool:list_dir"])
    cells = matrix(console)
    assert cells["lister"] == {"list_dir": "own", "read_file": "none", "wipe": "none"}
    assert cells["caller"] == {"list_dir": "both", "read_file": "whole", "wipe": "none"}
    assert set(cells["mailer"].values()) == {"none"}
    shown = console.get("/access/?server=files").content.decode()
    assert all(word in shown for word in ("own scope", "whole server", "both", "sensitive"))


@pytest.mark.parametrize("sensitive", [True, False])
@pytest.mark.parametrize(
    "scopes", [[], [CONNECT], ["mcp:files:read"], ["mcp:files:call"], ["mcp:files:tool:wipe"], ["mcp:crm:call"]]
)
def test_a_cell_is_what_decide_says_of_an_approved_tool(console: Client, scopes: list[str], sensitive: bool) -> None:  # noqa: FBT001 -- a parameter
    Definition.objects.filter(name="wipe").update(sensitive=sensitive)
    role = RoleFactory.create(name="asked", scopes=scopes)
    held = frozenset(scopes)
    principal = PrincipalFacts(True, None, (GrantFacts(held),), held, "files")
    tool_asked = DefinitionFacts("tool", "wipe", PinState.APPROVED, digest="d", sensitive=sensitive)
    facts = Facts(principal, ServerFacts("files", "files", "development", active=True))
    decided = decide(Call("tools/call", tool_asked), facts, role.updated_at)
    assert (matrix(console)["asked"]["wipe"] != "none") == isinstance(decided, Allowed)
    if not isinstance(decided, Allowed):
        assert decided.rule in (Rule.GRANT_DEFINITION, Rule.GRANT_SERVER)


def test_a_role_says_how_many_grants_count_here_and_how_many_on_conditions(console: Client) -> None:
    hours = {"hours": {"days": ["mon"], "from": "08:00", "to": "18:00"}}
    role, other = (RoleFactory.create(name=name, scopes=["mcp:files:call"]) for name in ("callers", "nightly"))
    GrantFactory.create(role=role, agent=AgentFactory.create())
    GrantFactory.create(role=role, agent=AgentFactory.create(), conditions={"networks": ["10.0.0.0/8"]})
    GrantFactory.create(role=role, agent=AgentFactory.create(), environment="production")
    GrantFactory.create(role=role, agent=AgentFactory.create(), revoked_at=timezone.now())
    GrantFactory.create(role=other, agent=AgentFactory.create(), environment="development", conditions=hours)
    html = console.get("/access/?server=files").content.decode()
    text = " ".join(Page(html).text.split())
    assert "callers Change 2 grants 1 on conditions" in text
    assert "nightly Change 1 grant only on conditions" in text
    assert html.count("#clock") >= 2
    roles = Api(Person.objects.get(username="ada")).get("access-matrix/?server=files").json()["roles"]
    told = {each["name"]: (each["grants"], each["grants_on_conditions"]) for each in roles}
    assert (told["callers"], told["nightly"]) == ((2, 1), (1, 1))
    blind = Client()
    blind.force_login(person_with("role:read", "server:read", "tool:read"))
    assert "on conditions" not in Page(blind.get("/access/?server=files").content.decode()).text


def test_builtin_roles_are_read_only(console: Client) -> None:
    ensure_builtin_roles()
    role = Role.objects.get(name="reader", builtin=True) if Role.objects.filter(builtin=True, name="reader") else None
    builtin = role or Role.objects.filter(builtin=True)[0]
    assert builtin.name in matrix(console)
    assert address(builtin) not in console.get("/access/?server=files").content.decode()
    for answer in (console.get(address(builtin)), console.post(address(builtin), sent(builtin, "save", "wipe"))):
        assert (answer.status_code, answer["Location"]) == (302, "/access/?server=files")
    assert Role.objects.get(pk=builtin.pk).scopes == builtin.scopes


def test_what_is_ticked_is_shown_before_it_is_saved_and_then_saved(console: Client) -> None:
    kept = ["mcp:connect", "mcp:files:read", "mcp:files:tool:gone", "mcp:mail:call"]
    role = RoleFactory.create(name="lister", scopes=sorted([*kept, "mcp:files:tool:list_dir"]))
    robot, editor = AgentFactory.create(name="robot"), PublicAgentFactory.create(name="editor")
    team = MembershipFactory.create(person=PersonFactory.create(username="grace")).team
    for holder in ({"agent": robot}, {"agent": editor}, {"team": team, "person": None, "agent": None}):
        GrantFactory.create(role=role, **holder)
    form = sent(role, "preview", "read_file", "wipe")
    found = console.post(address(role), form)
    assert found.status_code == 200
    asked = found.context["found"]
    assert (asked.added, asked.removed) == (
        ("mcp:files:tool:read_file", "mcp:files:tool:wipe"),
        ("mcp:files:tool:list_dir",),
    )
    assert (asked.gaining, asked.losing, asked.tools, asked.bound) == (2, 2, 3, 1)
    assert "2 principals gain, 2 lose: 3 tools." in found.content.decode()
    assert Role.objects.get(pk=role.pk).scopes == role.scopes
    saved = console.post(address(role), {**form, "do": "save", "reason": "They need it."}, follow=True)
    assert "Saved." in saved.content.decode()
    assert Role.objects.get(pk=role.pk).scopes == sorted([*kept, *asked.added])
    record = Record.objects.filter(event="role.changed").newest_first()[0]
    assert (record.subject, record.reason) == ("role:lister", "They need it.")


def test_the_whole_server_is_one_tick(console: Client) -> None:
    role = RoleFactory.create(name="lister", scopes=["mcp:files:tool:list_dir"])
    console.post(address(role), sent(role, "save", whole="on"))
    assert Role.objects.get(pk=role.pk).scopes == ["mcp:files:call"]
    role.refresh_from_db()
    console.post(address(role), sent(role, "save"))
    assert Role.objects.get(pk=role.pk).scopes == []


def test_all_that_say_the_same_effect_are_ticked_at_once_and_nothing_is_saved(console: Client) -> None:
    role = RoleFactory.create(name="lister", scopes=[])
    poll(make_server("notes"), tool("look", annotations={"readOnlyHint": True}), tool("jot"))
    shown = [str(key) for key in Definition.objects.filter(server__slug="notes").values_list("public_id", flat=True)]
    form = {"do": "tick", "effect": "reads", "seen": role.updated_at.isoformat(), "shown": shown}
    response = console.post(f"/access/notes/{role.public_id}/", form)
    ticked = Definition.objects.filter(public_id__in=response.context["draft"].ticked)
    assert [each.name for each in ticked] == ["look"]
    assert Role.objects.get(pk=role.pk).scopes == []


def test_a_role_that_changed_meanwhile_is_refused_and_the_ticks_stay(console: Client) -> None:
    role = RoleFactory.create(name="lister", scopes=[])
    form = sent(role, "save", "read_file", whole="on")
    role.scopes = ["mcp:mail:call"]
    role.save()
    answer = console.post(address(role), form)
    assert answer.status_code == 409
    assert "changed meanwhile" in answer.content.decode()
    draft = answer.context["draft"]
    assert ([str(key) for key in draft.ticked], draft.whole) == (form["own"], True)
    assert Role.objects.get(pk=role.pk).scopes == ["mcp:mail:call"]
    # The page that says so is up to date: sending it again is a decision.
    console.post(address(role), {**form, "seen": answer.context["seen"]})
    assert Role.objects.get(pk=role.pk).scopes == ["mcp:files:call", "mcp:files:tool:read_file", "mcp:mail:call"]


def test_a_form_that_is_none_of_the_page_saves_nothing(console: Client) -> None:
    role = RoleFactory.create(name="lister", scopes=["mcp:mail:call"])
    for broken in ({"seen": "never"}, {"own": ["1"]}, {"shown": [str(Agent().public_id)] * 2 + ["\0"]}, {"do": "rob"}):
        assert console.post(address(role), {**sent(role, "save"), **broken}).status_code == 422
    assert Role.objects.get(pk=role.pk).scopes == ["mcp:mail:call"]


def test_who_may_not_manage_roles_sees_the_matrix_and_changes_nothing(console: Client) -> None:
    role = RoleFactory.create(name="lister", scopes=[])
    browser = Client()
    browser.force_login(person_with("role:read", "server:read", "tool:read"))
    shown = browser.get("/access/?server=files")
    assert shown.status_code == 200
    assert address(role) not in shown.content.decode()
    assert browser.post(address(role), sent(role, "save", "wipe")).status_code == 403


def test_the_file_holds_every_tool_and_role_and_no_formula(console: Client) -> None:
    RoleFactory.create(name="=cmd()", scopes=["mcp:files:call"])
    poll(make_server("evil"), *(tool(name) for name in (*HOSTILE[:3], "=1+1", "@SUM(A1)")))
    response = console.get("/access/export/")
    rows = list(csv.DictReader(io.StringIO(whole(response), newline="")))
    assert response["Content-Type"].startswith("text/csv")
    assert len(rows) == Definition.objects.filter(kind="tool").count()
    assert {row["'=cmd()"] for row in rows if row["server"] == "files"} == {"whole"}
    assert {"'=1+1", "'@SUM(A1)", HOSTILE[0]} <= {row["tool"] for row in rows}
    one = list(csv.DictReader(io.StringIO(whole(console.get("/access/export/?server=files")), newline="")))
    assert {row["server"] for row in one} == {"files"}
    assert console.get("/access/export/?server=nothing").status_code == 404


def test_the_api_says_and_does_the_same(console: Client) -> None:
    role = RoleFactory.create(name="lister", scopes=["mcp:files:tool:list_dir"])
    GrantFactory.create(role=role, agent=AgentFactory.create(name="robot"))
    api = Api(Person.objects.get(username="ada"))
    found = api.get("access-matrix/?server=files&limit=2").json()
    at = [each["name"] for each in found["roles"]].index("lister")
    assert (found["total"], [(each["name"], each["by"][at]) for each in found["results"]]) == (
        3,
        [("list_dir", "own"), ("read_file", "none")],
    )
    assert [each["name"] for each in api.get("access-matrix/?server=files&offset=2").json()["results"]] == ["wipe"]
    assert problem(api.get("access-matrix/")) == (400, "invalid", ["server"])
    path = f"roles/{role.public_id}/"
    asked = api.send("POST", f"{path}preview/", {"scopes": ["mcp:files:call"]}).json()
    assert (asked["gaining"], asked["losing"], asked["tools"], asked["is_partial"]) == (1, 0, 2, False)
    assert problem(api.send("POST", f"{path}preview/", {"scopes": ["mcp:files:rob"]})) == (400, "invalid", ["scopes"])
    known = api.get(path).json()["updated_at"]
    change = {"scopes": ["mcp:files:call"], "unchanged_since": known}
    assert api.send("PATCH", path, change).json()["completes_flow"] is None
    assert problem(api.send("PATCH", path, change)) == (409, "conflict", ["unchanged_since"])


def test_the_pages_ask_no_more_the_more_there_is(console: Client) -> None:
    def asked(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert console.get(path).status_code == 200
        return len(queries)

    role = RoleFactory.create(name="lister", scopes=["mcp:files:tool:list_dir"])
    paths = ("/access/", "/access/?server=files", address(role))
    before = [asked(path) for path in paths]
    for number in range(5):
        RoleFactory.create(name=f"more-{number}", scopes=["mcp:files:call"])
        make_server(f"more-{number}")
    serve("more", *(f"tool_{number}" for number in range(5)))
    assert [asked(path) for path in paths] == before
