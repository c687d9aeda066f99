"""People at browsers, with the whole product behind them: what changed is decided by two, with the keyboard alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from tests.fixtures_mcp.honest import tool
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.story.agent import run
from tests.story.product import Api, Product, running_product, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.story, pytest.mark.browser]

SLUG, NEW = "files", "Says it again, word for word."


@dataclass
class Story:
    """What the chapters hand on."""

    product: Product
    upstream: HonestServer
    passwords: dict[str, str] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)

    @property
    def admin(self) -> Api:
        return self.product.admin

    def waiting(self, name: str) -> dict[str, Any]:
        found = self.admin.get("reviews/", server=SLUG, state="waiting")["results"]
        return dict(next(review for review in found if review["name"] == name))

    def as_agent(self, act: Any) -> Any:
        """In a thread of its own: while there is a browser a loop runs in this one."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._as_agent, act).result()

    def _as_agent(self, act: Any) -> Any:
        return run(
            act, url=self.product.endpoint(SLUG), issuer=self.product.ready["issuer"], era="modern",
            client_id=self.agent["client_id"], client_secret=self.agent["client_secret"],
        )  # fmt: skip

    def shown(self) -> dict[str, str]:
        async def listed(client: Client) -> dict[str, str]:
            return {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}

        found: dict[str, str] = self.as_agent(listed)
        return found

    def show(self, *tools: dict[str, Any]) -> None:
        self.upstream.change(tools=list(tools))
        assert self.admin.post(f"servers/{SLUG}/poll/?wait=true", {})["complete"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with honest_server() as upstream, running_product(tmp_path_factory.mktemp("console")) as product:
        story = Story(product, upstream)
        admin = story.admin
        body = {"slug": SLUG, "name": "Files", "url": upstream.url, "environment": "development"}
        admin.post("servers/", body | {"poll_interval": 86_400, "required_approvals": 1}, expect=201)
        story.show(tool("echo"), tool("slow"))
        review = story.waiting("echo")
        admin.post(f"reviews/{review['id']}/approve/", {"digest": review["digest"], "reason": "Read."}, expect=200)
        for name in ("lena", "omar"):
            story.passwords[name] = f"correct horse battery {name}"
            admin.post("people/", {"username": name, "password": story.passwords[name], "role": "reviewer"}, expect=201)
        scopes = ["mcp:connect", f"mcp:{SLUG}:read", f"mcp:{SLUG}:call"]
        admin.post("roles/", {"name": "files-user", "scopes": scopes}, expect=201)
        story.agent = admin.post("agents/", {"name": "helper", "grant_types": ["client_credentials"]}, expect=201)
        admin.post("grants/", {"role": "files-user", "agent": story.agent["client_id"], "expires_at": None}, expect=201)
        wait_until("the approved tool is served", lambda: "echo" in story.shown())
        yield story


@contextmanager
def at_browser(browser: "Browser", story: Story, who: str) -> "Iterator[Page]":
    """Somebody who has signed in with the keyboard; a script's error or what the policy refuses fails the story."""
    password = story.passwords.get(who) or story.product.ready["admin"]["password"]
    context = browser.new_context(base_url=story.product.ready["console_url"])
    page, problems = context.new_page(), list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto("/")
    for words in (who, password):
        page.keyboard.type(words)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Review inbox").wait_for()
    page.wait_for_load_state("load")
    yield page
    context.close()
    assert problems == []


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


def test_a_change_is_decided_by_two_people_with_the_keyboard_alone(browser: "Browser", story: Story) -> None:
    story.admin.patch(f"servers/{SLUG}/", {"required_approvals": 2, "reason": "It matters now."}, expect=200)
    story.show(tool("echo", description=NEW), tool("slow"))
    wait_until("the changed tool is withheld", lambda: "echo" not in story.shown())
    review = story.waiting("echo")
    with at_browser(browser, story, "lena") as page:
        open_by_keyboard(page, review)
        assert page.locator(".diff ins").count() > 0
        approve_by_keyboard(page, "Only the wording changed.")
        page.get_by_text("1 of 2").first.wait_for()
        assert page.locator("form[data-decide] [value=approve]").count() == 0  # she cannot be second
    assert "echo" not in story.shown()
    with at_browser(browser, story, "omar") as page:
        open_by_keyboard(page, review)
        approve_by_keyboard(page, "I read it too.")
        page.get_by_text("This review is closed").wait_for()
    wait_until("both have approved", lambda: story.shown().get("echo") == NEW)
