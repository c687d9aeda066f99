"""A look counts whole or not at all."""

import pytest

from servers.surface import Item, Kind, Problem
from tests.tools.making import failing, surface, tool
from tools.look import UNREACHABLE, storable, take


def test_a_complete_surface_has_a_digest_for_every_item() -> None:
    look = take(surface(tool("b"), tool("a")))
    assert look.problem is None
    assert [item[:2] for item in look.listed] == [["tool", "a"], ["tool", "b"]]
    assert look.surface_digest == take(surface(tool("a"), tool("b"))).surface_digest


def test_one_name_may_stand_for_two_kinds() -> None:
    assert take(surface(tool("a"), Item(Kind.PROMPT, "a", {"name": "a"}))).problem is None


def test_what_an_incomplete_surface_holds_is_left_aside() -> None:
    look = take(failing(Problem.TIMEOUT, tool()))
    assert (look.seen, look.surface_digest) == ({}, "")
    assert look.problem is not None
    assert look.problem.cls in UNREACHABLE


def test_incomplete_without_a_problem_is_a_problem_all_the_same() -> None:
    from servers.surface import Surface

    assert take(Surface(items=(), vantage="poller", complete=False)).problem is not None


def test_the_stored_text_is_ascii_in_the_order_received() -> None:
    look = take(surface(Item(Kind.TOOL, "x", {"z": "é\0\u2028", "a": 2**70, "f": 0.1})))
    assert look.seen["tool", "x"].text == '{"z":"\\u00e9\\u0000\\u2028","a":1180591620717411303424,"f":0.1}'


def test_a_look_that_nobody_stores_makes_no_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(item: Item) -> str:
        raise AssertionError(item)

    item = tool("a")
    monkeypatch.setattr("tools.look.storable", refuse)
    look = take(surface(item))
    monkeypatch.undo()
    assert look.seen["tool", "a"].text == storable(item)
