"""The badge of the audit pages in a real Chromium: it says that the log is being verified, and follows by itself."""

from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import arrived, may_sign_in, signed_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_badge_follows_a_verification_without_a_reload(
    browser: "Browser", transactional_db: None, live_server: "LiveServer"
) -> None:
    from audit import tasks
    from tests.console.world import World, administrator

    world = World(administrator(username="ada"))
    may_sign_in(world.admin)
    world.build()
    with signed_in(browser, live_server.url) as page:
        page.goto("/audit/?type=config")
        arrived(page, "Audit log")
        page.get_by_role("button", name="Verify now").press("Enter")
        page.get_by_text("Being verified from its beginning").wait_for()
        assert page.url.endswith("/audit/?type=config"), "it comes back to where it was asked"
        page.evaluate("window.kept = true")
        tasks.verify_log()
        page.get_by_text("Verified up to record").wait_for()
        page.get_by_role("button", name="Verify now").wait_for()
        assert page.evaluate("window.kept")
