"""Who may call a tool right now: asked of the decision that judges every call."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Grant, Person, Role
from core.permissions import Permission
from servers.models import Server
from tests import databases
from tests.access.doors import Api, problem
from tests.console.world import Page
from tests.factories import (
    AgentFactory,
    GrantFactory,
    MembershipFactory,
    PersonFactory,
    PublicAgentFactory,
    person_with,
)
from tests.gateway.flowing import flowing, founder
from tests.tools.making import approve, card, poll, tool, waiting
from tools.models import Definition, Pin

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Three servers and two roles, in a database that all tests here share."""
    with databases.filled_copy(django_db_blocker, flowing):
        yield


@pytest.fixture
def console(servers: None, db: None) -> Client:
    client = Client()
    client.force_login(person_with(*Permission, username="ada"))
    return client


def callers(console: Client, tool: str = "send_mail") -> list[str]:
    """The names on the page of one tool."""
    definition = Definition.objects.get(name=tool)
    response = console.get(f"/definitions/{definition.public_id}/callers/")
    assert response.status_code == 200
    page = Page(response.content.decode())
    assert page.inline == []
    return [each.name for each in response.context["page"]]


def test_whoever_a_grant_reaches_is_named_and_nobody_else(console: Client) -> None:
    mail, read = Role.objects.get(name="mailer"), Role.objects.get(name="reader")
    GrantFactory.create(role=mail, agent=AgentFactory.create(name="robot"))
    GrantFactory.create(role=mail, person=PersonFactory.create(username="grace"))
    GrantFactory.create(role=read, person=PersonFactory.create(username="alan"))
    member = MembershipFactory.create(person=PersonFactory.create(username="edsger"))
    GrantFactory.create(role=mail, team=member.team, person=None, agent=None)
    GrantFactory.create(role=mail, agent=PublicAgentFactory.create(name="editor"))  # calls for people only
    assert callers(console) == ["robot", "edsger", "grace"]


def test_the_api_says_the_same(console: Client) -> None:
    mail = Role.objects.get(name="mailer")
    for name in ("robot", "drone"):
        GrantFactory.create(role=mail, agent=AgentFactory.create(name=name))
    api, tool_id = Api(Person.objects.get(username="ada")), Definition.objects.get(name="send_mail").public_id
    found = api.get(f"definitions/{tool_id}/callers/?limit=1").json()
    assert (found["total"], found["is_partial"]) == (2, False)
    assert [(each["kind"], each["name"]) for each in found["results"]] == [("agent", "drone")]
    assert problem(api.get(f"definitions/{tool_id}/callers/?limit=0")) == (400, "invalid", ["limit"])


def test_what_ends_a_call_ends_its_place_on_the_page(console: Client) -> None:
    grant = GrantFactory.create(role=Role.objects.get(name="mailer"), agent=AgentFactory.create(name="robot"))
    assert callers(console) == ["robot"]
    Pin.objects.filter(definition__name="send_mail").update(ended_at=timezone.now(), ended_reason="replaced")
    assert callers(console) == []
    Grant.objects.filter(pk=grant.pk).update(revoked_at=timezone.now())
    assert callers(console) == []


def test_a_server_that_is_another_than_was_approved_is_called_by_nobody(console: Client) -> None:
    reviewer, server = founder(), Server.objects.get(slug="mail")
    mail = tool("send_mail", "Does it.")
    GrantFactory.create(role=Role.objects.get(name="mailer"), agent=AgentFactory.create(name="robot"))
    poll(server, card(), mail)
    approve(waiting("card"), reviewer)
    assert callers(console) == ["robot"]
    poll(server, card(serverInfo={"name": "other", "version": "1"}), mail)
    assert callers(console) == []


def test_it_costs_the_same_queries_however_many_may(console: Client) -> None:
    role = Role.objects.get(name="mailer")
    GrantFactory.create(role=role, agent=AgentFactory.create())
    callers(console)
    with CaptureQueriesContext(connection) as one:
        callers(console)
    for _ in range(5):
        GrantFactory.create(role=role, agent=AgentFactory.create())
        GrantFactory.create(role=role, person=PersonFactory.create())
    with CaptureQueriesContext(connection) as many:
        assert len(callers(console)) == 11
    assert len(many) == len(one)


def test_a_reader_without_grants_is_refused_and_what_is_no_tool_is_not_found(console: Client, servers: None) -> None:
    definition = Definition.objects.get(name="send_mail")
    poor = Client()
    poor.force_login(person_with(Permission.TOOL_READ, username="poor"))
    assert poor.get(f"/definitions/{definition.public_id}/callers/").status_code == 403
    resource = Definition.objects.create(server=definition.server, kind="resource", name="a:b")
    assert console.get(f"/definitions/{resource.public_id}/callers/").status_code == 404
