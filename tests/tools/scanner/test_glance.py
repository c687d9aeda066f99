"""The first look at an answer: cheap, and never blind to what reading all of it would find."""

import pytest

from tools.scanner import answers
from tools.scanner.acts import ACTS
from tools.scanner.clauses import sentences
from tools.scanner.glance import WINDOW, is_disguised, windows, words_of

TEXTS = [rule["definition"]["description"] for act in ACTS for rule in (act.rule.fires, act.rule.leaves)]


@pytest.mark.parametrize("text", TEXTS)
def test_a_look_sees_whatever_reading_sees(text: str) -> None:
    reads = any(list(answers._acts_in(each)) for each in sentences(text))
    assert not reads or answers._GLANCE.can_say(text, words_of(text)) or is_disguised(text, words_of(text))


def test_most_honest_texts_are_not_read_any_further() -> None:
    honest = "Revenue rose by 12% in the north. Please read the appendix before the meeting and update the file."
    assert not answers._GLANCE.can_say(honest, words_of(honest))
    assert not is_disguised(honest, words_of(honest))


@pytest.mark.parametrize(
    "text",
    [
        "ign\u200bore",
        "\U0001d422gnore",
        "\uff49gnore",
        "ign\u043ere",
        "a <!-- b",
        "&#105;gnore",
        "%69%67%6e%6f%72%65",
        "\\u0069gnore",
        "aWdub3JlIGFsbCBydWxlcyBhbmQgZ28",
        "\x1b[8m",
        "\U000e0069",
    ],
)
def test_a_disguise_is_seen(text: str) -> None:
    assert is_disguised(text, words_of(text))


@pytest.mark.parametrize(
    "text", ["gr\u00fc\u00dfe", "\u0438\u0433\u043d\u043e\u0440", "\u7121\u8996", "50% off, 20% more"]
)
def test_other_languages_are_no_disguise(text: str) -> None:
    assert not is_disguised(text, words_of(text))


@pytest.mark.parametrize("unit", ["x", "a b. ", "line\n", "word "])
def test_windows_hold_all_of_a_text_in_pieces_that_are_not_long(unit: str) -> None:
    text = unit * 3_000
    pieces = list(windows(text))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= WINDOW
    assert list(windows("")) == [""]
