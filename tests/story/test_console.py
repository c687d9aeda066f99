"""People at browsers, with the whole product behind them: what changed is decided by two, with the keyboard alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures_mcp.honest import tool
from tests.story.governed import SLUG, Governed, governed
from tests.story.product import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.story, pytest.mark.browser]

NEW = "Says it again, word for word."


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with governed(tmp_path_factory.mktemp("console")) as story:
        for name in ("lena", "omar"):
            story.person(name, "reviewer")
        yield story


def open_by_keyboard(page: "Page", review: dict[str, Any]) -> None:
    """Down the inbox to the review, and into it."""
    for _ in range(page.locator("tr[data-row]").count()):
        page.keyboard.press("j")
        if review["id"] in (page.locator("tr[data-current] a.table__title").get_attribute("href") or ""):
            break
    page.keyboard.press("o")
    page.wait_for_url(f"**/reviews/{review['id']}/")
    page.wait_for_load_state("load")


def approve_by_keyboard(page: "Page", reason: str) -> None:
    page.keyboard.press("a")
    page.keyboard.type(reason)
    while page.evaluate("document.activeElement.textContent.trim()") != "Record the decision":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_load_state("load")


def test_a_change_is_decided_by_two_people_with_the_keyboard_alone(browser: "Browser", story: Governed) -> None:
    story.admin.patch(f"servers/{SLUG}/", {"required_approvals": 2, "reason": "It matters now."}, expect=200)
    story.show(tool("echo", description=NEW), tool("slow"))
    wait_until("the changed tool is withheld", lambda: "echo" not in story.shown())
    review = story.waiting("echo")
    with story.at_browser(browser, "lena") as page:
        open_by_keyboard(page, review)
        assert page.locator(".diff ins").count() > 0
        approve_by_keyboard(page, "Only the wording changed.")
        page.get_by_text("1 of 2").first.wait_for()
        assert page.locator("form[data-decide] [value=approve]").count() == 0  # she cannot be second
    assert "echo" not in story.shown()
    with story.at_browser(browser, "omar") as page:
        open_by_keyboard(page, review)
        approve_by_keyboard(page, "I read it too.")
        page.get_by_text("This review is closed").wait_for()
    wait_until("both have approved", lambda: story.shown().get("echo") == NEW)
