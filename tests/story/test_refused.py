"""From a role to a call that it does not allow, to why, and to the change that lets it through: all of it in the console.

The whole product, a real MCP client as the agent, and an administrator at a real browser.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.story.browsing import seen
from tests.story.governed import SLUG, Governed, governed
from tests.story.product import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.story, pytest.mark.browser]

ROLE = "echo-only"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with governed(tmp_path_factory.mktemp("refused"), approved=("echo", "slow"), scopes=()) as story:
        yield story


def make_role(page: "Page") -> None:
    """One that reaches one tool."""
    page.get_by_role("link", name="Roles and grants").click()
    page.get_by_role("link", name="Create a role").click()
    page.get_by_label("Name", exact=True).fill(ROLE)
    page.get_by_label("MCP scopes").fill(f"mcp:connect\nmcp:{SLUG}:tool:echo")
    page.get_by_role("button", name="Create the role").click()


def give_it(page: "Page", client_id: str) -> None:
    page.get_by_role("link", name="Give a role").click()
    page.get_by_label("Role").select_option(ROLE)
    page.get_by_label("Holder", exact=True).select_option(f"agent:{client_id}")
    page.get_by_label("Reason").fill("It repeats what it is told, no more.")
    page.get_by_role("button", name="Give the role").click()
    page.get_by_role("heading", name="Who holds what now").wait_for()


def reach_another_tool(page: "Page") -> None:
    """What the explanation leads to: the role's row of the matrix."""
    page.get_by_role("link", name="What each role reaches on this server").click()
    page.get_by_role("link", name=f"Change {ROLE}").click()
    page.get_by_role("row", name="slow").get_by_role("checkbox").check()
    page.locator(".bulk").get_by_role("button", name="See what it does").click()
    page.get_by_text("1 principal gains, 0 lose: 1 tool.").wait_for()
    page.get_by_label("Reason").fill("It may wait, too.")
    seen(page, "refused-3-preview")
    page.get_by_role("button", name="Save").click()
    page.get_by_text(f"Saved. Whoever holds the role {ROLE} follows at once.").wait_for()


def test_a_refused_call_is_found_explained_and_allowed(browser: "Browser", story: Governed) -> None:
    with story.at_browser(browser, "admin") as page:
        make_role(page)
        give_it(page, story.agent["client_id"])
        wait_until("the gateway follows", lambda: set(story.shown()) == {"echo"})
        page.get_by_role("link", name="Live calls").click()
        page.get_by_text("live", exact=True).wait_for()
        assert "hello" in story.call("echo", text="hello")
        answered = story.call("slow", text="hello")
        assert answered.startswith("refused: ")
        assert "role" not in answered, "the agent is not told what it does not reach"
        row = page.locator("[data-live-rows] tr", has_text=f"{SLUG}/slow").filter(has_text="denied")
        row.wait_for()  # it comes by itself
        seen(page, "refused-1-live")
        row.get_by_role("link").first.click()
        why = page.get_by_role("region", name="Why it was refused")
        why.wait_for()
        seen(page, "refused-2-why")
        said = why.inner_text()
        assert "A role of the agent reaches the server, but none reaches this." in said
        assert "grant.definition" in said
        assert f"mcp:{SLUG}:tool:slow" in said
        assert f"mcp:{SLUG}:call" in said
        assert "not_granted" in page.get_by_role("region", name="What happened").inner_text()
        reach_another_tool(page)
    wait_until("the gateway follows", lambda: "slow" in story.shown())
    assert "hello" in story.call("slow", text="hello")
    assert [call["name"] for call in story.upstream.calls()] == ["echo", "slow"]
