"""The template tags of the console's own language."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from controlplane.templatetags import governance, holdfast


def words(html: object) -> str:
    return re.sub(r"<[^>]*>", "", str(html))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (61, "1 min ago"),
        (3_700, "1 hour ago"),
        (7_300, "2 hours ago"),
        (90_000, "1 day ago"),
        (200_000, "2 days ago"),
        (-30, "in a moment"),
        (-7_300, "in 2 hours"),
    ],
)
def test_times_are_said_relative_with_the_full_time_behind(seconds: int, text: str) -> None:
    moment = timezone.now() - timedelta(seconds=seconds)
    shown = holdfast.ago(moment)
    assert words(shown) == text
    assert f'title="{moment:%Y-%m-%d %H:%M:%S} UTC"' in shown


def test_no_time_is_never() -> None:
    assert holdfast.ago(None) == holdfast.at(None) == "never"


def test_a_digest_is_shown_short_and_copied_whole() -> None:
    digest = "sha256:" + "ab" * 32
    shown = holdfast.digest(digest)
    assert "abababababab…" in words(shown)
    assert f'data-copy="{digest}"' in shown
    assert holdfast.digest("") == "\u2013"


def test_foreign_text_is_escaped_isolated_and_made_visible() -> None:
    shown = holdfast.foreign("<b>\u202ex</b>")
    assert shown.startswith("<bdi")
    assert "&lt;b&gt;" in shown
    assert ">RLO</span>" in shown
    assert "\u202e" not in shown


def test_where_no_element_fits_unseen_characters_are_named_in_brackets() -> None:
    assert holdfast.named("a\u200bb") == "a[ZWSP]b"


def test_a_row_of_unseen_characters_is_drawn_up_to_a_number_and_then_counted() -> None:
    shown = words(holdfast.marked("a" + "\u200b" * 100 + "b"))
    assert shown == "a" + "ZWSP" * holdfast.CHIPS_IN_A_ROW + "80 more unseen" + "b"


@pytest.mark.parametrize("state", ["active", "waiting", "denied", "held", "something_else"])
def test_a_state_is_a_word_before_it_is_a_colour(state: str) -> None:
    assert words(governance.state_chip(state)).strip()


def test_an_unknown_state_change_or_rule_shows_its_own_name() -> None:
    assert words(governance.state_chip("half_open")) == "half open"
    assert words(governance.change_chip("newer_than_this")) == "newer_than_this"
    assert governance.rule_title("HF-999") == "HF-999"
