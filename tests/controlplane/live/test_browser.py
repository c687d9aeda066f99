"""Live calls in a real Chromium: rows arrive, wait while paused, and nothing of what is read moves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.controlplane.live.watching import Console

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def console(transactional_db: None) -> "Iterator[Console]":
    from tests.controlplane.live.watching import listening

    with listening() as found:
        yield found


@pytest.fixture
def page(browser: "Browser", console: "Console") -> "Iterator[Page]":
    from tests.console.world import administrator

    client = Client()
    client.force_login(administrator())
    context = browser.new_context(base_url=console.url)
    cookies = [{"name": name, "value": each.value, "url": console.url} for name, each in client.cookies.items()]
    context.add_cookies(cookies)  # type: ignore[arg-type]  # typed dictionaries of its own
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def test_calls_arrive_wait_while_paused_and_come_when_asked_for(page: "Page", console: "Console") -> None:
    from tests.controlplane.live.watching import ended_call, refused_call

    page.goto("/calls/")
    page.locator("[data-live-state=on]").wait_for()
    ended_call("read")
    page.locator("[data-live-rows] tr", has_text="12 ms").wait_for()
    page.get_by_role("button", name="Pause").click()
    refused_call("write")
    offered = page.get_by_role("button", name="New:")
    offered.wait_for()
    assert page.locator("[data-live-rows] tr").count() == 1
    offered.click()
    page.locator("[data-live-rows] tr").first.get_by_text("no_grant").wait_for()
    assert page.locator("[data-live-rows] tr").count() == 2
    page.locator("[data-live-rows] tr a").first.click()
    page.wait_for_url("**/audit/*/")


def test_a_page_is_found_by_keyboard_alone(page: "Page", console: "Console") -> None:
    page.goto("/calls/")
    page.wait_for_load_state("load")
    page.keyboard.press("/")
    page.keyboard.type("kill")
    page.locator("[role=option]", has_text="Kill switch").wait_for()
    page.locator("[role=option]").nth(1).wait_for(state="detached")
    page.keyboard.press("Enter")
    page.wait_for_url("**/suspensions/")
