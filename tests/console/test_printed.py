"""Reviews and audit pages on paper: what was read and decided, and nothing that can only be clicked or needs colour."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests import databases
from tests.console.demo_world import Demo, company
from tests.console.test_pictures import opened
from tools.models import Review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CLICKED = ".side, nav, .button, button, input, select, textarea, summary.button, .bulk, dialog"
# The width of an A4 sheet without its margins, in CSS pixels.
SHEET = {"width": 680, "height": 1000}


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Demo]:
    with databases.filled_copy(django_db_blocker, company) as made:
        yield made


@pytest.fixture(scope="module")
def page(demo: Demo, browser: "Browser") -> "Iterator[Page]":
    with opened(demo, browser) as context:
        page = context.new_page()
        page.set_viewport_size(SHEET)  # type: ignore[arg-type]  # a size is a dictionary
        yield page


def printed(page: "Page", address: str) -> None:
    page.emulate_media(media="screen", color_scheme="dark")
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")


def style(page: "Page", selector: str, name: str, part: str = "") -> str:
    read = "(one, [name, part]) => getComputedStyle(one, part || null)[name]"
    return str(page.locator(selector).first.evaluate(read, [name, part]))


@pytest.mark.parametrize("path", ["/reviews/{change}/", "/audit/", "/audit/{record}/", "/definitions/{changed}/"])
def test_paper_has_no_navigation_no_buttons_and_nothing_runs_off_it(page: "Page", demo: Demo, path: str) -> None:
    printed(page, path.format(**demo.places))
    assert page.locator(CLICKED).locator("visible=true").count() == 0
    assert page.locator("h1").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cut = """() => [...document.querySelectorAll("main .code, main .diff__text, main .table-wrap")]
      .filter((one) => one.checkVisibility() && getComputedStyle(one).overflowX !== "visible").length"""
    assert page.evaluate(cut) == 0


def test_a_dark_console_prints_black_on_white(page: "Page", demo: Demo) -> None:
    printed(page, f"/reviews/{demo.places['change']}/")
    assert style(page, "html", "colorScheme") == "light"
    assert style(page, "body", "backgroundColor") == "rgba(0, 0, 0, 0)"


def test_what_was_added_and_removed_is_told_apart_without_colour(page: "Page", demo: Demo) -> None:
    printed(page, f"/reviews/{demo.places['change']}/")
    for mark, line, sign in (("ins", "underline", '"+"'), ("del", "line-through", '"\u2212"')):
        place = f".diff {mark}" if page.locator(f".diff {mark}").count() else f".legend {mark}"
        assert page.locator(place).first.is_visible()
        assert line in style(page, place, "textDecorationLine")
        assert style(page, place, "content", "::before") == sign
    assert style(page, ".diff ins", "backgroundColor") == "rgba(0, 0, 0, 0)"
    assert page.locator(".glyph").first.is_visible()


def test_a_digest_is_whole_and_a_link_says_where_it_leads(page: "Page", demo: Demo) -> None:
    printed(page, f"/reviews/{demo.places['change']}/")
    review = Review.objects.select_related("version").get(public_id=demo.places["change"])
    assert style(page, ".digest code", "content", "::before") == f'"{review.version.digest}"'
    printed(page, "/audit/")
    first = page.locator("tr[data-row] a").first
    assert str(first.get_attribute("href")) in style(page, "tr[data-row] a", "content", "::after")


def test_what_is_folded_on_a_screen_is_printed(page: "Page", demo: Demo) -> None:
    printed(page, f"/audit/{demo.places['record']}/")
    folded = page.locator("details:not([open]) pre")
    assert folded.count() == 1
    box = folded.bounding_box()
    assert box is not None
    assert box["height"] > 50
