"""A browser that runs no script at all: everything that the console does is a plain form or link."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import PASSWORD, may_sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.console.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Of a control that is seen and in no form: what it is. A summary and a link do without scripts what they do.
IDLE = """() => [...document.querySelectorAll("button, input, select, textarea")]
    .filter((one) => one.checkVisibility() && !one.form && !one.closest("[popover]"))
    .map((one) => one.outerHTML.slice(0, 160))"""


@pytest.fixture
def world(transactional_db: None) -> "World":
    from tests.console.world import World, administrator, tool

    world = World(administrator(username="ada"), [tool("read"), tool("write"), tool("move"), tool("list")])
    may_sign_in(world.admin)
    return world.build()


@pytest.fixture
def page(browser: "Browser", world: "World", live_server: "LiveServer") -> "Iterator[Page]":
    """A page where `ada` has signed in, in a browser without scripts."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Review inbox").wait_for()
    yield page
    context.close()


def test_no_page_shows_a_control_that_does_nothing(page: "Page", world: "World") -> None:
    found = {}
    for url in world.urls():
        page.goto(url)
        found[url] = page.evaluate(IDLE)
    assert {url: idle for url, idle in found.items() if idle} == {}


def test_a_review_is_found_read_and_decided(page: "Page") -> None:
    page.goto("/?kind=tool")
    page.get_by_label("Server").select_option("files")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="read", exact=True).click()
    page.locator("[name=text]").fill("Asked the vendor.")
    page.get_by_role("button", name="Comment").click()
    page.get_by_text("Asked the vendor.").wait_for()
    page.get_by_label("Approve", exact=False).first.check()
    page.locator("#id_reason").fill("A plain reader.")
    page.get_by_role("button", name="Record the decision").click()
    page.get_by_text("Agents get exactly this version").wait_for()


def test_several_are_looked_at_and_decided(page: "Page") -> None:
    from tools.models import Review

    for name in ("write", "move"):
        page.locator("tr[data-row]", has_text=name).locator("input[type=checkbox]").check()
    page.get_by_placeholder("Reason for all of them").fill("Read both.")
    page.get_by_role("radio", name="Approve").check()
    page.get_by_role("button", name="Decide selected").click()
    page.get_by_role("heading", name="Approve 2 reviews?").wait_for()
    page.get_by_role("button", name="Approve 2").click()
    page.get_by_role("heading", name="2 of 2 decided").wait_for()
    assert Review.objects.filter(state="approved").count() == 2


def test_reviews_are_given_and_put_off(page: "Page") -> None:
    from django.utils import timezone

    from tools.models import Review

    page.locator("tr[data-row]", has_text="list").locator("input[type=checkbox]").check()
    page.locator("summary", has_text="Share or put off").click()
    page.get_by_placeholder("User name").fill("ada")
    page.get_by_role("button", name="Give", exact=False).first.click()
    page.get_by_text("1 review given to ada").wait_for()
    page.goto(f"/reviews/{Review.objects.get(definition__name='list').public_id}/")
    page.locator("summary", has_text="Put it off").click()
    page.get_by_role("button", name="Put off", exact=False).first.click()
    page.get_by_text("Put off until").first.wait_for()
    assert Review.objects.waiting().snoozed(timezone.now()).count() == 1


def test_a_server_is_suspended_with_a_reason(page: "Page") -> None:
    page.goto("/servers/files/")
    page.locator("summary", has_text="Suspend").click()
    page.get_by_label("Reason").first.fill("An exercise.")
    page.locator(".reason__form button", has_text="Suspend").click()
    page.get_by_text("Calls to files are stopped").wait_for()


def test_a_role_is_changed_in_the_matrix(page: "Page") -> None:
    from access.models import Role

    page.goto("/access/?server=files")
    page.get_by_role("main").get_by_role("link", name="Change").first.click()
    whole = page.locator("tr.table__group input[type=checkbox]")
    whole.set_checked(not whole.is_checked())
    before = {role.name: role.scopes for role in Role.objects.all()}
    page.locator(".bulk button", has_text="See what it does").click()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/access/?server=files**")
    after = {role.name: role.scopes for role in Role.objects.all()}
    assert [name for name in after if after[name] != before[name]] != []


def test_calls_and_records_are_read_and_anything_is_found(page: "Page") -> None:
    page.get_by_role("link", name="Live calls").click()
    page.get_by_role("link", name="Show newer").wait_for()
    page.get_by_role("link", name="Audit log").click()
    page.locator("#id_tool").fill("read")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("heading", name="Audit log").wait_for()
    page.get_by_role("link", name="Find", exact=True).click()
    page.get_by_role("searchbox").fill("files")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="files", exact=False).first.wait_for()
