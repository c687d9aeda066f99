"""The access matrix's grid in a real Chromium: one stop for the tab key, arrows within it, and nothing lost on the way."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import arrived, may_sign_in, press, signed_in, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.console.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Row and column of the cell that holds the focus; nothing where it is outside of the grid.
HERE = """() => {
    const cell = document.activeElement.closest("table[data-grid] :is(td, th)");
    return cell && [cell.parentElement.rowIndex, cell.cellIndex];
}"""
STOPS = """document.querySelectorAll('table[data-grid] :is(a, button, input, td, th)[tabindex="0"]').length"""
# Whether the tab key could stop anywhere else in it: links and fields do so by themselves.
LOOSE = """[...document.querySelectorAll("table[data-grid] :is(a, button, input)")].filter(one => one.tabIndex === 0).length"""


@pytest.fixture
def world(transactional_db: None) -> "World":
    from tests.console.world import World, administrator, tool

    world = World(administrator(username="ada"), [tool("list_dir"), tool("read_file"), tool("wipe")])
    may_sign_in(world.admin)
    return world.build()


@pytest.fixture
def page(browser: "Browser", world: "World", live_server: "LiveServer") -> "Iterator[Page]":
    """A page at the matrix of `files`, opened from the list of servers by keyboard."""
    with signed_in(browser, live_server.url) as page:
        page.goto("/access/")
        arrived(page, "Access matrix")
        press(page, "j", "o")
        arrived(page, "files")
        yield page


def here(page: "Page") -> list[int] | None:
    found: list[int] | None = page.evaluate(HERE)
    return found


def into_the_grid(page: "Page") -> None:
    """By the tab key, from wherever the page begins."""
    for _ in range(60):
        if here(page) is not None:
            return
        press(page, "Tab")
    raise AssertionError("the tab key does not reach the grid")


def shape(page: "Page") -> tuple[int, int]:
    rows, columns = page.evaluate(
        "(({rows}) => [rows.length, rows[0].cells.length])(document.querySelector('table[data-grid]'))"
    )
    return rows, columns


def test_a_server_that_was_opened_is_one_stop_of_the_tab_key(page: "Page") -> None:
    assert page.get_by_role("grid", name="Roles against tools").count() == 1
    assert (page.evaluate(STOPS), page.evaluate(LOOSE)) in {(1, 0), (1, 1)}
    into_the_grid(page)
    assert here(page) == [0, 0]
    press(page, "ArrowDown", "ArrowDown", "ArrowRight")
    assert here(page) == [2, 1]
    press(page, "Tab")
    assert here(page) is None
    press(page, "Shift+Tab")
    assert here(page) == [2, 1], "it comes back to where it was"
    press(page, "Shift+Tab")
    assert here(page) is None
    assert page.evaluate(STOPS) == 1


def test_arrows_and_ends_move_within_and_stop_at_the_edges(page: "Page") -> None:
    rows, columns = shape(page)
    assert (rows, columns >= 3) == (5, True), "the head, the whole server, three tools"
    into_the_grid(page)
    for keys, then in (
        (["ArrowUp", "ArrowLeft"], [0, 0]),
        (["End"], [0, columns - 1]),
        (["ArrowRight"], [0, columns - 1]),
        (["ArrowDown"], [1, columns - 1]),
        (["Home"], [1, 0]),
        (["ArrowDown"] * rows, [rows - 1, 0]),
        (["ArrowRight", "ArrowUp"], [rows - 2, 1]),
        (["Control+ArrowRight", "Alt+Home"], [rows - 2, 1]),
    ):
        press(page, *keys)
        assert here(page) == then, keys
        assert page.evaluate(STOPS) == 1, keys


def test_a_link_in_a_cell_has_the_focus_itself_and_opens(page: "Page") -> None:
    into_the_grid(page)
    press(page, "ArrowDown", "ArrowDown")
    assert page.evaluate("document.activeElement.textContent.trim()") == "list_dir"
    press(page, "Enter")
    arrived(page, "list_dir")


def test_the_arrows_follow_the_way_that_is_read(page: "Page") -> None:
    page.evaluate("document.documentElement.dir = 'rtl'")
    into_the_grid(page)
    press(page, "ArrowLeft")
    assert here(page) == [0, 1]
    press(page, "ArrowRight")
    assert here(page) == [0, 0]


def test_a_role_is_changed_with_the_arrows_and_the_space_bar(page: "Page", world: "World") -> None:
    from access.models import Role

    tab_to(
        page,
        page.get_by_role("link", name="Change files-reader").or_(page.locator("table[data-grid] [tabindex='0']")).first,
    )
    while page.evaluate("document.activeElement.getAttribute('aria-label')") != "Change files-reader":
        press(page, "ArrowRight")
    press(page, "Enter")
    arrived(page, "Change files-reader")
    into_the_grid(page)
    press(page, "ArrowDown", "ArrowRight", "ArrowRight")
    press(page, "Space")  # not the whole server any more,
    press(page, "ArrowDown", "Space", "ArrowDown", "Space")  # but two of its tools
    assert here(page) == [3, 2]
    tab_to(page, page.locator(".bulk").get_by_role("button", name="See what it does"))
    press(page, "Enter")
    arrived(page, "What the change of files-reader does")
    tab_to(page, page.get_by_label("Reason"))
    page.keyboard.type("Two will do.")
    press(page, "Enter")
    page.get_by_text("Saved. Whoever holds the role files-reader follows at once.").wait_for()
    held = set(Role.objects.get(name="files-reader").scopes)
    assert held == {"mcp:files:read", "mcp:files:tool:list_dir", "mcp:files:tool:read_file"}
