"""What a new version is scanned beside: few neighbours, of other servers, in a fixed number of queries."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Person
from core.actor import Actor
from servers.models import Server
from servers.surface import Item, Kind
from tests.tools.making import approve, card, make_server, poll, tool, waiting
from tools.models import Definition, DefinitionVersion
from tools.querysets.shared import squashed_name
from tools.services.surroundings import NEIGHBOURS_MAX, Surroundings, squashed, surroundings_of

pytestmark = pytest.mark.django_db
WORDS = "Looks through every card of the library's catalogue and lists the books that fit."


@pytest.fixture
def other(registrant: Person) -> Server:
    return make_server("library", registered_by=registrant)


def around(server: Server, *items: Item) -> dict[str, Surroundings]:
    """The surroundings of what `server` has just come to show, by name."""
    poll(server, *items)
    rows = {row.name: row for row in Definition.objects.filter(server=server).select_related("observed")}
    wanted = {(rows[item.name].pk, rows[item.name].observed.digest): item.body for item in items}  # type: ignore[union-attr]
    names = {row.pk: row.name for row in rows.values()}
    return {names[pk]: found for (pk, _), found in surroundings_of(wanted).items()}


def seen(found: Surroundings) -> set[str]:
    return {f"{body['server']}/{body['name']}" for body in found.neighbours}


@pytest.mark.parametrize("name", ["search_catalogue", "searchCatalogue", "Search-Catalogue", "se\u0430rch_catalogue"])
def test_a_namesake_on_another_server_is_a_neighbour_however_it_is_spelt(
    server: Server, other: Server, name: str
) -> None:
    poll(other, tool("search_catalogue", "Finds."), tool("unlike", "Sends a kite up."))
    assert seen(around(server, tool(name, "Does."))[name]) == {"library/search_catalogue"}


def test_what_the_text_names_is_a_neighbour(server: Server, other: Server) -> None:
    poll(other, tool("search_catalogue", "Finds."), tool("search", "Finds."))
    text = "Before you search, call\nlibrary.search_catalogue() twice."
    assert seen(around(server, tool("note", text))["note"]) == {"library/search_catalogue"}


def test_a_likely_relative_is_a_neighbour_whatever_its_name(server: Server, other: Server) -> None:
    poll(other, tool("search_catalogue", WORDS))
    (body,) = around(server, tool("books", WORDS))["books"].neighbours
    assert (body["server"], body["description"]) == ("library", WORDS)


def test_neither_its_own_server_nor_what_is_gone_nor_a_retired_server_is_beside_it(
    server: Server, other: Server, registrant: Person
) -> None:
    gone = make_server("gone", registered_by=registrant)
    poll(gone, tool("search_catalogue", WORDS))
    poll(gone, tool("ping"))
    poll(other, tool("search_catalogue", WORDS))
    Server.objects.filter(pk=other.pk).update(state="retired")
    assert around(server, tool("search_catalogue", WORDS), tool("books", WORDS))["books"].neighbours == ()


def test_the_approved_body_is_beside_what_comes_after_it(server: Server, reviewer: Actor) -> None:
    poll(server, tool(description="Read a file."))
    approve(waiting(), reviewer)
    previous = around(server, tool(description="Read a file, and more."))["read"].previous
    assert previous is not None
    assert previous["description"] == "Read a file."


def test_the_surface_follows_the_kind(server: Server) -> None:
    prompt = Item(Kind.PROMPT, "greet", {"name": "greet", "description": "Greets."})
    resource = Item(Kind.RESOURCE, "file:///a", {"uri": "file:///a", "name": "a"})
    template = Item(Kind.TEMPLATE, "file:///{b}", {"uriTemplate": "file:///{b}", "name": "b"})
    found = around(server, tool(), prompt, resource, template, card())
    assert {name: each.surface for name, each in found.items()} == {
        "read": "tool", "greet": "prompt", "file:///a": "resource", "file:///{b}": "resource",
        "card": "server_instructions",
    }  # fmt: skip
    assert {each.server for each in found.values()} == {"files"}


def test_neighbours_are_bounded(server: Server, registrant: Person) -> None:
    for number in range(8):
        names = [tool("search_catalogue", WORDS), *(tool(f"find_book_{n}", WORDS) for n in range(5))]
        poll(make_server(f"library-{number}", registered_by=registrant), *names)
    text = " ".join(f"find_book_{n}" for n in range(5))
    found = around(server, tool("search_catalogue", f"{WORDS} {text}"))["search_catalogue"].neighbours
    assert len(found) == NEIGHBOURS_MAX


def test_what_cannot_be_read_any_more_is_known_by_its_name(
    server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(other, tool("search_catalogue", WORDS))
    monkeypatch.setattr("tools.services.surroundings._READ_BYTES", 10)
    (body,) = around(server, tool("search_catalogue"))["search_catalogue"].neighbours
    assert body == {"name": "search_catalogue", "server": "library"}


def test_the_number_of_queries_is_the_same_for_one_and_for_many(server: Server, other: Server) -> None:
    poll(other, *(tool(f"search_catalogue_{n}", f"{WORDS} {n}") for n in range(30)))
    items = [tool(f"search_catalogue_{n}", f"{WORDS} It says {n}.") for n in range(30)]
    poll(server, *items)
    rows = Definition.objects.filter(server=server).select_related("observed")
    shown: dict[Any, Any] = {
        (row.pk, row.observed.digest): item.body  # type: ignore[union-attr]
        for row, item in zip(rows.order_by("pk"), items, strict=True)
    }
    counts = []
    for some in (dict(list(shown.items())[:1]), shown):
        with CaptureQueriesContext(connection) as queries:
            surroundings_of(some)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_database_and_we_squash_names_alike(server: Server) -> None:
    names = ["Read_File-2", "ge\u0430r", "a.b/c", "\u0130stanbul", "x" * 300]
    poll(server, *(tool(name) for name in names))
    rows: Any = Definition.objects.annotate(squashed=squashed_name())
    assert {row.name: row.squashed for row in rows} == {name: squashed_ascii(name) for name in names}
    assert DefinitionVersion.objects.count() == len(names)


def squashed_ascii(name: str) -> str:
    return squashed("".join(letter for letter in name if letter.isascii()))
