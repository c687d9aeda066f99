"""Every page is for everybody: axe-core in a real browser, in both schemes and widths, and what axe cannot see."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from controlplane.routes import Route
from tests.console.every_page import NARROW, OUTSIDE, PAGES, WIDE, Filled, open_answer, served, signed_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# The rule on the size of targets waits for a word in this release of axe.
OPTIONS: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": RULES},
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
# Everything else than contrast depends on the width alone.
LOOKS = ((WIDE, "light"), (NARROW, "dark"))  # each width and each scheme once: colours do not depend on the width
AXE = Axe()

# What takes the focus, with a place on the page. A file field or a date is one of them, whatever it is made of.
FOCUSABLE = """
const all = () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => !one.disabled && one.type !== "hidden" && one.checkVisibility({ visibilityProperty: true }));
const named = (one) => one.outerHTML.replaceAll(/\\s+/g, " ").slice(0, 140);
"""
# One that is wholly covered cannot be found by any of these points of its box (WCAG 2.4.11).
COVERED = (
    "() => {"
    + FOCUSABLE
    + """
const seen = (one) => {
  one.focus();
  return [...one.getClientRects()].some((box) => [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]].some(
    ([x, y]) => {
      const hit = document.elementFromPoint(box.x + box.width * x, box.y + box.height * y);
      return hit && (one.contains(hit) || hit.contains(one) && hit.matches("label, tr, td, th"));
    }));
};
const list = all();
return [...list, ...list.toReversed()].filter((one) => !seen(one)).map(named);
}"""
)
UNMARKED = (
    "() => {"
    + FOCUSABLE
    + """
const marked = (one) => {
  one.focus();
  const style = getComputedStyle(one);
  return !one.matches(":focus-visible") || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
};
return all().filter((one) => !marked(one)).map(named);
}"""
)
MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
  const style = getComputedStyle(one);
  const long = style.transitionDuration.split(",").some((each) => parseFloat(each) > 0);
  return long || style.animationName !== "none";
}).map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: Any) -> Iterator[Filled]:
    with served(django_db_blocker) as made:
        yield made


@pytest.fixture(scope="module")
def page(made: Filled, browser: "Browser") -> "Iterator[Page]":
    with signed_in(browser, made) as context:
        yield context.new_page()


def shown(page: "Page", made: Filled, route: Route) -> bool:
    """Whether the route leads to a page, which is open then; a download is none."""
    address = made.addresses.get(str(route))
    if address is None:
        return False
    response = page.goto(address)
    assert response is not None
    assert response.status == 200, response.text()
    return True


def look(page: "Page", size: tuple[int, int], scheme: str = "light") -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def unfold(page: "Page") -> None:
    """Open whatever is folded, so that it is looked at too."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


def violations(page: "Page") -> list[str]:
    """What axe finds in every look, each with the places where."""
    found = []
    unfold(page)
    for size, scheme in LOOKS:
        look(page, size, scheme)
        for each in AXE.run(page, options=OPTIONS).response["violations"]:
            places = [f"{node['html'][:160]} ({node['failureSummary'][:300]})" for node in each["nodes"][:3]]
            found.append(f"{scheme}, {size[0]} px: {each['id']}: {each['help']}: {places}")
    return found


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_axe_finds_nothing_on_any_page(page: "Page", made: Filled, route: Route) -> None:
    if shown(page, made, route):
        assert violations(page) == []


def test_axe_finds_nothing_in_what_forms_answer_nor_outside(page: "Page", made: Filled) -> None:
    found = {}
    for asked in made.answers:
        open_answer(page, made, asked)
        found[asked] = violations(page)
    assert {asked: each for asked, each in found.items() if each} == {}


def test_axe_would_tell(page: "Page", made: Filled) -> None:
    """It runs under our content policy, with the rules that we count on."""
    page.goto("/")
    page.evaluate("""() => {
      const link = Object.assign(document.createElement("button"), { textContent: "low" });
      link.className = "digest";
      document.querySelector("main").append(link, link.cloneNode(true), document.createElement("img"));
      for (const one of document.querySelectorAll("main .digest")) one.style.cssText = "all: unset; font-size: 6px; color: #aaa";
    }""")
    told = " ".join(violations(page))
    for rule in ("image-alt", "target-size", "color-contrast"):
        assert f"{rule}:" in told


def test_what_axe_cannot_see_would_be_told_too(page: "Page", made: Filled) -> None:
    page.goto("/preferences/")
    look(page, WIDE)
    page.keyboard.press("Tab")
    assert (page.evaluate(UNMARKED), page.evaluate(COVERED), page.evaluate(MOVING)) == ([], [], [])
    page.evaluate("""() => {
      const [plain, bar] = [document.createElement("button"), document.createElement("div")];
      plain.style.outline = "none";
      plain.style.transition = "color 1s";
      bar.style.cssText = "position: fixed; inset: 0 0 50% 0";
      document.querySelector("main").append(plain, bar);
    }""")
    page.keyboard.press("Tab")
    assert len(page.evaluate(UNMARKED)) == 1
    assert len(page.evaluate(MOVING)) == 1
    assert len(page.evaluate(COVERED)) > 2


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_the_focus_is_seen_wherever_it_goes(page: "Page", made: Filled, route: Route) -> None:
    if not shown(page, made, route):
        return
    for size in (WIDE, NARROW):
        look(page, size)
        page.keyboard.press("Tab")  # from here on the browser takes us for somebody with a keyboard
        assert page.evaluate(UNMARKED) == []
        assert page.evaluate(COVERED) == []


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_a_page_says_its_language_has_one_heading_and_keeps_still(page: "Page", made: Filled, route: Route) -> None:
    if not shown(page, made, route):
        return
    look(page, WIDE)
    unfold(page)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").count() == 1
    assert page.evaluate(MOVING) == []


def test_what_is_outside_is_among_what_is_looked_at(made: Filled) -> None:
    assert set(OUTSIDE) <= set(made.answers)
    assert {str(route) for route in PAGES} - set(made.addresses) == {
        "GET /access/export/",
        "GET /audit/export/",
        "GET /audit/verifier/",
        "GET /audit/{record_id}/proof/",
        "GET /live/",
    }
    assert len(made.answers) > 20
