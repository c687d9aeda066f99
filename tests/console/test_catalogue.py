"""The page of everything that servers show."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from access.models import GrantUse, UseCursor
from access.models.uses import USES
from core.permissions import Permission
from servers.models import Server
from tests.access.doors import Api
from tests.console.world import Page, World, tool
from tests.factories import AgentFactory, GrantFactory, person_with
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


def test_the_catalogue_narrows_by_tags_of_servers(console: Client, world: World) -> None:
    Server.objects.filter(slug="mail").update(tags=["payments", "pci"])
    assert listed(console, "?tag=pci") == listed(console, "?tag=PCI%20") == ["send"]
    assert listed(console, "?tag=pc") == listed(console, f"?tag={quote('<b>')}") == []
    page = console.get("/definitions/?tag=payments&kind=tool")
    assert 'name="tag" value="payments"' in page.content.decode()
    assert "definitions/?tag=payments&amp;kind=tool" in page.content.decode()  # the same by the API
    found = Api(person_with(Permission.TOOL_READ)).get("definitions/?tag=payments").json()["results"]
    assert [item["name"] for item in found] == ["send"]


def test_a_filter_that_is_none_is_said_to_be_wrong(console: Client, world: World) -> None:
    assert "Select a valid choice" in console.get("/definitions/?effect=nonsense").content.decode()


def called(name: str, days: int, *, server: str = "files") -> None:
    """Somebody's grant carried a call of it so many days ago."""
    moment, grant = timezone.now() - timedelta(days=days), GrantFactory.create(agent=AgentFactory.create())
    named = {"server": server, "kind": "tool", "name": name, "scope": f"mcp:{server}:tool:{name}"}
    GrantUse.objects.create(grant=grant, **named, first_used=moment, last_used=moment, calls=1)


def counting_for(days: int) -> None:
    """Calls are counted for so long, and all definitions were there before."""
    UseCursor.objects.update_or_create(name=USES, defaults={"since": timezone.now() - timedelta(days=days)})
    Definition.objects.update(first_seen=timezone.now() - timedelta(days=days + 1))


def test_when_a_tool_was_last_called_is_told_to_who_may_read_grants(console: Client, world: World) -> None:
    counting_for(100)
    for name, days in (("read", 50), ("read", 3), ("wipe", 95)):
        called(name, days=days)
    called("read", days=1, server="mail")
    rows = console.get("/definitions/").context["rows"]
    ages = {row["definition"].name: row["definition"].last_used for row in rows}
    assert {name: (timezone.now() - at).days if at else None for name, at in ages.items()} == {
        "read": 3, "wipe": 95, "write": None, "send": None
    }  # fmt: skip
    assert listed(console, "?unused=on") == ["wipe", "write", "send"]
    blind = Client()
    blind.force_login(person_with(Permission.TOOL_READ))
    assert "Last called" not in blind.get("/definitions/").content.decode()
    assert len(listed(blind, "?unused=on")) == 4


def test_nothing_is_called_unused_before_it_was_counted_for_as_long(console: Client, world: World) -> None:
    counting_for(80)
    assert listed(console, "?unused=on") == []


def test_what_an_earlier_server_of_the_name_had_called_is_not_counted(console: Client, world: World) -> None:
    called("read", days=3)
    assert {row["definition"].last_used for row in console.get("/definitions/").context["rows"]} == {None}


def test_a_name_that_other_servers_have_is_said_and_leads_there(console: Client, world: World) -> None:
    world.show([tool("Se_nd"), tool("other")], "mail")
    world.register("post")
    world.show([tool("send")], "post")
    page = Page(console.get("/definitions/?server=post").content.decode())
    assert "Other servers have one of this name" in page.text
    assert "Other servers" not in Page(console.get("/definitions/?server=files").content.decode()).text
    assert any(link.get("href") == "/definitions/?kind=tool&q=send" for link in page.named("a"))


def test_the_api_tells_use_and_namesakes_too(world: World) -> None:
    counting_for(100)
    called("read", days=3)
    api, blind = Api(world.admin), Api(person_with(Permission.TOOL_READ))
    rows = api.get("definitions/?server=files").json()["results"]
    assert sorted((row["name"], bool(row["last_used"]), row["has_namesakes"]) for row in rows) == [
        ("read", True, False), ("wipe", False, False), ("write", False, False)
    ]  # fmt: skip
    moment = quote((timezone.now() - timedelta(days=90)).isoformat())
    found = api.get(f"definitions/?server=files&unused_since={moment}").json()["results"]
    assert sorted(row["name"] for row in found) == ["wipe", "write"]
    assert blind.get("definitions/?server=files").json()["results"][0]["last_used"] is None
    assert blind.get(f"definitions/?unused_since={moment}").status_code == 403
