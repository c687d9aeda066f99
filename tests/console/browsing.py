"""A browser in which somebody has signed in to the console by hand; nothing may be refused or thrown in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from access.models import Person

PASSWORD = "a long enough password"


def may_sign_in(person: "Person") -> None:
    """Give somebody the password that `signed_in` types."""
    person.set_password(PASSWORD)
    person.save()


@contextmanager
def signed_in(browser: "Browser", url: str, username: str = "ada") -> "Iterator[Page]":
    """A page at the inbox. Anything that the content policy refuses, or a script throws, fails the test."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.goto("/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    arrived(page, "Review inbox")
    yield page
    context.close()
    assert problems == []


def arrived(page: "Page", heading: str) -> None:
    """Wait until a page is there, its scripts included."""
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    page.wait_for_load_state("load")


def told(page: "Page", sentence: str) -> None:
    """Wait until a page says something, its scripts included: keys that are pressed before those would be lost."""
    page.get_by_text(sentence, exact=False).first.wait_for()
    page.wait_for_load_state("load")


def offered(page: "Page") -> None:
    """Wait until the button that a page puts under the enter key has the focus."""
    page.locator("button[autofocus]:focus").wait_for()


def tab_to(page: "Page", wanted: "Locator") -> None:
    """Go there as a person without a mouse does: by the tab key."""
    wanted.wait_for()
    for _ in range(150):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {wanted}")


def press(page: "Page", *keys: str) -> None:
    """One key after the other."""
    for key in keys:
        page.keyboard.press(key)
