"""Text as sentences of classed words, in which rules look for acts. Pure module; linear in the length of the text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from operator import or_
from typing import Final

from tools.scanner.lexicon import BASE, CLASSES, FIRST, PHRASED, PHRASES, shape

SENTENCE_MAX: Final = 160  # words; more are cut, with an overlap
_OVERLAP: Final = 30
_CHUNK_MAX: Final = 200  # characters of one word
_CHUNKS: Final = re.compile(r"\S+")
_PIECES: Final = re.compile(r"[A-Za-z0-9#*]+(?:['\u2019][A-Za-z]{1,3})?")
_ODD: Final = re.compile(r"[/\\@:~_$.+{}=]|[a-z][A-Z]")
_STRIPPED: Final = "\"'`()[]<>,;:!?.*|\u201c\u201d\u2018\u2019\u2014\u2013"
_OPENING: Final = "\"'`([<,;:!|\u201c\u2018\u2014\u2013"
# A full stop, or something that begins anew without one: an empty line, an item of a list, a heading, `Args:`.
_BOUNDARY: Final = re.compile(
    r"[.!?;][\"')\]*]{0,3}(?=\s)|\n[ \t\r]{0,40}\n"
    r"|\n[ \t]{0,40}(?=[-*\u2022#>\"{}\[\]]|\d{1,2}[.)]|[A-Za-z][\w ]{0,30}:)"
)
_ABBREVIATIONS: Final = frozenset({"e.g", "i.e", "etc", " vs", " no", "rox"})


@dataclass(frozen=True)
class Sentence:
    """Words in a row, the classes of each as bits, and all classes together. `text` begins at `start` in the layer."""

    text: str
    start: int
    words: Sequence[str]
    masks: Sequence[int]
    classes: int

    @cached_property
    def spans(self) -> Sequence[tuple[int, int]]:
        """Where each word lies in the layer's text. Found when asked for: few sentences are."""
        found: list[tuple[int, int]] = []
        for match in _CHUNKS.finditer(self.text):
            at = self.start + match.start()
            found.extend((at + begin, at + end) for begin, end in _pieces(match[0][:_CHUNK_MAX])[2])
        return found


def sentences(text: str) -> list[Sentence]:
    """All sentences of `text`."""
    found: list[Sentence] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match[0][0] == "." and text[max(0, match.start() - 3) : match.start()].lower() in _ABBREVIATIONS:
            continue
        found.extend(_sentences(text[start : match.end()], start))
        start = match.end()
    found.extend(_sentences(text[start:], start))
    return found


Pieces = tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[int, int], ...]]  # words, their classes, where they lie


def _sentences(text: str, start: int) -> Iterator[Sentence]:
    """One sentence, or several of what is too long for one."""
    chunks = text.split()
    if len(chunks) <= SENTENCE_MAX:
        if len(chunks) > 1:  # one word alone is no act
            yield _sentence(text, start, chunks)
        return
    begins = [match.start() for match in _CHUNKS.finditer(text)]
    for first in range(0, len(chunks), SENTENCE_MAX - _OVERLAP):
        last = min(first + SENTENCE_MAX, len(chunks))
        end = begins[last] if last < len(begins) else len(text)
        yield _sentence(text[begins[first] : end], start + begins[first], chunks[first:last])


def _sentence(text: str, start: int, chunks: Sequence[str]) -> Sentence:
    """The words of `chunks` with their classes, those of phrases too; a phrase counts at its first word."""
    pieces = [_pieces(chunk if len(chunk) <= _CHUNK_MAX else chunk[:_CHUNK_MAX]) for chunk in chunks]
    words = [word for piece in pieces for word in piece[0]]
    masks = [mask for piece in pieces for mask in piece[1]]
    classes = reduce(or_, masks, 0)
    if classes & PHRASED:
        for at, mask in enumerate(masks):
            if mask & PHRASED:
                masks[at] = (mask | _phrases(words, at)) & ~PHRASED
        classes = reduce(or_, masks, 0)
    return Sentence(text, start, words, masks, classes)


@lru_cache(maxsize=32_768)
def _pieces(chunk: str) -> Pieces:
    """The words of what stands between two spaces."""
    if chunk.isascii() and chunk.isalpha() and (chunk.islower() or not _ODD.search(chunk)):
        word = chunk.lower()
        return (word,), (FIRST.get(word, 0),), ((0, len(word)),)
    found: list[tuple[str, int, tuple[int, int]]] = []
    classes = 0
    if _ODD.search(chunk):
        bare = chunk.rstrip(_STRIPPED).lstrip(_OPENING)
        classes, lower = shape(bare), bare.lower()
        if classes or lower in FIRST:
            at = chunk.find(bare)
            found.append((lower, classes | FIRST.get(lower, 0), (at, at + len(bare))))
    if not found or classes == CLASSES["identifier"]:
        for piece in _PIECES.finditer(chunk.replace("_", " ")):
            word = piece[0].lower().replace("\u2019", "'")
            found.append((word, FIRST.get(word, 0), piece.span()))
    words, masks, spans = zip(*found, strict=True) if found else ((), (), ())
    return words, masks, spans


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
    """Words in order, written as `before call .. read! .. secret`.

    `a|b`: either; `!`: in the form of an order; `.`: up to four words between, `..` up to eight, `...` any number in
    the sentence, and two where nothing is said.
    """

    steps: tuple[Step, ...]
    all: int  # classes that the sentence must have
    needs: tuple[int, ...]  # of each of these at least one

    def is_possible(self, classes: int) -> bool:
        """Whether words of these classes together could make it."""
        return classes & self.all == self.all and all(classes & need for need in self.needs)

    def find(self, sentence: Sentence) -> tuple[int, int] | None:
        """Where the first match begins and ends, or None."""
        if not self.is_possible(sentence.classes):
            return None
        masks = sentence.masks
        first = self.steps[0]
        tries = 0
        for at, mask in enumerate(masks):
            if mask & first.classes and mask & first.also == first.also:
                end = self._rest(masks, at)
                tries += 1
                if end is not None:
                    spans = sentence.spans
                    return spans[at][0], spans[end][1]
                if tries == _TRIES_MAX:
                    break
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


_TRIES_MAX: Final = 12  # beginnings of one frame in one sentence
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
