"""What a reviewer would not see becomes a label."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.visible import RUNS_MAX, MixedWord, Run, hidden_ascii, mixed_words, runs, unseen

CHIPS = {
    "\0": "NUL", "\r": "CR", "\x1b": "ESC", "\x7f": "DEL", "\u00a0": "NBSP", "\u00ad": "SHY", "\u200b": "ZWSP",
    "\u200d": "ZWJ", "\u200f": "RLM", "\u202e": "RLO", "\u2066": "LRI", "\u2028": "U+2028", "\ufeff": "BOM",
    "\u3164": "U+3164", "\ufe0f": "VS16", "\U000e0100": "U+E0100", "\ue000": "U+E000", "\ud800": "U+D800",
    "\u0378": "U+0378", "\u3000": "U+3000",
}  # fmt: skip


@pytest.mark.parametrize(("char", "label"), CHIPS.items(), ids=CHIPS.values())
def test_unseen_characters_become_labels(char: str, label: str) -> None:
    before, chip, after = runs(f"a{char}b")
    assert (before, after) == (Run("a"), Run("b"))
    assert (chip.text, chip.chip) == (label, True)
    assert chip.title.startswith(f"U+{ord(char):04X}")


def test_ordinary_text_is_one_run() -> None:
    for text in ("plain\n\ttext", "Grüße, привет, 你好, שלום"):
        assert runs(text) == (Run(text),)
    assert runs("") == ()


def test_tag_characters_are_spelled_out() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "send it")
    assert [run.text for run in runs(f"ok{hidden}\U000e007f.")] == ["ok", "TAG “send it”", "."]
    assert hidden_ascii(hidden) == "send it"


@given(st.text(st.characters(), max_size=40))
def test_whatever_comes_in_can_be_encoded_and_nothing_unseen_stays(text: str) -> None:
    for run in runs(text):
        run.text.encode()
        run.title.encode()
        assert run.chip or not unseen(run.text)


@given(st.text(st.sampled_from("a\u200b\\\U000e0061\u202e"), max_size=30), st.integers(0, 30))
def test_beyond_the_last_label_everything_is_an_escape(text: str, most: int) -> None:
    found = runs(text, most=most)
    if len(found) <= most:
        assert found == runs(text)
        return
    *labelled, mark, rest = found
    assert tuple(labelled) == runs(text)[:most]
    assert mark.chip
    assert not rest.chip
    assert text.endswith(_unescaped(rest.text))
    assert not unseen(rest.text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(?:u\{([0-9a-f]+)\}|\\)", lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)


def test_a_text_has_no_more_labels_than_a_page_can_hold() -> None:
    found = runs("a\u200b" * 100_000)
    assert len(found) == RUNS_MAX + 2
    assert found[-1].text == "a\\u{200b}" * (100_000 - RUNS_MAX // 2)
    assert len(runs("\U000e0061" * 100_000)) == 1


@pytest.mark.parametrize("text", ["👩‍💻", "❤️", "3️⃣", "👨‍👩‍👧", "plain"])
def test_joiners_inside_emoji_are_ordinary(text: str) -> None:
    assert unseen(text) == ()


@pytest.mark.parametrize("text", ["a\u200db", "\u200d", "a\ufe0f", "\U000e0100", "👩\u200d", "\u200b"])
def test_joiners_elsewhere_are_not(text: str) -> None:
    assert unseen(text)


def test_words_of_mixed_scripts_are_named() -> None:
    assert mixed_words("pay with payp\u0430l or привет") == (MixedWord("payp\u0430l", ("CYRILLIC", "LATIN")),)
    assert mixed_words("paypal") == mixed_words("Grüße") == ()
    assert len(mixed_words(" ".join(f"x{chr(0x430 + number)}" for number in range(30)))) == 20
