"""The page of what is not used."""

import pytest
from django.test import Client

from access.models import Grant, Role
from access.services import Holder, create_role, give_grant
from tests.console.world import Page, World
from tests.factories import person_with
from tests.tools.records import age, called, counted, days_ago
from tools.models import Definition

pytestmark = pytest.mark.django_db


def page_of(console: Client, path: str = "/right-sizing/") -> Page:
    response = console.get(path)
    assert response.status_code == 200
    found = Page(response.content.decode())
    assert found.inline == []
    return found


@pytest.fixture
def used(world: World) -> Grant:
    """The agent's grant, long given, used for one of two tools long ago."""
    grant = world.grant()
    age(grant, grant.role, days=300)
    definition = Definition.objects.select_related("server", "observed").get(server__slug="files", name="read")
    called(grant, definition, time=days_ago(50))
    counted(since=days_ago(300))
    return grant


def test_it_is_found_from_the_roles(console: Client) -> None:
    assert "/right-sizing/" in [link.get("href") for link in page_of(console, "/roles/").named("a")]


def test_an_unused_grant_is_shown_and_revoked(console: Client, used: Grant) -> None:
    assert "1 of 2 that hold now" not in page_of(console).text
    text = page_of(console, "/right-sizing/?days=40").text
    assert "1 of 2 that hold now" in text
    assert "ci-bot" in text
    console.post(f"/grants/{used.public_id}/revoke/", {"reason": "Unused.", "next": "/right-sizing/?days=40"})
    assert "0 of 1 that hold now" in page_of(console, "/right-sizing/?days=40").text


def test_the_narrower_role_is_made_from_the_page_and_given_to_nobody(console: Client, used: Grant) -> None:
    page = page_of(console)
    assert "used for 1 of 2" in page.text
    values = {field["name"]: field["value"] for field in page.named("input") if field.get("value")}
    assert values["name"] == "files-reader narrowed"
    response = console.post(
        "/right-sizing/narrow/", {key: values[key] for key in ("role", "days", "name")}, follow=True
    )
    assert "The narrower role exists" in response.content.decode()
    made = Role.objects.get(name="files-reader narrowed")
    assert made.scopes == ["mcp:files:tool:read"]
    assert list(Grant.objects.filter(role=made)) == []


@pytest.mark.parametrize("body", [{}, {"role": "x", "days": "90", "name": "n"}, {"days": "\0"}])
def test_a_form_that_does_not_fit_is_answered_with_a_sentence(console: Client, body: dict[str, str]) -> None:
    response = console.post("/right-sizing/narrow/", body, follow=True)
    assert "Name a role, the days" in response.content.decode()


@pytest.mark.parametrize("days", ["0", "x", "99999", "%00"])
def test_days_that_are_no_number_are_refused_at_the_field(console: Client, days: str) -> None:
    response = console.get(f"/right-sizing/?days={days}")
    assert response.status_code == 422
    assert "Unused for days" in response.content.decode()


def test_a_wildcard_and_the_average_are_on_it(console: Client, world: World) -> None:
    create_role(name="anything", scopes=[f"mcp:{slug}:call" for slug in ("files", "b", "c")], actor=world.actor)
    give_grant(role="anything", holder=Holder(agent=world.grant().agent.client_id), actor=world.actor, reason="Test.")  # type: ignore[union-attr]
    counted()
    world.approve("read")
    text = page_of(console).text
    assert "every tool of 3 servers" in text
    assert "On average" not in text
    assert "On average 1.00 scopes" in Page(console.get("/right-sizing/?part=tools").content.decode()).text
    alone = console.get("/right-sizing/?part=tools", headers={"HX-Request": "true"}).content.decode()
    assert "On average 1.00 scopes" in alone
    assert "<h1" not in alone


def test_who_lacks_a_permission_gets_the_403_page_and_sees_no_link(world: World) -> None:
    client = Client()
    client.force_login(person_with("role:read", "grant:read"))
    assert client.get("/right-sizing/").status_code == 403
    assert "/right-sizing/" not in client.get("/roles/").content.decode()
    client.force_login(person_with("role:read", "grant:read", "tool:read"))
    assert "Make this role" not in client.get("/right-sizing/").content.decode()
    assert client.post("/right-sizing/narrow/", {}).status_code in (302, 403)
