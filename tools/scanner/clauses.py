"""Text as sentences of classed words, in which rules look for acts. Pure module; linear in the length of the text."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import accumulate, chain, compress, count
from operator import add, or_
from typing import Final

from tools.scanner.lexicon import BASE, CLASSES, FIRST, PHRASED, PHRASES, shape

SENTENCE_MAX: Final = 160  # words; more are cut, with an overlap
_OVERLAP: Final = 30
_CHUNK_MAX: Final = 200  # characters of one word; what is longer is several
_CHUNKS: Final = re.compile(rf"\S{{1,{_CHUNK_MAX}}}(?!\S)|\S{{1,{_CHUNK_MAX - 1}}}[^\w#\s]|\S{{1,{_CHUNK_MAX}}}")
_SPACES: Final = {number: " " for number in range(0x3001) if chr(number).isspace()}
_PIECES: Final = re.compile(r"[A-Za-z0-9#*]+(?:['\u2019][A-Za-z]{1,3})?")
_ODD: Final = re.compile(r"[/\\@:~_$.+{}=]|[a-z][A-Z]")
_CAMEL: Final = re.compile(r"[a-z][A-Z]")
_SHAPELESS: Final = 12  # characters; only what is longer may be an account by its letters and digits
_STRIPPED: Final = "\"'`()[]<>,;:!?.*|\u201c\u201d\u2018\u2019\u2014\u2013"
_OPENING: Final = "\"'`([<,;:!|\u201c\u2018\u2014\u2013"
# A full stop, or something that begins anew without one: an empty line, an item of a list, a heading, `Args:`.
# After an abbreviation, a full stop ends nothing. One set of characters stands first: that is what is searched fast.
_BOUNDARY: Final = re.compile(
    r"([.!?;\n](?:(?<!\n)(?<!(?i:e\.g)\.)(?<!(?i:i\.e)\.)(?<!(?i:etc)\.)(?<!(?i: vs)\.)(?<!(?i: no)\.)(?<!(?i:rox)\.)"
    r"[\"')\]*]{0,3}(?=\s)"
    r"|(?<=\n)[ \t\r]{0,40}\n\s*|(?<=\n)[ \t]{0,40}(?=[-*\u2022#>\"{}\[\]]|\d{1,2}[.)]|[A-Za-z][\w ]{0,30}:)))"
)


@dataclass(frozen=True)
class Sentence:
    """Words in a row, the classes of each as bits, and all classes together. `text` begins at `start` in the layer.

    `unread`: what counts as one word although it may be several.
    """

    text: str
    start: int
    words: Sequence[str]
    masks: Sequence[int]
    classes: int
    unread: AbstractSet[str] = frozenset()

    @cached_property
    def spans(self) -> Sequence[tuple[int, int]]:
        """Where each word lies in the layer's text. Found when asked for: few sentences are."""
        placed = zip(chunks_of(self.text), begins_of(self.text), strict=True)
        unread, start = self.unread, self.start
        return [
            (start + at + begin, start + at + end)
            for chunk, at in placed
            for begin, end in (((0, len(chunk)),) if chunk in unread else _spans_of(chunk))
        ]


def cut(text: str) -> tuple[list[str], list[int]]:
    """The sentences of `text` as they are written, and where each begins."""
    found = _BOUNDARY.split(text)
    if len(found) == 1:
        return found, [0]
    whole = [*map(add, found[::2], chain(found[1::2], ("",)))]
    return whole, [*accumulate(map(len, whole[:-1]), initial=0)]


def chunks_of(text: str) -> list[str]:
    """What stands between spaces."""
    return shortened(text.split())


def shortened(chunks: list[str]) -> list[str]:
    """The same with what is very long in several pieces."""
    if max(map(len, chunks), default=0) <= _CHUNK_MAX:
        return chunks
    pieces = ((chunk,) if len(chunk) <= _CHUNK_MAX else _CHUNKS.findall(chunk) for chunk in chunks)
    return [*chain.from_iterable(pieces)]


def windows(count: int) -> list[tuple[int, int]]:
    """A sentence of so many words as pieces of a bearable length, each by its first word and the one after its last."""
    if count <= SENTENCE_MAX:
        return [(0, count)]
    return [(at, min(at + SENTENCE_MAX, count)) for at in range(0, count, SENTENCE_MAX - _OVERLAP)]


def stretch(text: str, first: int, last: int) -> tuple[int, int]:
    """Where in a sentence the words of a window lie."""
    begins = begins_of(text)
    return begins[first], begins[last] if last < len(begins) else len(text)


@lru_cache(maxsize=4)
def begins_of(text: str) -> Sequence[int]:
    """Where each of `chunks_of(text)` begins."""
    pieces = text.translate(_SPACES).split(" ")
    if max(map(len, pieces)) <= _CHUNK_MAX:
        return [*compress(map(add, accumulate(map(len, pieces), initial=0), count()), pieces)]
    found, at = [], 0
    for chunk in chunks_of(text):
        at = text.find(chunk, at)
        found.append(at)
        at += len(chunk)
    return found


def sentences(text: str) -> list[Sentence]:
    """All sentences of `text` that have two words at least: one word alone is no act."""
    found: list[Sentence] = []
    for part, start in zip(*cut(text), strict=True):
        chunks = chunks_of(part)
        if 1 < len(chunks) <= SENTENCE_MAX:
            found.append(_sentence(part, start, chunks))
        elif len(chunks) > 1:
            for first, last in windows(len(chunks)):
                begin, end = stretch(part, first, last)
                found.append(_sentence(part[begin:end], start + begin, chunks[first:last]))
    return found


GAP: Final = chr(0xDFFF)  # a word that stands between two sentences; no text that is read has lone surrogates
Pieces = tuple[tuple[str, ...], tuple[int, ...]]  # words, their classes


def _sentence(text: str, start: int, chunks: Sequence[str]) -> Sentence:
    """Its words with their classes, those of phrases too; a phrase counts at its first word."""
    pieces = [pieces_of(chunk) for chunk in chunks]
    words = [word for piece in pieces for word in piece[0]]
    masks = [mask for piece in pieces for mask in piece[1]]
    classes = reduce(or_, masks, 0)
    if classes & PHRASED:
        for at, mask in enumerate(masks):
            if mask & PHRASED:
                masks[at] = (mask | phrases_at(words, at)) & ~PHRASED
        classes = reduce(or_, masks, 0)
    return Sentence(text, start, words, masks, classes)


@lru_cache(maxsize=32_768)
def pieces_of(chunk: str) -> Pieces:
    """The words of what stands between two spaces."""
    lower = chunk.lower()
    if chunk.isascii():
        if chunk.isalnum() and (chunk == lower or not _CAMEL.search(chunk)):
            return (lower,), (FIRST.get(lower, 0),)
        bare = chunk.rstrip(_STRIPPED).lstrip(_OPENING)
        if bare.isalnum() and bare == bare.lower() and len(bare) <= _SHAPELESS and "*" not in chunk:
            return (bare,), (FIRST.get(bare, 0),)  # nothing but marks around it
    else:
        if chunk == GAP:
            return ("",), (0,)
        bare = chunk.rstrip(_STRIPPED).lstrip(_OPENING)
    classes, odd = _odd(chunk, bare)
    words = [odd] if odd else []
    masks = [classes | FIRST.get(odd, 0)] if odd else []
    if not odd or classes == CLASSES["identifier"]:
        for piece in _PIECES.findall(chunk.replace("_", " ")):
            word = piece.lower().replace("\u2019", "'")
            words.append(word)
            masks.append(FIRST.get(word, 0))
    return tuple(words), tuple(masks)


def _odd(chunk: str, bare: str) -> tuple[int, str]:
    """What a chunk is by its shape, and itself as a word if it is anything as such."""
    if not _ODD.search(chunk):
        return 0, ""
    classes, lower = shape(bare), bare.lower()
    return (classes, lower) if classes or lower in FIRST else (0, "")


@lru_cache(maxsize=4096)
def _spans_of(chunk: str) -> tuple[tuple[int, int], ...]:
    """Where its words lie in it."""
    bare = chunk.rstrip(_STRIPPED).lstrip(_OPENING)
    if len(bare) <= _SHAPELESS and bare.isascii() and bare.isalnum() and bare.islower() and "*" not in chunk:
        at = chunk.find(bare)
        return ((at, at + len(bare)),)
    classes, odd = _odd(chunk, bare)
    at = chunk.find(bare)
    spans = [(at, at + len(bare))] if odd else []
    if not odd or classes == CLASSES["identifier"]:
        spans += [piece.span() for piece in _PIECES.finditer(chunk.replace("_", " "))]
    return tuple(spans)


def phrases_at(words: Sequence[str], at: int) -> int:
    """The classes of the phrases that begin with the word there."""
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
        found = self.match(sentence.masks)
        return None if found is None else (sentence.spans[found[0]][0], sentence.spans[found[1]][1])

    def match(self, masks: Sequence[int]) -> tuple[int, int] | None:
        """The same in words: which is the first one and which the last one."""
        first = self.steps[0]
        tries = 0
        for at, mask in enumerate(masks):
            if mask & first.classes and mask & first.also == first.also:
                end = self._rest(masks, at)
                tries += 1
                if end is not None:
                    return at, end
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
