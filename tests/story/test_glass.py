"""Broken glass: one person lets through what waits; it is loud, another sees it, and it ends. Where it could hurt most they
prove first who they are.

The whole product, a real MCP client as the agent, and two people at real browsers.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.access.signing_in import app_code
from tests.story.browsing import say_why, seen
from tests.story.governed import SLUG, Governed, governed
from tests.story.product import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.story, pytest.mark.browser]

LOUD = "agents get what is not approved"
# Nobody waits for ten minutes in a test: what a session says of its beginning is set back, by the key in its cookie.
LONG_AGO = """
import sys
from datetime import timedelta
from django.utils import timezone
from access.sessions import ABOUT, SessionStore
session = SessionStore(sys.stdin.read())
session[ABOUT] = {**session[ABOUT], "authenticated_at": (timezone.now() - timedelta(minutes=11)).isoformat()}
session.save()
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with governed(tmp_path_factory.mktemp("glass")) as story:
        for name in ("lena", "omar"):
            story.person(name, "reviewer")
        yield story


def a_second_factor(page: "Page") -> str:
    """An authenticator app for who is signed in; answers a recovery code, which stands in for it once."""
    page.get_by_role("link", name="Add an app").click()
    secret = str(page.locator("[data-copy]").first.get_attribute("data-copy"))
    page.get_by_role("textbox", name="Code").fill(app_code(secret, step=0))
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("Your authenticator app is asked for from the next sign-in on.").wait_for()
    return str(re.findall(r"\d{4}-\d{4}", page.get_by_role("main").inner_text())[0])


def let_time_pass(story: Governed, page: "Page") -> None:
    """Past the ten minutes for which nobody is asked again."""
    (key,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "session"]
    story.product.manage("shell", "-c", LONG_AGO, given=key)


def break_it(page: "Page", review: str) -> None:
    page.goto(f"/reviews/{review}/")
    page.locator("summary", has_text="break the glass").press("Enter")
    form = page.locator(f"form[action$='{review}/break-glass/']")
    form.get_by_label("For how long").select_option("1")
    form.get_by_label("Why it cannot wait").fill("Customers wait.")
    seen(page, "glass-1-form")
    form.get_by_role("button", name="Break the glass").press("Enter")


def test_broken_glass_is_loud_seen_by_others_and_ended(browser: "Browser", story: Governed) -> None:
    review = story.waiting("slow")["id"]
    assert set(story.shown()) == {"echo"}
    with story.at_browser(browser, "lena") as page:
        break_it(page, review)
        page.get_by_text("Others have been told; please decide soon.").wait_for()
        seen(page, "glass-2-broken")
    wait_until("agents get it", lambda: "slow" in story.shown())
    assert "hello" in story.call("slow", text="hello")
    wait_until("an alert", lambda: story.admin.get("alerts/", kind="break_glass")["results"])
    with story.at_browser(browser, "omar") as page:
        banner = page.get_by_role("status").filter(has_text=LOUD)
        said = banner.inner_text()
        assert "lena" in said
        assert "Customers wait." in said
        assert "It ends by itself" in said
        seen(page, "glass-3-banner")
        page.get_by_role("link", name="Alerts").click()
        page.get_by_role("link", name="Glass was broken").first.wait_for()
        seen(page, "glass-4-alerts")
        page.get_by_role("link", name="Review inbox").first.click()
        say_why(page, banner.locator("summary", has_text="End it now"), "The customers know.")
        page.get_by_text("The emergency is over.").wait_for()
        assert page.get_by_text(LOUD).count() == 0
        seen(page, "glass-5-over")
    wait_until("agents get it no more", lambda: set(story.shown()) == {"echo"})
    assert story.call("slow", text="again").startswith("refused: ")
    ended = story.admin.get("audit/records/", event="glass.ended")["results"]
    assert [record["reason"] for record in ended] == ["The customers know."]


def test_in_production_who_breaks_it_has_a_second_factor_and_is_asked_again(
    browser: "Browser", story: Governed
) -> None:
    review = story.waiting("slow")["id"]
    # Until it was looked at as a production server nothing of it is served; what is asked of people holds at once.
    story.admin.patch(f"servers/{SLUG}/", {"environment": "production", "reason": "Customers use it."}, expect=200)
    with story.at_browser(browser, "omar") as page:
        page.goto(f"/reviews/{review}/")
        page.get_by_role("heading", name="Decision").wait_for()
        assert page.locator("summary", has_text="break the glass").count() == 0
        page.get_by_role("link", name="Set up a second factor").click()
        code = a_second_factor(page)
        let_time_pass(story, page)
        break_it(page, review)
        page.get_by_role("heading", name="Is it you?").wait_for()
        seen(page, "glass-6-again")
        assert story.admin.get("audit/records/", event="glass.broken", principal="omar")["results"] == []
        page.get_by_role("textbox", name="Code").fill(code)
        page.get_by_role("button", name="Go on").click()
        page.get_by_text("Others have been told; please decide soon.").wait_for()  # nothing was typed twice
    (broken,) = story.admin.get("audit/records/", event="glass.broken", principal="omar")["results"]
    assert broken["reason"] == "Customers wait."
    assert story.admin.get("audit/records/", event="person.reauthenticated", principal="omar")["results"]
