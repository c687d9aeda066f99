"""Consent in a real Chromium, whose content policy also binds the redirects that answer a form."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough password"


class Callback(BaseHTTPRequestHandler):
    """The program on the person's computer, at another origin than ours."""

    def do_GET(self) -> None:
        """Say that the answer arrived."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Arrived</title><h1>Arrived</h1>")

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def callback() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Callback) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/callback"
        server.shutdown()


@pytest.fixture
def page(browser: "Browser", live_server: "LiveServer") -> "Iterator[Page]":
    """A page of a browser in which nobody is signed in; `ada` exists and so does the application."""
    from tests.factories import ProtectedResourceFactory, PublicAgentFactory, person_with

    ada = person_with("mcp:files:call", username="ada")
    ada.set_password(PASSWORD)
    ada.save()
    ProtectedResourceFactory.create(server_slug="files")
    PublicAgentFactory.create(client_id="app", name="Letter writer")
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert [problem for problem in problems if "favicon" not in problem and "404" not in problem] == []


def open_link(page: "Page", redirect: str, **changes: str) -> None:
    """Follow the application's link and sign in on the way."""
    from tests.access.flow import CHALLENGE

    wanted = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": redirect,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    page.goto(f"/oauth/authorize/?{urlencode({**wanted, **changes})}")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def arrived(page: "Page") -> dict[str, list[str]]:
    page.get_by_role("heading", name="Arrived").wait_for()
    return parse_qs(urlsplit(page.url).query)


@pytest.mark.parametrize(("button", "name"), [("Allow", "code"), ("Do not allow", "error")])
def test_what_the_person_says_arrives_at_the_application(page: "Page", callback: str, button: str, name: str) -> None:
    open_link(page, callback)
    page.get_by_role("heading", name="Allow this application").wait_for()
    page.get_by_role("button", name=button, exact=True).click()
    answer = arrived(page)
    assert name in answer
    assert answer["state"] == ["s"]


def test_an_answer_straight_after_signing_in_arrives_as_well(page: "Page", callback: str) -> None:
    open_link(page, callback, resource="http://127.0.0.1:8000/mcp/absent")
    assert arrived(page)["error"] == ["invalid_target"]
