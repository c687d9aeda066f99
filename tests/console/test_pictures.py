"""The pictures of docs/console.md, taken of the running console by a browser, light and dark.

`UPDATE_PICTURES=1` writes them into docs/pictures; otherwise they are taken into a temporary folder, and what the page
names is compared with what there is. Another screen is another row of `SCREENS`, with its picture in docs/console.md.
"""

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from access.second_factor_adapter import Adapter
from access.sessions import ABOUT
from tests import databases
from tests.console.demo_world import Demo, company

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser

DOCS = Path(settings.BASE_DIR) / "docs"
PICTURES = DOCS / "pictures"
WIDTH, HEIGHT = 1280, 860
QUALITY = 62  # of WebP: letters stay sharp
MOST = 3_000_000  # bytes of all pictures
Act = Callable[["Page"], object]


@dataclass(frozen=True)
class Screen:
    """A picture's name, the page (its parts in braces come from the demo), what it says, and what is done first."""

    name: str
    path: str
    heading: str
    act: Act = lambda page: None


def choose_all(page: "Page") -> None:
    """As before a decision on several reviews."""
    for box in page.locator("[data-select]").all()[:3]:
        box.check()
    page.locator("form[data-decide] [name=verdict][value=reject]").check()
    page.locator("form[data-decide] [name=reason]").fill("Not before the owners have answered.")


def scroll_to_the_text(page: "Page") -> None:
    page.locator(".diff").first.evaluate("one => one.scrollIntoView({ block: 'start', behavior: 'instant' })")


def find_customers(page: "Page") -> None:
    """The palette, with something found."""
    page.keyboard.press("Control+k")
    page.keyboard.type("ticket")
    page.locator("#palette [role=option]").nth(1).wait_for()


SCREENS = (
    Screen("inbox", "/", "Review inbox"),
    Screen("change-review", "/reviews/{change}/", "create_ticket"),
    Screen("change-text", "/reviews/{change}/", "create_ticket", scroll_to_the_text),
    Screen("bulk-decision", "/", "Review inbox", choose_all),
    Screen("palette", "/", "Review inbox", find_customers),
    Screen("onboarding", "/servers/onboard/", ""),
    Screen("servers", "/servers/", "Servers"),
    Screen("server", "/servers/tickets/", "Support tickets"),
    Screen("connect", "/servers/tickets/connect/", "Connect"),
    Screen("catalogue", "/definitions/", "Catalogue"),
    Screen("may-write-now", "/definitions/?effect=may_write&served=on", "What may write now"),
    Screen("who-may-call", "/definitions/{tool}/callers/", "may call"),
    Screen("definition", "/definitions/{changed}/", "create_ticket"),
    Screen("audit", "/audit/", "Audit log"),
    Screen("audit-record", "/audit/{record}/", ""),
    Screen("refused-call", "/audit/{refused}/", ""),
    Screen("prove-the-log", "/audit/proof/", "Prove the log"),
    Screen("calls", "/calls/", "Live calls"),
    Screen("access-matrix", "/access/?server=tickets", ""),
    Screen("teams", "/teams/", "Teams"),
    Screen("tokens", "/tokens/", ""),
    Screen("agents", "/agents/", "Agents"),
    Screen("agent", "/agents/{agent}/", "Desk assistant"),
    Screen("consent-preview", "/agents/{editor}/consent/", "What people are asked"),
    Screen("roles", "/roles/", "Roles"),
    Screen("right-sizing", "/right-sizing/", ""),
    Screen("people", "/people/", "People"),
    Screen("sign-in", "/account/security/", ""),
    Screen("alerts", "/alerts/", "Alerts"),
    Screen("policies", "/policies/", ""),
    Screen("suppressions", "/suppressions/", ""),
    Screen("suspensions", "/suspensions/", "Kill switch"),
    Screen("flows", "/flows/", ""),
)


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Demo]:
    with databases.filled_copy(django_db_blocker, company) as made:
        yield made


@pytest.fixture(scope="module")
def context(demo: Demo, browser: "Browser") -> "Iterator[BrowserContext]":
    with opened(demo, browser) as context:
        yield context


@contextmanager
def opened(demo: Demo, browser: "Browser") -> "Iterator[BrowserContext]":
    """A browser in which Ada is signed in, before a live server."""
    server, client = LiveServer("127.0.0.1"), Client()
    client.force_login(demo.ada)
    with_second_factor(client, demo)
    server._live_server_modified_settings.enable()
    size = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(base_url=server.url, viewport=size, reduced_motion="reduce", locale="en")  # type: ignore[arg-type]  # a size is a dictionary
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": server.url}])
    # Kept apart from other code's by the event loop that the browser runs in, and cut off with this database.
    connections.close_all()
    yield context
    context.close()
    server._live_server_modified_settings.disable()
    server.stop()


def with_second_factor(client: Client, demo: Demo) -> None:
    """As production asks of whoever decides."""
    session = client.session
    session[ABOUT] = {"second_factor": "totp", "authenticated_at": timezone.now().isoformat()}
    session.save()
    Authenticator.objects.create(user=demo.ada, type="totp", data={"secret": Adapter().encrypt("A" * 32)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.environ.get("UPDATE_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        return PICTURES
    return tmp_path_factory.mktemp("pictures")


def take(page: "Page", file: Path) -> None:
    """A picture of the window, as WebP, which Playwright itself does not write."""
    asked = {"format": "webp", "quality": QUALITY}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    file.write_bytes(base64.b64decode(taken["data"]))


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_each_screen_is_there_in_both_schemes(
    context: "BrowserContext", demo: Demo, folder: Path, screen: Screen
) -> None:
    page = context.new_page()
    response = page.goto(screen.path.format(**demo.places))
    assert response is not None
    assert response.status == 200
    assert screen.heading in page.get_by_role("heading", level=1).inner_text()
    screen.act(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        take(page, folder / f"{screen.name}-{scheme}.webp")
        assert (folder / f"{screen.name}-{scheme}.webp").stat().st_size > 5_000
    page.close()


def test_the_page_shows_each_screen_in_both_schemes_and_no_picture_is_left_over() -> None:
    wanted = {f"{screen.name}-{scheme}.webp" for screen in SCREENS for scheme in ("light", "dark")}
    named = re.findall(r"pictures/([\w-]+\.webp)", (DOCS / "console.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(wanted)
    kept = {file.name: file.stat().st_size for file in PICTURES.iterdir()}
    assert set(kept) == wanted
    assert sum(kept.values()) < MOST
