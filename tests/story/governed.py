"""A running product that governs one server, its agent, and people who sign in to the console in a real browser."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import Client, MCPError

from tests.fixtures_mcp.honest import tool
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.story.agent import run
from tests.story.browsing import at_browser
from tests.story.product import Api, Product, running_product, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SLUG = "files"
SCOPES = ("mcp:connect", f"mcp:{SLUG}:read", f"mcp:{SLUG}:call")


@dataclass
class Governed:
    """What the chapters of a story hand on."""

    product: Product
    upstream: HonestServer
    agent: dict[str, Any] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def admin(self) -> Api:
        """The API as the first administrator."""
        return self.product.admin

    def person(self, name: str, role: str) -> Api:
        """Somebody new who can sign in; the API as they."""
        self.passwords[name] = f"correct horse battery {name}"
        self.admin.post("people/", {"username": name, "password": self.passwords[name], "role": role}, expect=201)
        return self.product.as_person(self.admin.post("tokens/", {"username": name, "scopes": []}, expect=201)["token"])

    def waiting(self, name: str) -> dict[str, Any]:
        """The review of a tool."""
        found = self.admin.get("reviews/", server=SLUG, state="waiting")["results"]
        return dict(next(review for review in found if review["name"] == name))

    def approve(self, *names: str) -> None:
        """As the administrator alone."""
        for name in names:
            review = self.waiting(name)
            body = {"digest": review["digest"], "reason": "Read."}
            self.admin.post(f"reviews/{review['id']}/approve/", body, expect=200)

    def show(self, *tools: dict[str, Any]) -> None:
        """The server shows these, and was looked at since."""
        self.upstream.change(tools=list(tools))
        polled = self.admin.post(f"servers/{SLUG}/poll/?wait=true", {})
        assert polled["complete"], polled

    def as_agent(self, act: Callable[[Client], Awaitable[Any]]) -> Any:
        """In a thread of its own: while there is a browser a loop runs in this one."""
        who = {
            "url": self.product.endpoint(SLUG), "issuer": self.product.ready["issuer"], "era": "modern",
            "client_id": self.agent["client_id"], "client_secret": self.agent["client_secret"],
        }  # fmt: skip
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: run(act, **who)).result(60)

    def shown(self) -> dict[str, str]:
        """The tools that the agent is shown, by name."""

        async def listed(client: Client) -> dict[str, str]:
            return {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}

        found: dict[str, str] = self.as_agent(listed)
        return found

    def call(self, name: str, *, why: str = "", **arguments: Any) -> str:
        """What the agent reads in answer to a call; that of a refused one says that it is."""
        meta: Any = {"holdfast/intention": why} if why else None

        async def called(client: Client) -> str:
            try:
                result = await client.call_tool(name, arguments, meta=meta)
            except MCPError as error:
                return f"refused: {error}"
            refused = "refused: " if "holdfast/refusal" in (result.meta or {}) else ""
            return refused + str(result.content[0].text)  # type: ignore[union-attr]  # the fixture answers text

        return str(self.as_agent(called))

    @contextmanager
    def at_browser(self, browser: "Browser", who: str) -> "Iterator[Page]":
        """Somebody who has signed in to the console with the keyboard."""
        password = self.passwords.get(who) or self.product.ready["admin"]["password"]
        with at_browser(browser, self.product.ready["console_url"], who, password) as page:
            yield page


@contextmanager
def governed(
    directory: Path, *, approved: Sequence[str] = ("echo",), scopes: Sequence[str] = SCOPES
) -> Iterator[Governed]:
    """The product with a server of two tools, `echo` and `slow`; its agent may call by `scopes`, without them nothing."""
    with honest_server() as upstream, running_product(directory) as product:
        found = Governed(product, upstream)
        body = {"slug": SLUG, "name": "Files", "url": upstream.url, "environment": "development"}
        found.admin.post("servers/", body | {"poll_interval": 86_400, "required_approvals": 1}, expect=201)
        found.show(tool("echo"), tool("slow"))
        found.approve(*approved)
        found.agent = found.admin.post("agents/", {"name": "helper", "grant_types": ["client_credentials"]}, expect=201)
        if scopes:
            found.admin.post("roles/", {"name": "files-user", "scopes": list(scopes)}, expect=201)
            grant = {"role": "files-user", "agent": found.agent["client_id"], "expires_at": None}
            found.admin.post("grants/", grant, expect=201)
            wait_until("what is approved is served", lambda: set(approved) <= set(found.shown()))
        yield found
