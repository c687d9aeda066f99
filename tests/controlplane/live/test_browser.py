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


def tools_of(page: "Page") -> list[str]:
    """The tools in the list, the newest first."""
    return page.locator("[data-live-rows] td:nth-child(3)").all_inner_texts()


def test_what_was_recorded_while_the_database_was_away_is_there_once_and_in_its_place(
    page: "Page", console: "Console"
) -> None:
    from tests.controlplane.live.watching import ended_call, without_database

    page.goto("/calls/")
    page.locator("[data-live-state=on]").wait_for()
    ended_call("before")
    page.locator("[data-live-rows] tr", has_text="before").wait_for()
    with without_database():
        page.locator("[data-live-state=away]").wait_for()
        for number in range(60):  # more than the page shows at once
            ended_call(f"away-{number:02d}")
    page.locator("[data-live-state=on]").wait_for(timeout=60_000)
    page.locator("[data-live-rows] tr", has_text="away-00").wait_for()
    ended_call("after")
    page.locator("[data-live-rows] tr", has_text="after").wait_for()
    expected = ["after", *(f"away-{number:02d}" for number in reversed(range(60))), "before"]
    assert tools_of(page) == [f"files/{name}" for name in expected]


def test_nothing_is_noticed_of_valkey_ending_and_beginning_again(page: "Page", console: "Console") -> None:
    from tests.controlplane.live.watching import ended_call, own_valkey

    with own_valkey() as valkey:
        page.goto("/calls/")
        page.locator("[data-live-state=on]").wait_for()
        for name, moment in (("before", None), ("without", valkey.stop), ("after", valkey.start)):
            if moment:
                moment()
            ended_call(name)
            page.locator("[data-live-rows] tr", has_text=name).wait_for()
            assert page.locator("[data-live-state=on]").is_visible()
    assert tools_of(page) == ["files/after", "files/without", "files/before"]


def test_too_many_live_pages_are_said_to_be_that_and_the_next_one_goes_on_by_itself(
    page: "Page", console: "Console"
) -> None:
    from controlplane.live.hub import STREAMS_EACH

    others = [page.context.new_page() for _ in range(STREAMS_EACH)]
    for other in others:
        other.goto("/calls/")
        other.locator("[data-live-state=on]").wait_for()
    page.goto("/calls/")
    page.get_by_text("too many of your pages are open live; close one").wait_for()
    assert not page.locator("[data-live-state=away]").is_visible()
    others[0].close()
    page.locator("[data-live-state=on]").wait_for(timeout=60_000)


def test_a_page_is_found_by_keyboard_alone(page: "Page", console: "Console") -> None:
    page.goto("/calls/")
    page.wait_for_load_state("load")
    page.keyboard.press("/")
    page.keyboard.type("kill")
    page.locator("[role=option]", has_text="Kill switch").wait_for()
    page.locator("[role=option]").nth(1).wait_for(state="detached")
    page.keyboard.press("Enter")
    page.wait_for_url("**/suspensions/")
