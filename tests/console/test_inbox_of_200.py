"""Two hundred waiting reviews worked through in a real Chromium by keyboard alone, and a view of them that its URL is."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import arrived, may_sign_in, offered, press, signed_in, tab_to, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.console.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MANY = 200
SHARES = {"files": 80, "mail": 70, "queue": 50}  # of them by server


@pytest.fixture
def world(transactional_db: None) -> "World":
    from tests.console.world import World, administrator, tool

    world = World(administrator(username="ada"), [tool(f"files-{number:03}") for number in range(SHARES["files"])])
    bea = administrator(username="bea")
    for person in (world.admin, bea):
        may_sign_in(person)
    world.build()
    for slug in ("mail", "queue"):
        world.register(slug)
        world.show([tool(f"{slug}-{number:03}") for number in range(SHARES[slug])], slug=slug)
    return world


@pytest.fixture
def page(browser: "Browser", world: "World", live_server: "LiveServer") -> "Iterator[Page]":
    """A page where `ada` has signed in."""
    with signed_in(browser, live_server.url) as page:
        yield page


def names(page: "Page") -> list[str]:
    """Of the reviews that are shown, in their order."""
    return page.locator("#reviews tr[data-row] th a.table__title").all_inner_texts()


def narrow_to(page: "Page", server: str) -> None:
    """By the filter, without a mouse; the list follows and the URL with it."""
    tab_to(page, page.locator("#id_server"))
    page.keyboard.type(server)
    page.wait_for_url(f"**/?*server={server}*")
    page.locator("#reviews tr[data-row]", has_text=f"{server}-").first.wait_for()
    page.locator("#reviews tr[data-row]", has_text="files-").first.wait_for(state="detached")


def decide_shown(page: "Page", verdict: str, reason: str, count: int, *, all_that_match: bool = False) -> None:
    """All rows that are shown, by one reason, after a look at what would become of each; and back to the list."""
    tab_to(page, page.locator("[data-select-all]"))
    press(page, "Space")
    assert page.locator("[data-selected]").inner_text() == str(len(names(page)))
    if all_that_match:
        tab_to(page, page.locator("input[name=all]"))
        press(page, "Space")
    press(page, verdict)
    page.keyboard.type(reason)
    press(page, "Enter")
    arrived(page, f"{ {'a': 'Approve', 'r': 'Reject'}[verdict] } {count} reviews?")
    assert page.locator("tr[data-row]").count() == count
    offered(page)
    press(page, "Enter")
    arrived(page, f"{count} of {count} decided")
    press(page, "u")
    arrived(page, "Review inbox")


def one_by_one(page: "Page") -> None:
    """The first three: one approved, one rejected, one put off until it changes; each leads to the next."""
    press(page, "j", "o")
    for number, verdict, answer in ((0, "a", "Approved."), (1, "r", "Rejected.")):
        arrived(page, f"files-{number:03}")
        press(page, verdict)
        page.keyboard.type("Read it.")
        press(page, "Tab", "Tab", "Enter")
        told(page, answer)
        press(page, "]")
    arrived(page, "files-002")
    press(page, "q", "Enter")
    told(page, "Put off until it changes again")
    press(page, "g", "i")
    arrived(page, "Review inbox")


def test_two_hundred_reviews_are_triaged_without_a_mouse(page: "Page") -> None:
    from django.utils import timezone

    from tools.models import Review

    assert Review.objects.waiting().count() == MANY
    one_by_one(page)
    narrow_to(page, "queue")
    decide_shown(page, "r", "None of these is needed.", SHARES["queue"])
    told(page, "No review matches these filters")
    press(page, "g", "i")
    arrived(page, "Review inbox")
    narrow_to(page, "mail")
    decide_shown(page, "a", "All read.", SHARES["mail"], all_that_match=True)
    press(page, "g", "i")
    arrived(page, "Review inbox")
    put_off_what_is_shown(page, 50)
    decide_shown(page, "a", "Read these too.", SHARES["files"] - 3 - 50)
    page.get_by_text("All decided").wait_for()

    found = Counter(Review.objects.values_list("state", flat=True))
    assert found == {"approved": 1 + SHARES["mail"] + 27, "rejected": 1 + SHARES["queue"], "waiting": 51}
    assert Review.objects.waiting().snoozed(timezone.now()).count() == 51


def put_off_what_is_shown(page: "Page", count: int) -> None:
    """For a day, all rows of the page."""
    tab_to(page, page.locator("[data-select-all]"))
    press(page, "Space", "s", "Tab", "Enter")
    page.get_by_text(f"{count} reviews put off").wait_for()
    arrived(page, "Review inbox")


def test_the_url_of_a_view_is_the_view(page: "Page", browser: "Browser", live_server: "LiveServer") -> None:
    narrow_to(page, "mail")
    tab_to(page, page.get_by_label("Kind"))
    page.keyboard.type("Tool")
    page.wait_for_url("**kind=tool*")
    tab_to(page, page.get_by_role("link", name="Next"))
    press(page, "Enter")
    page.wait_for_url("**page=2*")
    arrived(page, "Review inbox")
    seen = names(page)
    assert len(seen) == SHARES["mail"] - 50
    assert all(name.startswith("mail-") for name in seen)
    with signed_in(browser, live_server.url, "bea") as other:
        other.goto(page.url)
        arrived(other, "Review inbox")
        assert names(other) == seen
        assert other.locator("#id_server").input_value() == "mail"
