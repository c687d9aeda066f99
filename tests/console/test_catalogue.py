"""The page of everything that servers show."""

import pytest
from django.test import Client

from servers.models import Server
from tests.console.world import Page, World, tool
from tools.models import Definition, DefinitionVersion

pytestmark = pytest.mark.django_db

TOOLS = [
    tool("read", annotations={"readOnlyHint": True}),
    tool("write", "Writes a file.", annotations={"destructiveHint": False}),
    tool("wipe", "Deletes all files."),
]


@pytest.fixture
def world(world: World) -> World:
    """Three tools of one server, two of them served, and one of another."""
    Server.objects.filter(slug="files").update(state="active")
    world.show(TOOLS)
    for name in ("read", "wipe"):
        world.approve(name)
    world.register("mail")
    world.show([tool("send")], "mail")
    return world


def listed(console: Client, query: str = "") -> list[str]:
    """The names in the page's table."""
    response = console.get(f"/definitions/{query}")
    assert response.status_code == 200
    found = Page(response.content.decode())
    assert found.inline == []
    return [row["definition"].name for row in response.context["rows"]]


def test_all_definitions_of_all_servers_are_listed(console: Client, world: World) -> None:
    assert listed(console) == ["read", "wipe", "write", "send"]
    assert listed(console, "?server=mail") == ["send"]
    assert listed(console, "?q=WR&kind=tool&state=held") == ["write"]
    assert listed(console, "?q=nothing") == []


def test_which_tools_may_write_right_now_is_one_click(console: Client, world: World) -> None:
    page = Page(console.get("/definitions/").content.decode())
    href = next(link["href"] for link in page.named("a") if "may_write" in str(link.get("href")))
    assert listed(console, str(href).removeprefix("/definitions/")) == ["wipe"]
    assert listed(console, "?effect=may_write") == ["wipe", "write", "send"]
    assert listed(console, "?effect=writes") == ["write"]
    assert listed(console, "?effect=reads&served=on") == ["read"]


def test_what_counts_is_what_agents_get_and_not_what_is_shown_meanwhile(console: Client, world: World) -> None:
    world.show([tool("read", annotations={"readOnlyHint": False}), *TOOLS[1:]])
    assert listed(console, "?effect=reads") == ["read"]
    world.approve("read")
    assert listed(console, "?effect=destroys&served=on") == ["read", "wipe"]


def test_a_version_of_which_nothing_is_known_counts_as_the_worst(console: Client, world: World) -> None:
    version = Definition.objects.get(name="send").observed
    assert version is not None
    assert DefinitionVersion.objects.get(pk=version.pk).effect == "destroys"
    Definition.objects.filter(name="send").update(observed=None)
    assert "send" in listed(console, "?effect=destroys")


def test_a_filter_that_is_none_is_said_to_be_wrong(console: Client, world: World) -> None:
    assert "Select a valid choice" in console.get("/definitions/?effect=nonsense").content.decode()
