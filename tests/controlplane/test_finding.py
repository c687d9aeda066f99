"""Jumping to things by a few words: what is found, in what order, and by whom."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access.models import Agent, Person
from controlplane.finding.reading import FOUND_MAX, OF_A_KIND, Hit, found
from core.permissions import Permission
from servers.models import Server
from tests.access.doors import Api
from tests.console.world import HOSTILE, Page, World, administrator, tool
from tests.factories import AgentFactory, MembershipFactory, PersonFactory, RoleFactory, TeamFactory, person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> World:
    """Two servers with a tool of one name each, and an agent, a role and a person."""
    world = World(administrator(username="ada"), [tool("read_file"), tool("send_mail")]).build()
    world.register("postbox", name="Post box")
    world.show([tool("send_mail"), tool("mail_send_later")], "postbox")
    AgentFactory.create(name="Mail robot", client_id="mail-robot")
    RoleFactory.create(name="mailers")
    PersonFactory.create(username="mailman")
    return world


@pytest.fixture
def console(world: World) -> Client:
    client = Client()
    client.force_login(world.admin)
    return client


def names(hits: list[Hit]) -> list[tuple[str, str, str]]:
    return [(hit.kind, hit.name, hit.beside) for hit in hits]


def test_whatever_holds_every_word_is_found_kind_by_kind(world: World) -> None:
    assert names(found(world.actor, "Mail", [("Mail room", "/x/"), ("Other", "/y/")])) == [
        ("page", "Mail room", ""),
        ("definition", "mail_send_later", "postbox"), ("definition", "send_mail", "files"),
        ("definition", "send_mail", "postbox"),
        ("review", "mail_send_later", "postbox"), ("review", "send_mail", "files"), ("review", "send_mail", "postbox"),
        ("agent", "Mail robot", "mail-robot"), ("role", "mailers", ""), ("person", "mailman", ""),
    ]  # fmt: skip
    assert names(found(world.actor, "postbox send")) == [
        ("definition", "send_mail", "postbox"), ("definition", "mail_send_later", "postbox"),
        ("review", "send_mail", "postbox"), ("review", "mail_send_later", "postbox"),
    ]  # fmt: skip
    assert names(found(world.actor, "post")) == [("server", "Post box", "postbox")]


@pytest.mark.parametrize("asked", ["", "  ", "\0", "nowhere to be found", "%", "_ _"])
def test_what_holds_nothing_finds_nothing(world: World, asked: str) -> None:
    assert [hit for hit in found(world.actor, asked) if "%" in asked or "_" not in hit.name] == []


def test_each_place_leads_to_its_page(world: World, console: Client) -> None:
    hits = found(world.actor, "mail")
    assert {hit.kind for hit in hits} == {"definition", "review", "agent", "role", "person"}
    for hit in [*hits, *found(world.actor, "postbox")]:
        page = console.get(hit.url)
        assert page.status_code == 200, hit
        assert hit.name in Page(page.content.decode()).text, hit


def test_of_many_only_the_first_are_told(world: World) -> None:
    AgentFactory.create_batch(OF_A_KIND + 4, name="mail agent")
    hits = found(world.actor, "mail")
    assert sum(hit.kind == "agent" for hit in hits) == OF_A_KIND
    assert len(hits) <= FOUND_MAX


def test_nobody_finds_what_they_may_not_see(world: World) -> None:
    team = TeamFactory.create(slug="post")
    Server.objects.filter(slug="postbox").update(owner_team=team)
    member, stranger = person_with(Permission.AGENT_READ), person_with()
    MembershipFactory.create(team=team, person=member)
    Agent.objects.filter(client_id="mail-robot").update(owner_team=None)
    kinds = {each["kind"] for each in Api(member).get("find/?q=mail").json()}
    assert kinds == {"agent"}
    assert Api(stranger).get("find/?q=mail").json() == []
    browser = Client()
    browser.force_login(stranger)
    assert "send_mail" not in browser.get("/find/?q=mail").content.decode()


def test_the_page_offers_the_pages_that_its_reader_may_open(world: World, console: Client) -> None:
    everything = Page(console.get("/find/").content.decode())
    assert {"/audit/", "/people/", "/flows/"} <= {link.get("href") for link in everything.named("a")}
    assert "Audit log" in Page(console.get("/find/?q=audit").content.decode()).text


def test_the_palettes_list_holds_options_and_the_page_links(world: World, console: Client) -> None:
    fragment = Page(console.get("/find/?q=mail", headers={"hx-request": "true"}).content.decode())
    assert len([link for link in fragment.named("a") if link.get("role") == "option"]) == 9
    assert not [link for link in Page(console.get("/find/?q=mail").content.decode()).named("a") if link.get("role")]


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_hostile_names_are_text(world: World, console: Client, hostile: str) -> None:
    world.show([*world.tools, tool(hostile, hostile)])
    page = Page(console.get("/find/", {"q": hostile[:20]}).content.decode())
    assert page.inline == []


def test_the_api_asks_for_words(world: World) -> None:
    api = Api(world.admin)
    assert api.get("find/").status_code == 400
    assert api.get(f"find/?q={'x' * 101}").status_code == 400
    first: Any = api.get("find/?q=postbox").json()[0]
    assert first == {"kind": "server", "name": "Post box", "beside": "postbox", "url": "/servers/postbox/"}


def test_it_costs_the_same_queries_however_much_there_is(world: World, console: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            console.get("/find/?q=mail")
        return len(captured)

    few = queries()
    AgentFactory.create_batch(5, name="mail agent")
    for number in range(5):
        PersonFactory.create(username=f"mail-{number}")
    assert queries() == few <= 20
    assert Person.objects.filter(username__startswith="mail").count() == 6
