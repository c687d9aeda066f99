"""A person lets an application act for them: discovery, registration, consent in a real browser, calls, and the end.

The running product; the `mcp` package's own OAuth client as the application; its document at a TLS host on loopback.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client

from tests.access.document_host import document_host
from tests.features import chromium
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.story.application import NAME, REGISTERED_REDIRECTS, Application, asks, status_at
from tests.story.browsing import Browser
from tests.story.product import Product, running_product, wait_until

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.story
SLUG = "files"
SENSITIVE = f"mcp:{SLUG}:tool:delete"
PASSWORD = "correct horse battery ada"
LIFE = 30  # seconds of an access token, the least that may be set


@dataclass(frozen=True)
class Stage:
    """The product with a server that people may use, one of its tools sensitive, and an application's document."""

    product: Product
    upstream: HonestServer
    document: str

    @property
    def endpoint(self) -> str:
        return self.product.endpoint(SLUG)

    @property
    def issuer(self) -> str:
        found: str = self.product.ready["issuer"]
        return found

    def records(self, **filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.product.admin.get("audit/records/", limit="100", **filters)["results"]
        return found

    def person(self, name: str) -> None:
        """Somebody who may use the server."""
        self.product.admin.post("people/", {"username": name, "password": PASSWORD}, expect=201)
        self.product.admin.post("grants/", {"role": "files-user", "person": name, "expires_at": None}, expect=201)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("host")
    with document_host(folder) as host, honest_server() as upstream, pytest.MonkeyPatch.context() as environment:
        document = host.publish(
            {"client_name": NAME, "redirect_uris": REGISTERED_REDIRECTS, "token_endpoint_auth_method": "none"}
        )
        environment.setenv("OUTBOUND_CA_FILE", str(host.authority))
        environment.setenv("CLIENT_DOCUMENTS", "listed")
        environment.setenv("CLIENT_DOCUMENT_URLS", document)
        environment.setenv("DYNAMIC_REGISTRATION", "open")
        environment.setenv("ACCESS_TOKEN_SECONDS", str(LIFE))
        with running_product(tmp_path_factory.mktemp("authorization")) as product:
            made = Stage(product, upstream, document)
            _set_up(made)
            yield made


def _set_up(stage: Stage) -> None:
    admin = stage.product.admin
    server = {"slug": SLUG, "name": "Files", "url": stage.upstream.url, "environment": "development"}
    admin.post("servers/", server, expect=201)
    admin.post(f"servers/{SLUG}/poll/?wait=true", {})
    waiting = admin.get("reviews/", server=SLUG, state="waiting")["results"]
    chosen = [{"id": each["id"], "digest": each["digest"]} for each in waiting]
    admin.post("reviews/decide/", {"decision": "approve", "reason": "Read.", "reviews": chosen})
    (delete,) = (each for each in admin.get("definitions/", server=SLUG)["results"] if each["name"] == "delete")
    admin.post(f"definitions/{delete['id']}/sensitive/", {"sensitive": True, "reason": "It deletes."}, expect=200)
    scopes = ["mcp:connect", f"mcp:{SLUG}:read", f"mcp:{SLUG}:call", SENSITIVE]
    admin.post("roles/", {"name": "files-user", "scopes": scopes}, expect=201)


async def called(client: Client, tool: str, text: str) -> str:
    result = await client.call_tool(tool, {"text": text})
    assert not result.is_error, result
    return str(result.content[0].text)  # type: ignore[union-attr]  # the fixture answers text


# --- the whole of it, in a real browser --------------------------------------------------------------------------


class Person:
    """`ada` at a Chromium. What the pages said is kept."""

    def __init__(self, page: "Page") -> None:
        self._page = page
        self.read: list[str] = []

    async def allow(self, link: str) -> None:
        """Follow a link, sign in if need be, read the page and allow."""
        page = self._page
        await page.goto(link)
        if "/login/" in page.url:
            await page.get_by_label("User name").fill("ada")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Allow this application").wait_for()
        self.read.append(await page.inner_text("main"))
        await page.get_by_role("button", name="Allow", exact=True).click()
        await page.get_by_role("heading", name="Arrived").wait_for()

    async def take_back(self, site: str) -> None:
        """Take back what was allowed, on the page for that."""
        page = self._page
        await page.goto(f"{site}/applications/")
        await page.get_by_role("button", name="Take back").first.click()


@asynccontextmanager
async def at_a_browser() -> AsyncIterator[Person]:
    from playwright.async_api import async_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield Person(await (await browser.new_context()).new_page())
        await browser.close()


@pytest.mark.browser
def test_an_application_comes_to_act_for_a_person_and_stops_when_they_say_so(stage: Stage) -> None:
    chromium()
    stage.person("ada")
    asyncio.run(_from_first_call_to_last(stage))
    told = [each for each in reversed(stage.records(agent=stage.document)) if each["event"] != "request.answered"]
    consented, used = ["consent.given", "token.issued"], ["call.intended", "call.completed"]
    assert [each["event"] for each in told] == [
        "agent.registered", *consented, *used, "call.denied", *consented, *used, "token.issued", *used,
        "token.revoked", "token.revoked", "consent.revoked",
    ]  # fmt: skip
    denied = told[5]
    assert (denied["reason"], denied["tool"], denied["principal"]) == ("insufficient_scope", f"{SLUG}/delete", "ada")
    assert {each["principal"] for each in told} == {"anonymous", "ada"}


async def _from_first_call_to_last(stage: Stage) -> None:
    async with at_a_browser() as ada:
        application = Application(ada.allow)
        async with application.connected(stage.endpoint, document=stage.document) as client:
            await _ordinary_use(stage, application, client, ada)
            await _step_up(application, client, ada)
            await _refresh(stage, application, client)
            await ada.take_back(stage.issuer)
            token = application.tokens[-1].access_token
            wait_until("the token has ended", lambda: status_at(stage.endpoint, token) == 401)


async def _ordinary_use(stage: Stage, application: Application, client: Client, ada: Person) -> None:
    assert "hello" in await called(client, "echo", "hello")
    (link,) = application.links
    asked = asks(link)
    assert (asked["client_id"], asked["resource"]) == (stage.document, stage.endpoint)
    assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", application.redirect_uri)
    (page,) = ada.read
    for said in (NAME, "localhost", "127.0.0.1", stage.endpoint, "runs on your computer"):
        assert said in page
    assert "delete" not in page


async def _step_up(application: Application, client: Client, ada: Person) -> None:
    """A tool that needs a scope of its own: the application asks for it, and the person sees what is new."""
    before = set((application.tokens[-1].scope or "").split())
    assert "gone" in await called(client, "delete", "gone")
    assert set((application.tokens[-1].scope or "").split()) - before == {SENSITIVE}
    assert len(ada.read) == 2
    assert "delete" in ada.read[-1]


async def _refresh(stage: Stage, application: Application, client: Client) -> None:
    """The token's life ends; the application goes on without the person."""
    old = application.tokens[-1].access_token
    assert status_at(stage.endpoint, old) == 200
    await asyncio.sleep(LIFE)
    await asyncio.to_thread(wait_until, "the token ends", lambda: status_at(stage.endpoint, old) == 401)
    assert "again" in await called(client, "echo", "again")
    assert (application.tokens[-1].access_token != old, len(application.links)) == (True, 2)


# --- other ways to be known --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["registered by hand", "registers itself"])
@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_an_application_that_is_known_in_another_way_comes_as_far(stage: Stage, way: str, era: str) -> None:
    name = f"{way}-{era}".replace(" ", "-")
    stage.person(name)
    with Browser(stage.issuer, name, PASSWORD) as browser:

        async def allow(link: str) -> None:
            await asyncio.to_thread(lambda: httpx2.get(browser.allow(link), timeout=60).raise_for_status())

        application = Application(allow)
        if way == "registered by hand":
            application.registered(_by_hand(stage))
        asyncio.run(_calls(stage, application, era))
    _ends_its_own_tokens(stage, application)


async def _calls(stage: Stage, application: Application, era: str) -> None:
    async with application.connected(stage.endpoint, era=era) as client:
        assert "hello" in await called(client, "echo", "hello")
        assert "gone" in await called(client, "delete", "gone")


def _by_hand(stage: Stage) -> str:
    body = {
        "name": NAME,
        "grant_types": ["authorization_code"],
        "redirect_uris": REGISTERED_REDIRECTS,
        "public": True,
    }
    return str(stage.product.admin.post("agents/", body, expect=201)["client_id"])


def _ends_its_own_tokens(stage: Stage, application: Application) -> None:
    """RFC 7009, at the endpoint that the metadata names."""
    assert application.client is not None
    metadata = httpx2.get(f"{stage.issuer}/.well-known/oauth-authorization-server", timeout=60).json()
    last = application.tokens[-1]
    form = {"token": last.refresh_token, "client_id": application.client.client_id}
    assert httpx2.post(metadata["revocation_endpoint"], data=form, timeout=60).status_code == 200
    wait_until("the token has ended", lambda: status_at(stage.endpoint, last.access_token) == 401)
    again = {"grant_type": "refresh_token", "refresh_token": last.refresh_token, "client_id": form["client_id"]}
    refused = httpx2.post(metadata["token_endpoint"], data=again, timeout=60)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


# --- bad input, as far as a real process reads it ----------------------------------------------------------------

LONG = b"x" * 1_000_000


@pytest.mark.parametrize("route", ["authorize", "token", "revoke", "introspect", "register"])
@pytest.mark.parametrize(
    "sent",
    [
        b"GET /oauth/%s/?redirect_uri=" + LONG + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"POST /oauth/%s/ HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic "
        + LONG
        + b"\r\ncontent-length: 0\r\n\r\n",
        b"POST /oauth/%s/ HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x-filler: y\r\n" * 50_000 + b"content-length: 0\r\n\r\n",
        b"POST /oauth/%s/ HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000000\r\n\r\n" + LONG,
        b"POST /oauth/%s/ HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic \xff\xfe\r\ncontent-length: 0\r\n\r\n",
        b"\0 /oauth/%s/ HTTP/1.1\r\n\r\n",
    ],
    ids=["a long query", "long credentials", "many headers", "a long body", "no ascii", "no request"],
)
def test_what_is_too_much_for_a_process_is_refused_or_hung_up_on(stage: Stage, route: str, sent: bytes) -> None:
    port = int(stage.issuer.rpartition(":")[2])
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent.replace(b"%s", route.encode(), 1))
            answer = connection.recv(65536)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert httpx2.get(f"{stage.issuer}/readyz", timeout=60).status_code == 200
