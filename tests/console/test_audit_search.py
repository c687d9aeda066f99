"""Searching the log on its page, and keeping searches, as a plain form does it."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from access.models import Person
from audit.models import Record, SavedSearch
from core.permissions import Permission
from tests.console.world import HOSTILE, Page, World
from tests.factories import person_with


def text_of(response: object) -> str:
    return Page(response.content.decode()).text  # type: ignore[attr-defined]


def sent_by(page: Page, **typed: str) -> dict[str, str]:
    """What the page's form to save a search sends."""
    hidden = {field["name"]: field["value"] for field in page.named("input") if field.get("type") == "hidden"}
    return {name: value for name, value in hidden.items() if value and name != "csrfmiddlewaretoken"} | typed


@pytest.fixture
def auditor(world: World) -> Iterator[tuple[Person, Client]]:
    person, client = person_with(Permission.AUDIT_READ), Client()
    client.force_login(person)
    yield person, client


def test_every_filter_narrows_the_page_and_a_wrong_one_is_said_at_its_field(world: World, console: Client) -> None:
    for query in ("event=server.registered", "since=2001-01-01&event=server.registered", "reason=&type=config"):
        assert "server.registered" in text_of(console.get(f"/audit/?{query}"))
    for query in ("reason=nobody", "intention=report", f"trace_id={'0' * 32}", "event=glass.broken", "decision=denied"):
        assert "No record matches" in text_of(console.get(f"/audit/?{query}"))
    for query in ("event=gossip", "type=gossip", "trace_id=12", "intention=%21", "call_id=12", "since=2026-99-01"):
        response = console.get(f"/audit/?{query}")
        assert response.status_code == 422
        assert f'id="id_{query.partition("=")[0]}_error"' in response.content.decode()


def test_pages_keep_the_filters_that_they_were_asked_with(
    world: World, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.views.PAGE_SIZE", 1)
    url, seen = "/audit/?event=tool.appeared&since=2001-01-01T00:00&server=files", []
    while url:
        page = Page(console.get(url).content.decode())
        seen += [link["href"] for link in page.named("a") if link["href"].startswith("/audit/0")]
        url = next((link["href"] for link in page.named("a") if link.get("rel") == "next"), "")
    found = Record.objects.filter(event="tool.appeared").newest_first().values_list("id", flat=True)
    assert seen == [f"/audit/{record_id}/" for record_id in found]
    assert len(seen) > 1


def test_a_search_is_saved_listed_opened_and_removed(world: World, console: Client) -> None:
    page = Page(console.get("/audit/?event=tool.appeared&since=2001-01-01").content.decode())
    saved = console.post("/audit/searches/save/", sent_by(page, name="New tools"), follow=True)
    assert "Saved. It is listed above the filters." in text_of(saved)
    (search,) = SavedSearch.objects.all()
    assert (search.name, search.shared) == ("New tools", False)
    assert search.query == {"event": "tool.appeared", "since": "2001-01-01T00:00:00Z"}
    (address,) = [link["href"] for link in Page(console.get("/audit/").content.decode()).named("a")
                  if parse_qs(urlsplit(link["href"]).query).get("event")]  # fmt: skip
    assert "tool.appeared" in text_of(console.get(address))
    console.post(f"/audit/searches/{search.public_id}/remove/")
    assert "New tools" not in text_of(console.get("/audit/"))
    assert [record.event for record in Record.objects.filter(subject__startswith="search:").order_by("id")] == [
        "search.saved",
        "search.removed",
    ]


def test_a_shared_search_is_everybody_s_who_reads_the_log(
    world: World, console: Client, auditor: tuple[Person, Client]
) -> None:
    for name, sent in (("Mine", {}), ("Ours", {"shared": "on"})):
        console.post("/audit/searches/save/", {"name": name, "decision": "denied", **sent})
    text = text_of(auditor[1].get("/audit/"))
    assert f"Ours shared by {world.admin.username}" in text
    assert "Mine" not in text


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "", "decision": "denied"}, "A name is 1 to 100 printable characters."),
        ({"name": "Nothing"}, "A search needs a filter."),
        ({"name": "Wrong", "decision": "perhaps"}, "A filter does not fit."),
    ],
)
def test_what_cannot_be_saved_is_said(world: World, console: Client, sent: dict[str, str], said: str) -> None:
    response = console.post("/audit/searches/save/", sent, follow=True)
    assert said in text_of(response)
    assert not SavedSearch.objects.exists()


def test_hostile_words_in_a_search_are_text(world: World, console: Client) -> None:
    for number, hostile in enumerate(HOSTILE):
        sent = {"name": f"Search {number}", "server": hostile, "reason": hostile}
        console.post("/audit/searches/save/", sent)
        response = console.get("/audit/", {"server": hostile, "tool": hostile})
        assert response.status_code in (200, 422)
        assert Page(response.content.decode()).inline == []
    assert Page(console.get("/audit/").content.decode()).inline == []
