"""The kill switch in the console."""

from typing import Any

import pytest
from django.test import Client

from access.models import Agent, Person, Suspension
from core.permissions import Permission
from tests.console.world import Page, World, administrator
from tests.factories import person_with
from tools.models import Definition

URL = "/suspensions/"


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def text_of(response: Any) -> str:
    return Page(response.content.decode()).text


@pytest.fixture
def deputy(world: World) -> Client:
    return signed_in(administrator(username="deputy"))


def stop(console: Client, kind: str, name: str = "") -> Any:
    return console.post(URL, {"kind": kind, "name": name, "reason": "It leaks."}, follow=True)


def test_nothing_is_suspended_and_the_form_stands_below(world: World, console: Client) -> None:
    page = Page(console.get(URL).content.decode())
    assert "Nothing is suspended" in page.text
    assert not page.inline
    reader = signed_in(person_with(Permission.SUSPENSION_READ))
    assert "<select" not in reader.get(URL).content.decode()


def test_one_suspends_and_another_lifts(world: World, console: Client, deputy: Client) -> None:
    shown = text_of(stop(console, "server", "files"))
    assert "Every gateway refuses it within a second." in shown
    assert "ada : It leaks." in shown
    assert "Another person lifts it" in shown
    lift = f"{URL}{Suspension.objects.get().public_id}/lift/"
    assert "it was you who set it" in text_of(console.post(lift, {"reason": "Never mind."}, follow=True))
    assert Suspension.objects.live().exists()
    assert "Lift" in text_of(deputy.get(URL))
    assert "deputy : Repaired." in text_of(deputy.post(lift, {"reason": "Repaired."}, follow=True))
    assert not Suspension.objects.live().exists()


def test_every_page_says_that_everything_is_suspended(world: World, console: Client, deputy: Client) -> None:
    words = "Everything is suspended: no agent can call anything."
    assert words not in text_of(console.get("/agents/"))
    stop(console, "everything")
    for url in ("/", "/agents/", "/audit/", URL, "/preferences/"):
        assert words in text_of(deputy.get(url)), url
    deputy.post(f"{URL}{Suspension.objects.get().public_id}/lift/", {"reason": "Repaired."})
    assert words not in text_of(console.get("/agents/"))


def test_pages_of_what_is_suspended_say_so_and_lead_to_the_switch(world: World, console: Client) -> None:
    agent, read = Agent.objects.get(), Definition.objects.get(name="read")
    pages = {
        "/servers/files/": ("server", "files"),
        f"/agents/{agent.public_id}/": ("agent", agent.client_id),
        f"/definitions/{read.public_id}/": ("definition", "tool:files/read"),
        "/people/": ("person", administrator(username="eve").username),
    }
    for url, (kind, name) in pages.items():
        links = [link["href"] for link in Page(console.get(url).content.decode()).named("a")]
        way = next(href for href in links if href.startswith(f"{URL}?kind={kind}") and href.endswith("#suspend"))
        form = console.get(way.partition("#")[0]).content.decode()
        assert f'value="{kind}" selected' in form
        before = text_of(console.get(url)).count("kill switch")
        stop(console, kind, name)
        assert text_of(console.get(url)).count("kill switch") == before + 1, url


def test_a_wrong_name_stands_at_its_field_with_what_was_typed(world: World, console: Client) -> None:
    response = console.post(URL, {"kind": "server", "name": "flies", "reason": "It leaks."})
    assert response.status_code == 404
    assert "There is no server &#x27;flies&#x27;." in response.content.decode()
    assert 'value="flies"' in response.content.decode()
    assert console.post(URL, {"kind": "server", "name": "files", "reason": " "}).status_code == 422


def test_who_may_not_suspend_sees_no_way_to_and_is_refused(world: World) -> None:
    reader = signed_in(person_with(Permission.SUSPENSION_READ, Permission.SERVER_READ))
    assert "Suspend…" not in text_of(reader.get("/servers/files/"))
    assert reader.post(URL, {"kind": "server", "name": "files", "reason": "x"}).status_code == 403
    assert signed_in(person_with(Permission.SERVER_READ)).get(URL).status_code == 403
    assert not Suspension.objects.exists()


def test_a_hostile_name_is_shown_as_text(world: World, console: Client) -> None:
    response = console.post(URL, {"kind": "team", "name": "<script>x</script>", "reason": "x"})
    assert not Page(response.content.decode()).inline
    assert "<script>x" not in response.content.decode()
