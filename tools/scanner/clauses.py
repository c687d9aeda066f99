"""Text as sentences of classed words, in which rules look for acts. Pure module; linear in the length of the text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from functools import lru_cache

from tools.scanner.lexicon import BASE, CLASSES, FIRST, PHRASED, PHRASES, shape

SENTENCE_MAX: Final = 160  # words; more are cut, with an overlap
_OVERLAP: Final = 30
_CHUNK_MAX: Final = 200  # characters of one word
_CHUNKS: Final = re.compile(r"\S+")
_PIECES: Final = re.compile(r"[A-Za-z0-9#*]+(?:['\u2019][A-Za-z]{1,3})?")
_ODD: Final = re.compile(r"[/\\@:~_$.+{}=]|[a-z][A-Z]")
_STRIPPED: Final = "\"'`()[]<>,;:!?.*|\u201c\u201d\u2018\u2019\u2014\u2013"
_BREAK: Final = re.compile(r"\n\s*\n|\n\s*(?:[-*\u2022#>]|\d{1,2}[.)]|[A-Za-z][\w ]{0,30}:)")
_TAG: Final = re.compile(r"</?\s?([A-Za-z][\w-]{0,30})\s?/?>|\[/?([A-Z][A-Z _:-]{2,40})\]|[|]{2,3}([A-Z_ ]{3,30})[|]{2,3}")
_ABBREVIATIONS: Final = frozenset({"e.g.", "i.e.", "etc.", "vs.", "no.", "approx."})
_ENDS: Final = re.compile(r"[.!?;][\"')\]*]*$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words in a row: their texts, the classes of each as bits, where they lie, and all classes together."""

    words: Sequence[str]
    masks: Sequence[int]
    spans: Sequence[tuple[int, int]]
    classes: int
    index: int

    @property
    def start(self) -> int:
        """Where it begins in the layer's text."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.spans[-1][1]


Piece = tuple[str, int, int, int]  # a word, its classes, and where it lies in its chunk


def sentences(text: str) -> list[Sentence]:
    """All sentences of `text`."""
    found: list[Sentence] = []
    words: list[str] = []
    masks: list[int] = []
    spans: list[tuple[int, int]] = []
    breaks = _breaks(text)
    following = next(breaks, len(text) + 1)
    for match in _CHUNKS.finditer(text):
        start = match.start()
        if start >= following and words:
            found.append(_sentence(words, masks, spans, len(found)))
            words, masks, spans = [], [], []
        while start >= following:
            following = next(breaks, len(text) + 1)
        pieces, ends = _pieces(match[0][:_CHUNK_MAX])
        for word, mask, begin, end in pieces:
            words.append(word)
            masks.append(mask)
            spans.append((start + begin, start + end))
        if words and (ends or len(words) >= SENTENCE_MAX):
            found.append(_sentence(words, masks, spans, len(found)))
            keep = 0 if ends else _OVERLAP
            words, masks, spans = words[len(words) - keep :], masks[len(masks) - keep :], spans[len(spans) - keep :]
    if words:
        found.append(_sentence(words, masks, spans, len(found)))
    return found


def _breaks(text: str) -> Iterator[int]:
    """Where something begins anew without a full stop before."""
    if "\n" in text:
        yield from (match.start() + 1 for match in _BREAK.finditer(text))


@lru_cache(maxsize=32_768)
def _pieces(chunk: str) -> tuple[tuple[Piece, ...], bool]:
    """The words of what stands between two spaces, and whether a sentence ends there."""
    if chunk.isalpha() and chunk.isascii() and not _ODD.search(chunk):
        word = chunk.lower()
        return ((word, FIRST.get(word, 0), 0, len(word)),), False
    ends = _ENDS.search(chunk[-4:]) is not None and chunk.lower() not in _ABBREVIATIONS
    if not _ODD.search(chunk):
        return tuple(_plain(chunk)), ends
    bare = chunk.strip(_STRIPPED)
    classes, lower = shape(bare), bare.lower()
    pieces: list[Piece] = []
    if classes or lower in FIRST:
        at = chunk.find(bare)
        pieces.append((lower, classes | FIRST.get(lower, 0), at, at + len(bare)))
    if not pieces or not classes & ~CLASSES["identifier"]:
        pieces.extend(_plain(chunk.replace("_", " ")))
    return tuple(pieces), ends


def _plain(chunk: str) -> Iterator[Piece]:
    for piece in _PIECES.finditer(chunk):
        word = piece[0].lower().replace("\u2019", "'")
        yield word, FIRST.get(word, 0), piece.start(), piece.end()


def _sentence(words: list[str], masks: list[int], spans: list[tuple[int, int]], index: int) -> Sentence:
    """The words with the classes of phrases too; a phrase counts at its first word."""
    together = 0
    for at, mask in enumerate(masks):
        if mask & PHRASED:
            mask = masks[at] = (mask | _phrases(words, at)) & ~PHRASED
        together |= mask
    return Sentence(words, masks, spans, together, index)


def _phrases(words: Sequence[str], at: int) -> int:
    mask = 0
    if at + 1 < len(words):
        for rest, classes in PHRASES[words[at]].get(words[at + 1], ()):
            if words[at + 2 : at + 2 + len(rest)] == rest:
                mask |= classes
    return mask


# --- frames -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Step:
    """One word of a frame: any of `classes`, with all of `also`, at most `gap` words after the one before."""

    classes: int
    also: int
    gap: int


@dataclass(frozen=True, slots=True)
class Frame:
    """Words in order. Written as `before call .. read! .. secret`: `a|b` either, `!` in the form of an order, `.` up
    to four words between, `..` up to eight, `...` anywhere later in the sentence; two between where nothing is said."""

    steps: tuple[Step, ...]
    all: int  # classes that the sentence must have
    needs: tuple[int, ...]  # of each of these at least one

    def find(self, sentence: Sentence) -> tuple[int, int] | None:
        """Where the first match begins and ends, or None."""
        if any(not sentence.classes & need for need in self.needs):
            return None
        masks = sentence.masks
        first = self.steps[0]
        for at, mask in enumerate(masks):
            if mask & first.classes and mask & first.also == first.also:
                end = self._rest(masks, at)
                if end is not None:
                    return sentence.spans[at][0], sentence.spans[end][1]
        return None

    def _rest(self, masks: Sequence[int], at: int) -> int | None:
        """The nearest words that go on from `at`. Each step takes the nearest, so that time stays linear."""
        for step in self.steps[1:]:
            for later in range(at + 1, min(len(masks), at + 2 + step.gap)):
                classes = masks[later]
                if classes & step.classes and classes & step.also == step.also:
                    at = later
                    break
            else:
                return None
        return at


_GAPS: Final = {".": 4, "..": 8, "...": SENTENCE_MAX}


def frame(text: str) -> Frame:
    """Parse one frame."""
    steps: list[Step] = []
    gap = 2
    for part in text.split():
        if part in _GAPS:
            gap = _GAPS[part]
            continue
        also = CLASSES[BASE] if part.endswith("!") else 0
        mask = 0
        for name in part.replace("!", "").split("|"):
            mask |= CLASSES[name]
        steps.append(Step(mask, also, gap))
        gap = 2
    single = sum({step.classes for step in steps if step.classes.bit_count() == 1})
    return Frame(tuple(steps), single, tuple(step.classes for step in steps if step.classes.bit_count() > 1))
