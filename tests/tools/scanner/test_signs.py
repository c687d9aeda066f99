"""Many signs are looked for in one pass, and are found just where Python would find one of them after the other."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.scanner.signs import Signs

TEXTS = ("<!--", "{#", "]:", "\\u00", "&#", "8q~", "sk-", "a b", "-^$", "\x1b", "\u00e9", "://")
PATTERNS = (r"x{3}", r"%[0-9a-f]{2}(?:[\s\S]*?%[0-9a-f]{2}){3}", "[\u200b-\u200f][a-c]", r"\.[a-z]{2}")
PIECES = (*TEXTS, "<!", "--", "xx", "%4", "%41", "\u200b", "a", ".ab", "\n", "\ud800", "\U0001f600", "K\u0130")
SIGNS = Signs(TEXTS, PATTERNS)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=8).map("".join))
def test_a_sign_is_found_just_where_python_finds_it(text: str) -> None:
    found = any(each in text for each in TEXTS) or any(re.search(each, text) for each in PATTERNS)
    assert SIGNS.are_in(text) is found


@pytest.mark.parametrize("text", TEXTS)
def test_each_sign_is_found_by_itself_and_within_a_text(text: str) -> None:
    assert Signs([text]).are_in(text)
    assert SIGNS.are_in(f"before {text} after")
    assert not Signs([text]).are_in(text[:-1])


def test_half_of_a_surrogate_pair_hides_nothing() -> None:
    assert SIGNS.are_in("\ud800 <!-- \udfff")
    assert not SIGNS.are_in("\ud800 <!- \udfff")


@pytest.mark.parametrize("piece", ["%41%41%41 ", "%4", "xx ", "<!-", "\u200b", "\u200b\u200f"])
def test_no_text_is_too_much(piece: str) -> None:
    """No clock: what goes back would not come to an end."""
    SIGNS.are_in(piece * (4_000_000 // len(piece)))
