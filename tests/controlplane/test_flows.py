"""Toxic flows through the API and on their pages."""

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access.models import Agent, Person, Role, RoleSeparation
from core.permissions import Permission
from servers.models import Server
from tests import databases
from tests.access.doors import Api, problem
from tests.factories import (
    AgentFactory,
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    PublicAgentFactory,
    RoleFactory,
    TeamFactory,
    person_with,
)
from tests.gateway.flowing import SENTENCE, flowing, serve
from tools.models import Definition

pytestmark = pytest.mark.django_db
TOLD = "With what its holder has already, this grant completes a toxic flow."


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Three servers and two roles, in a database that all tests here share."""
    with databases.filled_copy(django_db_blocker, flowing):
        yield


@pytest.fixture
def admin(servers: None, db: None) -> Person:
    return person_with(*Permission, username="ada")


@pytest.fixture
def api(admin: Person) -> Api:
    return Api(admin)


@pytest.fixture
def console(admin: Person) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def hold(*roles: str, **holder: Any) -> None:
    """Give roles past the services."""
    for name in roles:
        GrantFactory.create(role=Role.objects.get(name=name), **holder)


def bot() -> Agent:
    """An agent on its own that holds a whole flow."""
    agent = AgentFactory.create(client_id="bot", name="Bot")
    hold("reader", "mailer", agent=agent)
    return agent


def words(response: Any) -> str:
    """What a page says, without its elements."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode()))
    return re.sub(r"\s+", " ", text)


def test_of_an_agent_its_legs_and_paths_are_told(api: Api) -> None:
    agent = bot()
    found = api.get("agents/bot/flows/").json()
    assert api.get(f"agents/{agent.public_id}/flows/").json() == found
    customers, issues, send = (
        {"server": slug, "name": name}
        for slug, name in (("crm", "find_customers"), ("forge", "list_issues"), ("mail", "send_mail"))
    )
    path = {"untrusted": issues, "private": customers, "out": send, "sentence": SENTENCE}
    assert found == {
        "whole": True, "is_partial": False, "paths": [path], "ways": 1, "is_cut": False,
        "legs": {
            "private": {"total": 1, "results": [customers]},
            "untrusted": {"total": 1, "results": [issues]},
            "out": {"total": 1, "results": [send]},
        },
    }  # fmt: skip


def test_what_no_longer_holds_makes_no_flow(api: Api) -> None:
    agent = bot()
    Definition.objects.filter(name="send_mail").update(sensitive=True)
    found = api.get("agents/bot/flows/").json()
    assert (found["whole"], found["paths"], found["legs"]["out"]) == (False, [], {"total": 0, "results": []})
    Definition.objects.update(sensitive=False)
    Agent.objects.filter(pk=agent.pk).update(state="suspended")
    assert not api.get("agents/bot/flows/").json()["whole"]


def test_an_agent_that_acts_for_people_is_asked_about_with_one(api: Api) -> None:
    editor = PublicAgentFactory.create(client_id="editor")
    hold("reader", "mailer", person=PersonFactory.create(username="alice"))
    bot()
    assert problem(api.get("agents/editor/flows/")) == (400, "invalid", ["person"])
    assert problem(api.get("agents/bot/flows/?person=alice")) == (400, "invalid", ["person"])
    assert problem(api.get("agents/editor/flows/?person=nobody")) == (404, "not_found", ["person"])
    assert api.get("agents/editor/flows/?person=Alice").json()["whole"]
    hold("reader", agent=editor)
    bound = api.get("agents/editor/flows/?person=alice").json()
    assert (bound["whole"], bound["legs"]["out"]["total"]) == (False, 0)
    assert api.get("people/alice/flows/").json()["whole"]


def test_who_holds_a_whole_flow_is_listed_worst_first(api: Api) -> None:
    bot()
    serve("box", "run_shell")
    RoleFactory.create(name="root", scopes=["mcp:box:call"])
    team = TeamFactory.create()
    for name in ("carol", "dave"):
        MembershipFactory.create(team=team, person=PersonFactory.create(username=name))
    hold("root", team=team)
    hold("reader", person=PersonFactory.create(username="erin"))
    found = api.get("flows/").json()
    assert [(each["kind"], each["name"], each["ways"]) for each in found["results"]] == [
        ("person", "carol", 1),
        ("person", "dave", 1),
        ("agent", "Bot", 1),
    ]
    # Ada holds permissions alone, so she can call nothing.
    assert (found["total"], found["principals"], found["is_partial"]) == (3, 4, False)
    assert found["results"][2]["path"]["sentence"] == SENTENCE
    cut = api.get("flows/?limit=1").json()
    assert (cut["total"], len(cut["results"])) == (3, 1)


def test_roles_that_complete_a_flow_are_suggested_and_one_request_keeps_them_apart(api: Api) -> None:
    (pair,) = api.get("separations/suggested/").json()["results"]
    assert (pair["roles"], pair["people"], pair["path"]["sentence"]) == (["mailer", "reader"], 0, SENTENCE)
    made = api.post("separations/", {"roles": pair["roles"], "reason": pair["reason"]})
    assert (made.status_code, made.json()["reason"]) == (201, f"Together they complete a toxic flow. {SENTENCE}")
    assert api.get("separations/suggested/").json() == {"total": 0, "results": []}


def test_whoever_gives_a_grant_that_completes_a_flow_is_told(api: Api) -> None:
    hold("reader", agent=AgentFactory.create(client_id="bot"))
    given = api.post("grants/", {"role": "mailer", "agent": "bot"}).json()
    flow = {"untrusted": "forge/list_issues", "private": "crm/find_customers", "out": "mail/send_mail"}
    assert given["completes_flow"] == {**flow, "principals": 1}
    assert api.post("grants/", {"role": "mailer", "agent": "bot"}).json()["completes_flow"] is None
    # Who may not read tools learns that there is a flow, not of which tools.
    hold("reader", agent=AgentFactory.create(client_id="other"))
    blind = Api(person_with(*(set(Permission) - {Permission.TOOL_READ})))
    given = blind.post("grants/", {"role": "mailer", "agent": "other"}).json()
    assert given["completes_flow"] == {**dict.fromkeys(flow), "principals": 1}


def test_nothing_is_shown_beyond_what_the_reader_sees(api: Api) -> None:
    """A member of one team sees its agents and its servers' tools; that this may not be all is said."""
    team = TeamFactory.create(slug="sales")
    member = PersonFactory.create(username="mia")
    MembershipFactory.create(team=team, person=member)
    role = RoleFactory.create(scopes=["agent:read", "grant:read", "tool:read"], reach="own_teams")
    GrantFactory.create(role=role, person=member)
    agent = bot()
    Agent.objects.filter(pk=agent.pk).update(owner_team=team)
    hold("reader", "mailer", agent=AgentFactory.create(client_id="stranger"))
    Server.objects.filter(slug="mail").update(owner_team=team)
    mine = Api(member)
    found = mine.get("agents/bot/flows/").json()
    assert (found["is_partial"], found["whole"], found["legs"]["private"]["total"]) == (True, False, 0)
    assert found["legs"]["out"]["results"] == [{"server": "mail", "name": "send_mail"}]
    assert mine.get("agents/stranger/flows/").status_code == 404
    assert mine.get("flows/").json()["results"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=%00"])
def test_what_is_no_limit_is_refused_at_its_field(api: Api, query: str) -> None:
    for path in ("flows/", "separations/suggested/", "people/ada/flows/"):
        assert problem(api.get(f"{path}?{query}")) == (400, "invalid", ["limit"])


def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for path in ("agents/nobody/flows/", "agents/%00/flows/", "people/nobody/flows/", "people/%00/flows/"):
        assert api.get(path).status_code == 404
    assert api.post("flows/").status_code == 405


def test_the_pages_show_paths_in_words_and_lead_from_one_to_the_other(console: Client) -> None:
    agent = bot()
    sentence = (
        "What comes in through list_issues of forge can ask find_customers of crm for what is private, "
        "and send_mail of mail leads it out."
    )
    overview = console.get("/flows/")
    assert sentence in words(overview)
    assert f'href="/flows/agents/{agent.public_id}/"' in overview.content.decode()
    page = console.get(f"/flows/agents/{agent.public_id}/")
    assert sentence in words(page)
    assert "mail/send_mail" in words(page)
    assert f'href="/flows/agents/{agent.public_id}/"' in console.get(f"/agents/{agent.public_id}/").content.decode()
    assert 'href="/flows/"' in console.get("/roles/").content.decode()


def test_the_page_of_an_agent_for_people_asks_for_whom(console: Client) -> None:
    editor = PublicAgentFactory.create()
    hold("reader", "mailer", person=PersonFactory.create(username="alice"))
    path = f"/flows/agents/{editor.public_id}/"
    assert "It acts for people. For" in words(console.get(path))
    assert "send_mail of mail leads it out" in words(console.get(f"{path}?person=alice"))
    assert console.get(f"{path}?person=nobody").status_code == 404
    alice = Person.objects.get(username="alice")
    assert "send_mail of mail leads it out" in words(console.get(f"/flows/people/{alice.public_id}/"))
    assert f'href="/flows/people/{alice.public_id}/"' in console.get("/people/").content.decode()


def test_where_nobody_can_call_anything_the_page_says_what_to_do(console: Client) -> None:
    page = console.get("/flows/")
    assert "Nobody can call a tool yet" in words(page)
    assert 'href="/grants/give/"' in page.content.decode()
    ada = Person.objects.get(username="ada")
    assert "No whole flow" in words(console.get(f"/flows/people/{ada.public_id}/"))
    hold("reader", person=ada)
    assert "Nobody holds a whole flow" in words(console.get("/flows/"))


def test_one_click_keeps_two_roles_apart(console: Client) -> None:
    page = console.get("/flows/").content.decode()
    section = page[page.index('id="apart-title"') :]
    fields = dict(re.findall(r'<input type="hidden" name="(role|other|reason)" value="([^"]*)"', section))
    answer = console.post("/roles/separate/", {name: html.unescape(value) for name, value in fields.items()})
    assert (answer.status_code, answer["Location"]) == (302, "/roles/")
    assert RoleSeparation.objects.get().reason.endswith(SENTENCE)
    assert "No two roles that are not kept apart" in words(console.get("/flows/"))


def test_roles_that_somebody_holds_both_of_are_not_offered_to_be_kept_apart(console: Client) -> None:
    hold("reader", "mailer", person=PersonFactory.create())
    shown = words(console.get("/flows/"))
    assert "by 1 person" in shown
    assert "Revoke one of the two first" in shown


def test_the_form_that_gives_a_grant_says_what_it_completes(console: Client) -> None:
    hold("reader", agent=AgentFactory.create(client_id="bot"))
    asked = {"role": "mailer", "holder": "agent:bot", "reason": "A test."}
    told = words(console.post("/grants/give/", asked, follow=True))
    assert f"{TOLD} {SENTENCE}" in told


def test_the_overview_costs_the_same_queries_however_much_there_is(console: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert console.get("/flows/").status_code == 200
        return len(captured)

    bot()
    few = queries()
    for number in range(3):
        serve(f"more-{number}", "run_shell")
        role = RoleFactory.create(name=f"more {number}", scopes=[f"mcp:more-{number}:call"])
        GrantFactory.create(role=role, agent=AgentFactory.create())
        GrantFactory.create(role=role, person=PersonFactory.create())
    assert queries() == few <= 30
