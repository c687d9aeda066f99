"""Word diffs that are right, whatever the time they take is allowed to be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.diff import SECONDS_MAX, TEXT_MAX, TOKENS_MAX, Op, Segment, word_diff


def sides(before: str, after: str, seconds: float = SECONDS_MAX) -> tuple[str, str]:
    segments = word_diff(before, after, seconds=seconds).segments
    old = "".join(part.text for part in segments if part.op is not Op.ADDED)
    new = "".join(part.text for part in segments if part.op is not Op.REMOVED)
    return old, new


def test_whole_words_are_removed_and_added() -> None:
    assert word_diff("Read a file.", "Read any file.").segments == (
        Segment(Op.SAME, "Read "),
        Segment(Op.REMOVED, "a"),
        Segment(Op.ADDED, "any"),
        Segment(Op.SAME, " file."),
    )


def test_equal_texts_are_one_segment_and_empty_ones_none() -> None:
    assert word_diff("same", "same").segments == (Segment(Op.SAME, "same"),)
    assert word_diff("", "").segments == ()
    assert word_diff("", "new").segments == (Segment(Op.ADDED, "new"),)


@given(st.text(), st.text())
def test_both_sides_can_be_put_together_again(before: str, after: str) -> None:
    assert sides(before, after) == (before, after)


@given(st.text(st.sampled_from("\ue000\uf8ff\U000f0000\U0010fffd a\0\u200b")), st.text(st.sampled_from("\ue001 b")))
def test_private_use_characters_of_the_text_itself_do_no_harm(before: str, after: str) -> None:
    assert sides(before, after) == (before, after)


def _noise(alphabet: str, seed: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=TEXT_MAX))


HOSTILE = {
    "repetition": ("a " * 30_000, "a " * 30_001 + "b"),
    "two letters": (_noise("ab ", 1), _noise("ab ", 2)),
    "punctuation": (_noise("!?.", 1), _noise("!?.", 2)),
    "all different": (
        " ".join(map(str, range(10_000)))[:TEXT_MAX],
        " ".join(map(str, range(50_000, 60_000)))[:TEXT_MAX],
    ),
    "more words than codes": (
        "".join(map(chr, range(0x20000, 0x20000 + TEXT_MAX))).replace("", "."),
        "".join(map(chr, range(0x100, 0xD000))),
    ),
}


@pytest.mark.parametrize(("before", "after"), HOSTILE.values(), ids=HOSTILE)
def test_the_diff_of_hostile_texts_is_coarse_and_right(before: str, after: str) -> None:
    assert sides(before, after) == (before[:TEXT_MAX], after[:TEXT_MAX])


def test_more_words_than_are_compared_are_compared_by_sentence_and_then_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    grains: list[list[str]] = []

    def note(_old: str, _new: str, words: list[str], _seconds: float) -> tuple[Segment, ...]:
        grains.append(words)
        return ()

    monkeypatch.setattr("tools.diff._compared", note)
    old, new = ("".join(f"{word} {n} a b c. " for n in range(TOKENS_MAX // 8)) for word in ("old", "new"))
    word_diff(old, new)
    assert " new 7 a b c." in grains.pop()
    old, new = (".".join(_noise("ab", seed))[:TEXT_MAX] for seed in (1, 2))
    assert word_diff(old, new).segments == (Segment(Op.REMOVED, old), Segment(Op.ADDED, new))
    assert not grains


def test_only_the_words_that_differ_count_towards_the_limit() -> None:
    same = "a " * (TOKENS_MAX // 2 + 1000)
    diff = word_diff(f"{same}old {same[:20_000]}", f"{same}new {same[:20_000]}")
    assert [part.op for part in diff.segments] == [Op.SAME, Op.REMOVED, Op.ADDED, Op.SAME]
    assert diff.segments[1].text == "old"


def test_without_time_left_the_sides_stand_against_each_other() -> None:
    assert word_diff("a b", "a c", seconds=0).segments == (Segment(Op.REMOVED, "a b"), Segment(Op.ADDED, "a c"))


def test_a_cut_is_said_and_a_difference_behind_it_is_shown_to_exist() -> None:
    same = "x" * TEXT_MAX
    diff = word_diff(f"{same}old", f"{same}newer")
    assert diff.cut
    assert [part.op for part in diff.segments] == [Op.SAME, Op.REMOVED, Op.ADDED]
    assert "3 characters" in diff.segments[1].text
    assert "5 characters" in diff.segments[2].text
