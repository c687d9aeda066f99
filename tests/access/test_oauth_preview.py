"""Who looks after an agent sees what people are asked before it acts for them, in the same words, and decides nothing."""

import pytest
from django.test import Client

from access.models import Agent, Consent
from core.permissions import Permission
from tests.console.world import HOSTILE, Page
from tests.factories import AgentFactory, ProtectedResourceFactory, PublicAgentFactory, person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db: None) -> Client:
    found = Client()
    found.force_login(person_with(Permission.AGENT_READ, Permission.SERVER_READ, username="ada"))
    return found


def shown(browser: Client, agent: Agent, query: str = "") -> str:
    html = browser.get(f"/agents/{agent.public_id}/consent/{query}").content.decode()
    return " ".join(Page(html).text.split())


def test_it_says_what_the_page_of_consent_would_say_for_each_way_back(browser: Client) -> None:
    for slug in ("crm", "files", "mail", "notes"):
        ProtectedResourceFactory.create(server_slug=slug, uri=f"http://127.0.0.1:8000/mcp/{slug}")
    agent = PublicAgentFactory.create(name="Editor")
    here = shown(browser, agent)
    assert "Application Editor" in here
    assert "The answer goes to 127.0.0.1" in here
    assert "This application runs on your computer." in here
    assert "Choose the server. It would crm" in here
    assert "Connect to the server" in here
    assert "1 more server is offered to you." in here
    away = shown(browser, agent, "?back=https://app.example/callback")
    assert "The answer goes to app.example" in away
    assert "runs on your computer" not in away
    assert "The answer goes to 127.0.0.1" in shown(browser, agent, "?back=https://evil.example/")


def test_nothing_can_be_decided_there(browser: Client) -> None:
    ProtectedResourceFactory.create(server_slug="files", uri="http://127.0.0.1:8000/mcp/files")
    agent = PublicAgentFactory.create()
    path = f"/agents/{agent.public_id}/consent/"
    html = browser.get(path).content.decode()
    assert 'name="allow"' not in html
    assert "disabled" in html
    assert browser.post(path, {"allow": "yes"}).status_code == 405
    assert not Consent.objects.exists()


def test_an_agent_that_acts_on_its_own_asks_nobody(browser: Client) -> None:
    assert "Nobody is asked" in shown(browser, AgentFactory.create())


@pytest.mark.parametrize("name", HOSTILE[:6])
def test_a_name_is_no_markup(browser: Client, name: str) -> None:
    ProtectedResourceFactory.create(server_slug="files", uri="http://127.0.0.1:8000/mcp/files")
    agent = PublicAgentFactory.create(name=name)
    html = browser.get(f"/agents/{agent.public_id}/consent/").content.decode()
    assert Page(html).inline == []
    assert "<script>alert" not in html


def test_who_may_not_read_agents_sees_none() -> None:
    blind = Client()
    blind.force_login(person_with(Permission.SERVER_READ))
    agent = PublicAgentFactory.create()
    assert blind.get(f"/agents/{agent.public_id}/consent/").status_code == 403
