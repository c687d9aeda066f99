"""A person at a browser without scripts: follows a link, signs in, and says what an application may do."""

from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx2


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
