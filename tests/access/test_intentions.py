"""What can be a reason for a call, and which calls must give one."""

from itertools import product

import pytest

from access.intentions import BYTES_MAX, IntentionNeeded, fits, is_needed, says_something

USES = ["tools/call", "resources/read", "prompts/get", "of a later protocol"]
FOLLOWS = ["completion/complete", "resources/subscribe", "tasks/get", "tasks/result", "tasks/cancel", "tasks/update"]


@pytest.mark.parametrize("value", ["", "why", "a\0b", "x" * BYTES_MAX, "é" * 1000, "\U0001f600" * 500, "\ud800"])
def test_a_text_of_at_most_two_thousand_bytes_can_be_an_intention(value: str) -> None:
    assert fits(value)


@pytest.mark.parametrize("value", [None, 1, True, ["why"], {"why": 1}, b"why", "x" * 2001, "é" * 1001, "\ud800" * 667])
def test_nothing_else_can(value: object) -> None:
    assert not fits(value)


@pytest.mark.parametrize(("text", "says"), [("", 0), (" \n", 0), ("...", 0), ("\u200b\u2060", 0), ("x", 1), ("為", 1)])
def test_a_text_without_a_letter_or_digit_gives_no_reason(text: str, says: int) -> None:
    assert says_something(text) is bool(says)


def test_calls_say_why_where_the_setting_asks_it_of_them_and_what_follows_a_call_never_does() -> None:
    for needed, method, sensitive in product(IntentionNeeded, USES + FOLLOWS, (True, False)):
        asked = needed is IntentionNeeded.ALL or (needed is IntentionNeeded.SENSITIVE and sensitive)
        expected = asked and method in USES
        assert is_needed(needed.value, method, sensitive=sensitive) is expected, (needed, method, sensitive)


def test_a_setting_that_is_not_known_asks_it_of_every_call() -> None:
    assert is_needed("of a later release", "tools/call", sensitive=False)
