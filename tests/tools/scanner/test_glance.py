"""The first look at an answer: cheap, and never blind to what reading all of it would find."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.scanner import answers, glance
from tools.scanner.acts import ACTS
from tools.scanner.clauses import sentences
from tools.scanner.glance import WINDOW, is_disguised, windows, words_of

TEXTS = [rule["definition"]["description"] for act in ACTS for rule in (act.rule.fires, act.rule.leaves)]


SIGNS = ("<!--", "{#", "]:", "\\u00", "&#", "\\x", "\x1b", "\x9b")
PIECES = (
    *SIGNS,
    *"<!-{#]:\\u&x%0aF\u2019' \n",
    "%4",
    "%41",
    "aB3" * 7,
    "\u00e9" * 11,
    "\u043e",
    "\u200b",
    "\ud800",
    "\u03a3",
)


def can_say(text: str) -> bool:
    """Whether an order can be made of the words of a text."""
    return answers._GLANCE.can_say(text.lower(), words_of(text.lower()))


def disguised(text: str) -> bool:
    """Whether something may be hidden in a text."""
    return is_disguised(text, words_of(text.lower()))


@pytest.mark.parametrize("text", TEXTS)
def test_a_look_sees_whatever_reading_sees(text: str) -> None:
    reads = any(list(answers._acts_in(each)) for each in sentences(text))
    assert not reads or can_say(text) or disguised(text)


def test_most_honest_texts_are_not_read_any_further() -> None:
    honest = "Revenue rose by 12% in the north. Please read the appendix before the meeting and update the file."
    assert not can_say(honest)
    assert not disguised(honest)


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
        "\u00e9" * 12,
    ],
)
def test_a_disguise_is_seen(text: str) -> None:
    assert disguised(text)


@pytest.mark.parametrize(
    "text", ["gr\u00fc\u00dfe", "\u0438\u0433\u043d\u043e\u0440", "\u7121\u8996", "50% off, 20% more"]
)
def test_other_languages_are_no_disguise(text: str) -> None:
    assert not disguised(text)


@pytest.mark.parametrize("unit", ["x", "a b. ", "line\n", "word "])
def test_windows_hold_all_of_a_text_in_pieces_that_are_not_long(unit: str) -> None:
    text = unit * 3_000
    pieces = list(windows(text))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= WINDOW
    assert list(windows("")) == [""]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=9).map("".join))
def test_a_disguise_is_what_is_hidden_encoded_or_a_long_run(text: str) -> None:
    is_long = any(len(word) >= 24 for word in words_of(text.lower()))
    is_encoded = any(sign in text for sign in SIGNS) or len(re.findall("%[0-9A-Fa-f]{2}", text)) >= 4
    is_unseen = re.search(glance._UNSEEN_OR_MIXED, text) is not None
    assert disguised(text) is (is_long or is_encoded or is_unseen)


@given(st.lists(st.sampled_from([*TEXTS, *PIECES]) | st.text(max_size=5), max_size=5))
def test_texts_together_show_whatever_one_of_them_shows(texts: list[str]) -> None:
    whole = "\n".join(texts)
    assert whole.lower() == "\n".join(text.lower() for text in texts)
    assert words_of(whole.lower()) == frozenset().union(*(words_of(text.lower()) for text in texts))
    assert disguised(whole) or not any(map(disguised, texts))
    assert can_say(whole) or not any(map(can_say, texts))


@given(
    st.lists(st.sampled_from(["read", "the", "~/.ssh", ".env", "id_rsa", "e-mail", "`to`", "built-in", "x"])).map(
        " ".join
    )
)
def test_words_of_an_odd_spelling_are_seen(text: str) -> None:
    look = answers._GLANCE
    found = look._classes(text, frozenset())
    assert all(found & classes == classes for word, classes in look._odd if word in text)
    assert found == look._classes("", frozenset()) or any(word in text for word, _ in look._odd)
