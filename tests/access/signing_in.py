"""Browsers that sign in over HTTP, and the authenticator app in somebody's pocket."""

import re
import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from access.models import Person
from tests.console.world import administrator
from tests.factories import PersonFactory

PASSWORD = "correct horse battery staple"


def known(username: str = "ada", *, admin: bool = False) -> Person:
    """Somebody with a password."""
    person: Person = administrator(username=username) if admin else PersonFactory.create(username=username)
    person.set_password(PASSWORD)
    person.save()
    return person


def signs_in(username: str = "ada", **headers: str) -> Client:
    """A browser after name and password."""
    browser = Client(headers=headers or None)
    browser.post("/sign-in/", {"username": username, "password": PASSWORD})
    return browser


def app_code(secret: str, *, step: int = 1) -> str:
    """What the app shows in half a minute, which counts already: what it shows now was used to add it."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step)))


def seed_on(page: Any) -> str:
    """The seed that the page of a new app shows."""
    found = re.search(r'data-copy="([A-Z2-7]{32})"', page.content.decode())
    assert found is not None
    return found[1]


def codes_on(page: Any) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"<li>(\d{4}-\d{4})</li>", page.content.decode())


def adds_app(browser: Client) -> tuple[str, list[str]]:
    """Add an app; its seed and the recovery codes."""
    secret = seed_on(browser.get("/account/security/app/"))
    answer = browser.post("/account/security/app/", {"code": app_code(secret, step=0)})
    codes = codes_on(answer)
    assert len(codes) == 10, answer.content
    return secret, codes


def is_signed_in(browser: Client) -> bool:
    """Whether pages are shown to this browser."""
    return bool(browser.get("/preferences/").status_code == 200)
