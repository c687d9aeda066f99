"""A run of waiting reviews triaged in a real Chromium by keyboard alone: decided, put off, talked about, one by one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import arrived, may_sign_in, offered, press, signed_in, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.console.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NAMES = [f"tool-{number:02}" for number in range(12)]


@pytest.fixture
def world(transactional_db: None) -> "World":
    from tests.console.world import World, administrator, tool

    world = World(administrator(username="ada"), [tool(name) for name in NAMES])
    may_sign_in(world.admin)
    return world.build()


@pytest.fixture
def page(browser: "Browser", world: "World", live_server: "LiveServer") -> "Iterator[Page]":
    """A page where `ada` has signed in."""
    with signed_in(browser, live_server.url) as page:
        yield page


def states() -> dict[str, str]:
    from tools.models import Review

    return {review.definition.name: review.state for review in Review.objects.select_related("definition")}


def test_a_dozen_reviews_are_triaged_without_a_mouse(page: "Page") -> None:
    from django.utils import timezone

    from tools.models import Review, ReviewComment

    # The first four one by one, each page leading to the next.
    press(page, "j", "o")
    arrived(page, NAMES[0])
    for name, verdict, answer in ((NAMES[0], "a", "Approved."), (NAMES[1], "r", "Rejected.")):
        arrived(page, name)
        press(page, verdict)
        page.keyboard.type("Read it. j k [ ]")
        press(page, "Tab", "Tab", "Enter")
        told(page, answer)
        press(page, "]")
    arrived(page, NAMES[2])
    press(page, "q")
    press(page, "Enter")
    told(page, "Put off until it changes again")
    press(page, "c")
    page.keyboard.type("Asked the vendor.")
    press(page, "Tab", "Enter")
    told(page, "Asked the vendor.")
    press(page, "]")
    arrived(page, NAMES[3])
    press(page, "[")
    # What was put off is no longer in the list: before this one nothing waits.
    assert page.get_by_role("heading", level=1).inner_text() == NAMES[3]
    press(page, "s")
    press(page, "Tab", "Enter")
    told(page, "Put off until 2")

    # The rest together.
    press(page, "g", "i")
    arrived(page, "Review inbox")
    for _ in range(8):
        press(page, "j", "x")
    press(page, "a")
    page.keyboard.type("All read.")
    press(page, "Enter")
    arrived(page, "Approve 8 reviews?")
    offered(page)
    press(page, "Enter")
    arrived(page, "8 of 8 decided")

    found = states()
    assert [found[name] for name in NAMES[:4]] == ["approved", "rejected", "waiting", "waiting"]
    assert {found[name] for name in NAMES[4:]} == {"approved"}
    assert Review.objects.waiting().snoozed(timezone.now()).count() == 2
    assert [each.text for each in ReviewComment.objects.all()] == ["Asked the vendor."]


def test_rows_are_put_off_and_given_from_the_list(page: "Page") -> None:
    from django.utils import timezone

    from tools.models import Review

    press(page, "j", "x", "j", "x", "q", "Enter")
    page.get_by_text("2 reviews put off").wait_for()
    arrived(page, "Review inbox")
    assert Review.objects.waiting().snoozed(timezone.now()).count() == 2
    press(page, "j", "x")
    page.locator("summary", has_text="Share or put off").press("Enter")
    page.get_by_placeholder("User name").fill("ada")
    press(page, "Enter")
    page.get_by_text("1 review given to ada").wait_for()
    assert Review.objects.waiting().assigned_to("ada").count() == 1


def test_g_leads_to_the_pages_of_the_navigation(page: "Page") -> None:
    press(page, "g", "s")
    arrived(page, "Servers")
    press(page, "g", "a")
    arrived(page, "Audit log")
    press(page, "g", "x", "g", "i")
    arrived(page, "Review inbox")
    press(page, "?")
    said = page.get_by_role("dialog", name="Keyboard shortcuts").inner_text()
    for part in ("put off for a time", "comment on the review", "previous and next review", "go to the inbox"):
        assert part in said


def test_a_row_that_stands_for_several_is_ticked_and_opened_by_keys(page: "Page", world: "World") -> None:
    for slug in ("alpha", "beta"):
        world.register(slug)
        world.show(world.tools[:1], slug=slug)
    page.reload()
    press(page, "j", "x")
    assert page.locator("tr[data-current]").get_by_text("at 3 servers").count() == 1
    assert page.locator("[data-selected]").inner_text() == "3"
    press(page, "j", "x", "k")
    assert page.locator("[data-selected]").inner_text() == "4"
    press(page, "o")
    arrived(page, NAMES[0])
    press(page, "u")
    arrived(page, "Review inbox")
    press(page, "j", "x", "a")
    page.keyboard.type("All read.")
    press(page, "Enter")
    arrived(page, "Approve 3 reviews?")
    offered(page)
    press(page, "Enter")
    arrived(page, "3 of 3 decided")

    from tools.models import Review

    assert Review.objects.filter(state="approved").count() == 3
