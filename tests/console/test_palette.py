"""The command palette in a real Chromium: opened by keys, walked by arrows, and never in the way of typing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import may_sign_in, signed_in, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: "Browser", transactional_db: None, live_server: "LiveServer") -> "Iterator[Page]":
    """A page where `ada` has signed in."""
    from tests.console.world import World, administrator, tool

    world = World(administrator(username="ada"), [tool("read_file"), tool("read_mail")])
    may_sign_in(world.admin)
    world.build()
    with signed_in(browser, live_server.url) as page:
        yield page


def options(page: "Page") -> list[str]:
    return page.locator("#palette [role=option]").all_inner_texts()


def test_a_few_keys_lead_to_a_definition(page: "Page") -> None:
    page.keyboard.press("Control+k")
    page.keyboard.insert_text("read")  # all at once: what a part of it finds would be there first and be taken for it
    page.locator("#palette [role=option]").nth(3).wait_for()
    chosen = page.locator("#palette [aria-selected=true]")
    assert "read_file" in chosen.inner_text()
    page.keyboard.press("ArrowDown")
    assert "read_mail" in chosen.inner_text()
    assert page.locator("#palette input").get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("Enter")
    page.wait_for_url("**/definitions/*/")


def test_a_slash_opens_it_and_escape_gives_the_focus_back(page: "Page") -> None:
    page.locator(".side a[data-palette]").focus()
    page.keyboard.press("/")
    page.locator("#palette[open]").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.hasAttribute('data-palette')")


def test_what_is_typed_elsewhere_opens_nothing(page: "Page") -> None:
    page.goto("/definitions/")
    page.locator("#id_q").focus()
    page.keyboard.type("a/b")
    assert page.locator("#palette[open]").count() == 0
    assert page.locator("#id_q").input_value() == "a/b"


def test_without_single_keys_ctrl_k_stays(page: "Page") -> None:
    page.goto("/preferences/")
    page.locator("input[name=shortcuts][value=off]").check()
    page.get_by_role("button", name="Save").click()
    told(page, "Saved.")
    page.keyboard.press("/")
    assert page.locator("#palette[open]").count() == 0
    page.keyboard.press("Control+k")
    page.locator("#palette[open]").wait_for()
