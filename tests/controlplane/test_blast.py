"""How far a change would reach: asked as if what waits were approved."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access.models import Person, Role
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from controlplane.callers import blast
from core.permissions import Permission
from servers.models import Server
from tests.access.doors import Api
from tests.console.world import Page
from tests.factories import AgentFactory, GrantFactory, PersonFactory, RoleFactory, person_with
from tests.tools.making import card, make_server, poll, tool, waiting
from tests.tools.records import draft, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(db: None) -> Server:
    """A server of which nothing is approved, and a role that reaches it."""
    server = make_server("mail")
    poll(server, card(), tool("send"))
    RoleFactory.create(name="mailer", scopes=["mcp:mail:call"])
    RoleFactory.create(name="other", scopes=["mcp:crm:call"])
    return server


@pytest.fixture
def console(held: Server) -> Client:
    client = Client()
    client.force_login(person_with(*Permission, username="ada"))
    return client


def page_of(client: Client, name: str = "send", **headers: Any) -> Page:
    response = client.get(f"/reviews/{waiting(name).public_id}/reach/", **headers)
    assert response.status_code == 200
    return Page(response.content.decode())


def called(times: int, name: str = "send") -> None:
    said = {"type": RecordType.INTENT, "event": Event.CALL_INTENDED, "server": "mail", "tool": name}
    write([RecordDraft(**draft(said)) for _ in range(times)])


def test_it_names_roles_agents_and_people_although_nothing_is_approved(console: Client) -> None:
    mailer = Role.objects.get(name="mailer")
    GrantFactory.create(role=mailer, agent=AgentFactory.create(name="robot"))
    GrantFactory.create(role=mailer, person=PersonFactory.create(username="grace"))
    GrantFactory.create(role=Role.objects.get(name="other"), agent=AgentFactory.create(name="stranger"))
    said = page_of(console).text
    assert "Roles that reach it 1 mailer" in said
    assert "Agents that could call it 1 robot" in said
    assert "People who could, through agents 1 grace" in said
    assert "stranger" not in said


def test_it_counts_the_calls_of_the_last_thirty_days(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    called(2)
    called(1, "other")
    assert "Calls in the last 30 days 2" in page_of(console).text
    monkeypatch.setattr(blast, "CALLS_MAX", 2)
    assert "Calls in the last 30 days 2 or more" in page_of(console).text


def test_who_may_not_read_the_log_is_told_no_number(held: Server) -> None:
    client = Client()
    client.force_login(person_with(Permission.REVIEW_READ, Permission.GRANT_READ, Permission.TOOL_READ))
    assert "Calls in the last 30 days" not in page_of(client).text


def test_the_review_s_page_leads_there_and_htmx_gets_it_alone(console: Client) -> None:
    review = waiting("send")
    links = Page(console.get(f"/reviews/{review.public_id}/").content.decode()).named("a")
    assert f"/reviews/{review.public_id}/reach/" in [link["href"] for link in links]
    page = page_of(console, headers={"HX-Request": "true"})
    assert page.named("dl")
    assert not page.named("html")
    assert page.inline == []


def test_only_tools_are_called(console: Client) -> None:
    assert console.get(f"/reviews/{waiting('card').public_id}/reach/").status_code == 404
    assert "How far it reaches" not in console.get(f"/reviews/{waiting('card').public_id}/").content.decode()


def test_the_api_says_the_same(console: Client) -> None:
    GrantFactory.create(role=Role.objects.get(name="mailer"), agent=AgentFactory.create(name="robot"))
    api = Api(Person.objects.get(username="ada"))
    found = api.get(f"reviews/{waiting('send').public_id}/reach/?limit=1").json()
    assert (found["roles"], found["calls"]) == (["mailer"], 0)
    assert found["agents"]["total"] == 1
    assert found["agents"]["results"][0]["name"] == "robot"
    assert found["people"] == {"total": 0, "is_partial": False, "results": []}


def test_it_costs_the_same_queries_however_many_there_are(console: Client) -> None:
    url = f"/reviews/{waiting('send').public_id}/reach/"
    mailer = Role.objects.get(name="mailer")
    GrantFactory.create(role=mailer, agent=AgentFactory.create())
    with CaptureQueriesContext(connection) as before:
        console.get(url)
    for _ in range(5):
        GrantFactory.create(role=mailer, agent=AgentFactory.create())
        GrantFactory.create(role=mailer, person=PersonFactory.create())
    with CaptureQueriesContext(connection) as after:
        console.get(url)
    assert len(after) <= min(len(before), 26), "\n".join(query["sql"][:200] for query in after.captured_queries)
