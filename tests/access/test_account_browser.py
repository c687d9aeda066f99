"""Passkeys and the authenticator app in a real Chromium, whose authenticator is a virtual one (WebAuthn over CDP)."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: "Browser", live_server: "LiveServer", settings: Any, transactional_db: None) -> "Iterator[Page]":
    """A page on `localhost`, where browsers make passkeys. What the content policy refuses fails the test."""
    from tests.access.signing_in import known

    known(admin=True)
    settings.PUBLIC_URL = live_server.url.replace("127.0.0.1", "localhost")
    context = browser.new_context(base_url=settings.PUBLIC_URL)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
    add_authenticator(page)
    yield page
    context.close()
    assert problems == []


def add_authenticator(page: "Page") -> None:
    """A device that holds passkeys and knows its owner."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def sign_in(page: "Page") -> None:
    from tests.access.signing_in import PASSWORD

    page.goto("/sign-in/")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def picture(page: "Page", name: str) -> None:
    """Keep what the page looks like in both colours, where SCREENSHOTS names a directory."""
    directory = os.environ.get("SCREENSHOTS")
    if not directory:
        return
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.screenshot(path=f"{directory}/{name}-{scheme}.png", full_page=True)


def test_a_passkey_is_added_and_signs_in_by_itself_as_second_step_and_when_asked_again(page: "Page") -> None:
    from django.utils import timezone

    from access.account.fresh import FRESH
    from access.models import ConsoleSession, Role
    from access.sessions import ABOUT, SessionStore
    from audit.models import Record

    picture_sign_in(page)
    sign_in(page)
    page.get_by_role("heading", name="Review inbox").wait_for()
    page.goto("/account/security/")
    picture(page, "security-none")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("laptop")
    picture(page, "add-passkey")
    page.get_by_role("button", name="Make the passkey").click()
    page.get_by_role("heading", name="Keep these codes").wait_for()
    picture(page, "recovery-codes")
    page.get_by_role("link", name="I have them").click()
    page.get_by_role("rowheader", name="laptop").wait_for()
    picture(page, "security-passkey")

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("heading", name="Review inbox").wait_for()

    page.get_by_role("button", name="Sign out").click()
    sign_in(page)
    page.get_by_role("heading", name="One more step").wait_for()
    picture(page, "second-step")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("heading", name="Review inbox").wait_for()

    page.goto("/roles/create/")
    page.get_by_label("Name").fill("made-by-passkey")
    page.get_by_label("MCP scopes").fill("mcp:files:read")
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == "session")
    store = SessionStore(cookie["value"])
    store[ABOUT] = {**store[ABOUT], "authenticated_at": (timezone.now() - FRESH - FRESH).isoformat()}
    store.save()
    page.locator("form.form button.button--primary").click()
    page.get_by_role("heading", name="Is it you?").wait_for()
    picture(page, "again")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("The role made-by-passkey exists").wait_for()
    assert Record.objects.get(event="person.reauthenticated").after == {"by": "passkey"}
    assert Role.objects.get(name="made-by-passkey").scopes == ["mcp:files:read"]
    kinds = [record.after for record in Record.objects.filter(event="second_factor.used").order_by("pk")]
    assert kinds == [{"kind": "passkey"}, {"kind": "passkey"}]
    assert ConsoleSession.objects.get(person__username="ada").second_factor == "passkey"


def picture_sign_in(page: "Page") -> None:
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").wait_for()
    picture(page, "sign-in")


def test_a_passkey_of_another_device_is_refused_with_a_sentence(page: "Page") -> None:
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("The browser did not answer with a passkey").wait_for()


def test_an_app_is_added_by_what_the_page_shows(page: "Page") -> None:
    from tests.access.signing_in import app_code, known

    known("eve")
    sign_in(page)
    page.get_by_role("heading", name="Review inbox").wait_for()
    page.goto("/account/security/app/")
    picture(page, "add-app")
    secret = page.locator(".copyable code").inner_text().replace(" ", "")
    drawn = page.locator("svg.qr").bounding_box()
    assert drawn is not None
    assert drawn["width"] > 150
    page.get_by_role("textbox", name="Code").fill(app_code(secret))
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("heading", name="Keep these codes").wait_for()
    page.goto("/account/security/")
    picture(page, "security-app")
    page.goto("/people/")
    page.get_by_role("link", name="Sign-in").last.click()
    page.get_by_role("heading", name="eve", exact=True).wait_for()
    picture(page, "person-sign-in")
