"""People at browsers: one without scripts, who follows a link, signs in, and says what an application may do; and a real
Chromium in which somebody has signed in to the console.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

import httpx2

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Locator, Page


_REFUSED = "Content Security Policy"


class Browser:
    """One person's, with the cookies of one site. Other sites are where it ends: it does not open them."""

    def __init__(self, site: str, username: str, password: str, client: httpx2.Client | None = None) -> None:
        self._site = urlsplit(site).netloc
        self._who = {"username": username, "password": password}
        self._client = client or httpx2.Client(timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._client.close()

    def allow(self, link: str) -> str:
        """Sign in if need be, allow what the page asks, and answer where that leads. Fails where no page asks."""
        page = self.read(link)
        return self.say(page, allow="yes")

    def read(self, link: str) -> httpx2.Response:
        """The page behind a link, signed in."""
        page = self._followed(self._client.get(link))
        assert isinstance(page, httpx2.Response), page
        if page.url.path not in ("/login/", "/sign-in/"):
            return page
        entered = self._followed(self._client.post(str(page.url), data={**fields(page.text), **self._who}))
        assert isinstance(entered, httpx2.Response), entered
        return entered

    def send(self, page: httpx2.Response, **values: str) -> httpx2.Response:
        """Fill in the page's form, send it, and answer the page of this site that comes."""
        form = {"csrfmiddlewaretoken": fields(page.text)["csrfmiddlewaretoken"], **values}
        come = self._followed(self._client.post(str(page.url), data=form))
        assert isinstance(come, httpx2.Response), come
        return come

    def post(self, page: httpx2.Response, action: str, **values: str | list[str]) -> httpx2.Response:
        """Send one of a page's forms to `action`, relative to the page, and answer the page that comes."""
        form = {"csrfmiddlewaretoken": fields(page.text)["csrfmiddlewaretoken"], **values}
        come = self._followed(self._client.post(urljoin(str(page.url), action), data=form))
        assert isinstance(come, httpx2.Response), come
        return come

    def say(self, page: httpx2.Response, **button: str) -> str:
        """Press a button of the page's form, and answer where on another site that leads."""
        given = {**fields(page.text), **button}
        assert "seen" in given, f"no page asks for consent but {page.status_code}: {page.text[:2000]}"
        gone = self._followed(self._client.post(str(page.url), data=given))
        assert isinstance(gone, str), gone.text[:2000]
        return gone

    def cookies(self) -> dict[str, str]:
        """What the site keeps in it."""
        return {cookie.name: cookie.value or "" for cookie in self._client.cookies.jar}

    def _followed(self, answer: httpx2.Response) -> httpx2.Response | str:
        for _ in range(10):
            if not answer.is_redirect:
                return answer
            target = urljoin(str(answer.url), answer.headers["location"])
            if urlsplit(target).netloc != self._site:
                return target
            answer = self._client.get(target)
        raise AssertionError("sent round in circles")


@contextmanager
def at_browser(browser: "Chromium", site: str, who: str, password: str) -> "Iterator[Page]":
    """Somebody who has signed in with the keyboard; a script's error or what the policy refuses fails the story."""
    context = browser.new_context(base_url=site)
    page, problems = context.new_page(), list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(f"{page.url}: {line.text}") if _REFUSED in line.text else None)
    page.goto("/")
    page.locator("[name=username]:focus").wait_for()  # what is typed before would be lost
    for words in (who, password):
        page.keyboard.type(words)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Review inbox").wait_for()
    page.wait_for_load_state("load")
    yield page
    context.close()
    assert problems == [], problems


def say_why(page: "Page", command: "Locator", reason: str) -> None:
    """Unfold a command that asks for its reason, give it, and send: by keyboard, once the field has the focus."""
    command.press("Enter")
    page.locator("[name=reason]:focus").wait_for()
    page.keyboard.type(reason)
    page.keyboard.press("Enter")


def seen(page: "Page", name: str) -> None:
    """A picture of the page for who watches a story: in the folder that `WATCH` names, nowhere without it."""
    if folder := os.environ.get("WATCH"):
        # A caret that is hidden is a style that the policy refuses.
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True, caret="initial")


def fields(page: str) -> dict[str, str]:
    """What the page's first form would send, its buttons left alone."""
    form = _Form()
    form.feed(page)
    return form.fields


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._forms = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._forms += tag == "form"
        chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
        if tag == "input" and self._forms == 1 and chosen and given.get("name"):
            self.fields[str(given["name"])] = given.get("value") or ""
