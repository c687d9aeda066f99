"""Word-level differences of two texts, bounded in time whatever the texts are. Pure module.

Words become private-use characters, so that the character diff of diff-match-patch works on words; its timeout then
gives a coarser answer, never a wrong one. (`difflib` takes quadratic to cubic time on hostile text.) The timeout does
not cover all that the library does before it looks at the clock, so the number of words is bounded too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from diff_match_patch import diff_match_patch

SECONDS_MAX: Final = 0.5
TEXT_MAX: Final = 65_536  # characters of each side; the rest is cut, and said to be
TOKENS_MAX: Final = 16_000  # that differ, of each side; 64,000 took 4 s in spite of the timeout
# Words; sentences, where there are too many words. Each splits a text without loss.
_GRAINS: Final = (re.compile(r"\w+|\s+|[^\w\s]"), re.compile(r"[^.\n]+[.\n]*|[.\n]+"))
# Private use: 6,400 in the first plane, then planes 15 and 16. More distinct words than that are compared as one.
_CODES: Final = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
_CODES_MAX: Final = sum(map(len, _CODES))


class Op(StrEnum):
    """What happened to a segment."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


_OPS: Final = {-1: Op.REMOVED, 0: Op.SAME, 1: Op.ADDED}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text and what happened to it."""

    op: Op
    text: str


@dataclass(frozen=True, slots=True)
class TextDiff:
    """Segments in order; `cut` says that only the first `TEXT_MAX` characters of a side were compared."""

    segments: tuple[Segment, ...]
    cut: bool = False


def word_diff(before: str, after: str, *, seconds: float = SECONDS_MAX) -> TextDiff:
    """What was removed from `before` and added in `after`, in about `seconds` at most.

    Joining what is not added gives `before`, joining what is not removed gives `after` (each up to the cut).
    """
    cut = len(before) > TEXT_MAX or len(after) > TEXT_MAX
    old, new = before[:TEXT_MAX], after[:TEXT_MAX]
    if old == new:
        same = (Segment(Op.SAME, old),) if old else ()
        return TextDiff((*same, *_beyond(before, after)), cut)
    coded = _coded(old, new) if seconds > 0 else None
    whole = tuple(Segment(op, text) for op, text in ((Op.REMOVED, old), (Op.ADDED, new)) if text)
    return TextDiff(_compared(*coded, seconds) if coded else whole, cut)


def _beyond(before: str, after: str) -> tuple[Segment, ...]:
    """Equal up to the cut, different behind it: shown, because a difference that is not shown is the danger."""
    if before == after:
        return ()
    return (
        Segment(Op.REMOVED, f"[{len(before) - TEXT_MAX} characters that are not shown]"),
        Segment(Op.ADDED, f"[{len(after) - TEXT_MAX} characters that are not shown]"),
    )


def _coded(old: str, new: str) -> tuple[str, str, list[str]] | None:
    for grain in _GRAINS:
        words: dict[str, int] = {}
        first, second = ([words.setdefault(word, len(words)) for word in grain.findall(text)] for text in (old, new))
        if len(words) <= _CODES_MAX and _differing(first, second) <= TOKENS_MAX:
            return "".join(map(_code, first)), "".join(map(_code, second)), list(words)
    return None


def _differing(first: list[int], second: list[int]) -> int:
    """How many words of the longer side stand between what both begin and both end with."""
    start = _in_common(first, second)
    end = _in_common(first[start:][::-1], second[start:][::-1])
    return max(len(first), len(second)) - start - end


def _in_common(first: list[int], second: list[int]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(first), len(second)))


def _code(number: int) -> str:
    for codes in _CODES:
        if number < len(codes):
            return chr(codes[number])
        number -= len(codes)
    raise ValueError("more words than codes")


def _number(code: str) -> int:
    point, skipped = ord(code), 0
    for codes in _CODES:
        if point in codes:
            return skipped + point - codes.start
        skipped += len(codes)
    raise ValueError("not a code")


def _compared(old: str, new: str, words: list[str], seconds: float) -> tuple[Segment, ...]:
    engine = diff_match_patch()
    engine.Diff_Timeout = seconds
    found = engine.diff_main(old, new, False)  # no line mode
    engine.diff_cleanupSemantic(found)
    return tuple(Segment(_OPS[op], _decoded(codes, words)) for op, codes in found if codes)


def _decoded(codes: Iterable[str], words: list[str]) -> str:
    return "".join(words[_number(code)] for code in codes)
