"""The console in a real Chromium: signing in, the inbox by keyboard alone, approving; and that nothing hostile runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import PASSWORD, arrived, may_sign_in, signed_in, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.console.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(transactional_db: None) -> "World":
    from tests.console.world import HOSTILE, World, administrator, tool

    world = World(administrator(username="ada"), [tool("read"), tool("write"), *(tool(name, name) for name in HOSTILE)])
    may_sign_in(world.admin)
    return world.build()


@pytest.fixture
def page(browser: "Browser", world: "World", live_server: "LiveServer") -> "Iterator[Page]":
    """A page where `ada` has signed in."""
    with signed_in(browser, live_server.url) as page:
        yield page


def inbox_of(page: "Page") -> None:
    """Wait until the inbox is there, its scripts included."""
    arrived(page, "Review inbox")


def test_signing_in_leads_to_the_inbox(page: "Page") -> None:
    assert page.get_by_role("heading", level=1).inner_text() == "Review inbox"
    assert page.locator("tr[data-row]").count() == 12


def test_a_change_is_read_and_approved_by_keyboard_alone(page: "Page", world: "World") -> None:
    wanted = str(world.waiting().public_id)
    for _ in range(page.locator("tr[data-row]").count()):
        page.keyboard.press("j")
        if wanted in (page.locator("tr[data-current] a.table__title").get_attribute("href") or ""):
            break
    page.keyboard.press("o")
    page.wait_for_url(f"**/reviews/{wanted}/")
    page.keyboard.press("a")
    page.keyboard.type("I read it: a plain reader. j k ?")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    told(page, "Agents get exactly this version")
    page.keyboard.press("u")
    inbox_of(page)
    assert page.locator("tr[data-row]").count() == 11


def test_several_are_selected_by_keyboard_and_counted(page: "Page") -> None:
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("[data-selected]").inner_text() == "2"
    page.keyboard.press("r")
    page.keyboard.type("None of these is needed.")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Reject 2 reviews?").wait_for()
    page.get_by_role("button", name="Reject 2").press("Enter")
    arrived(page, "2 of 2 decided")
    page.keyboard.press("u")
    inbox_of(page)
    assert page.locator("tr[data-row]").count() == 10


def test_a_browser_that_asks_for_german_gets_it_and_it_fits_a_small_window(
    browser: "Browser", world: "World", live_server: "LiveServer"
) -> None:
    context = browser.new_context(base_url=live_server.url, locale="de-DE", viewport={"width": 800, "height": 900})
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Benutzername").fill("ada")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden", exact=True).click()
    page.get_by_role("heading", name="Prüfeingang").wait_for()
    assert page.locator("html").get_attribute("lang") == "de"
    for url in world.urls():
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), url
    context.close()


def test_shortcuts_are_shown_and_can_be_turned_off(page: "Page") -> None:
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    page.keyboard.press("Escape")
    page.goto("/preferences/")
    page.get_by_role("group", name="Single-key shortcuts").get_by_label("Off").check()
    page.get_by_role("button", name="Save").click()
    page.goto("/")
    inbox_of(page)
    page.keyboard.press("?")
    page.keyboard.press("j")
    assert page.locator("dialog[open], tr[data-current]").count() == 0


def test_filters_narrow_the_list_without_a_reload_and_stand_in_the_url(page: "Page") -> None:
    page.evaluate("window.kept = true")
    page.get_by_label("Kind").select_option("prompt")
    page.get_by_text("No review matches these filters").wait_for()
    assert "kind=prompt" in page.url
    assert page.evaluate("window.kept")
    page.reload()
    page.get_by_text("No review matches these filters").wait_for()
    page.go_back()
    page.locator("tr[data-row]").first.wait_for()
    inbox_of(page)


def test_limits_are_folded_away_until_somebody_wants_to_change_them(page: "Page") -> None:
    page.goto("/servers/files/edit/")
    calls = page.get_by_label("Calls at once")
    assert not calls.is_visible()
    page.locator("summary", has_text="Limits").press("Enter")
    calls.fill("8")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("Saved.").wait_for()
    page.locator("summary", has_text="Limits").press("Enter")
    assert page.get_by_text("8 calls, 64 streams").is_visible()


def test_nothing_that_a_server_wrote_is_executed_on_any_page(page: "Page", world: "World") -> None:
    from tools.models import Review

    reviews = [f"/reviews/{review.public_id}/" for review in Review.objects.all()]
    for url in [*world.urls(), *reviews]:
        page.goto(url)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate("window.hacked") is None, url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_small_window(page: "Page", world: "World", scheme: str) -> None:
    page.set_viewport_size({"width": 800, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for url in world.urls():
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), url


def test_controls_are_large_enough_to_hit(page: "Page", world: "World") -> None:
    small = """() => [...document.querySelectorAll("button, select, .button, .nav__link, input:not([type=hidden])")]
        .map((one) => one.closest("label") ?? one)
        .filter((one) => one.offsetParent && Math.min(one.offsetWidth, one.offsetHeight) < 24)
        .map((one) => one.outerHTML.slice(0, 120))"""
    for url in world.urls():
        page.goto(url)
        assert page.evaluate(small) == [], url


def test_everything_is_suspended_in_the_browser_and_every_page_says_so(page: "Page") -> None:
    page.get_by_role("link", name="Suspend…").click()
    page.locator("#id_kind").select_option("everything")
    page.locator("#id_reason").fill("It leaks.")
    page.get_by_role("button", name="Suspend", exact=True).click()
    page.get_by_text("Another person lifts it").wait_for()
    page.goto("/agents/")
    page.get_by_role("link", name="Who did that, why, and how it ends").click()
    page.get_by_role("heading", level=1, name="Kill switch", exact=True).wait_for()
