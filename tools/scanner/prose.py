"""The sentences of many texts in one row, and where in it each class of words stands, as bits. Pure module.

A set of places is one whole number with a bit a word, so that a step of a frame is taken in all sentences at once, at
the speed of an addition. Sentences stand so far apart that no step leads from one to the next.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import accumulate, chain, compress
from operator import itemgetter, or_
from typing import Final

from tools.scanner.clauses import (
    GAP,
    SENTENCE_MAX,
    Frame,
    Sentence,
    cut,
    phrases_at,
    pieces_of,
    shortened,
    stretch,
    windows,
)
from tools.scanner.lexicon import KNOWN, PHRASED, PHRASES

_APART: Final = 10  # places between two sentences: more than the farthest step that is counted
_MANY: Final = 2_000  # words; hardly any honest definition has as many
_ODD_MAX: Final = 1_200  # different words with capitals or signs in them; honest definitions have up to 430
_SENTENCES_MAX: Final = 1_500  # of one text; honest ones have up to 156
_WORD_MAX: Final = 80  # characters; what is shorter and has no space is one word, which is no act
_FILLER: Final = "0"
_BITS: Final = tuple(1 << at for at in range(8))
_words_of, _masks_of = itemgetter(0), itemgetter(1)


class Prose:
    """The sentences of `texts`. `owners[i]` is the number of the text that sentence `i` stands in."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.owners: list[int] = []
        self.is_cut = False
        self._unread: frozenset[str] = frozenset()
        self._texts: list[str] = []
        self._starts: list[int] = []
        for number, text in enumerate(texts):
            if len(text) > _WORD_MAX or len(text.split(None, 1)) > 1:
                whole, starts = self._few(*cut(text))
                self._texts += whole
                self._starts += starts
                self.owners += [number] * len(whole)
        chunks, self._counts = self._in_windows(shortened(f" {GAP} ".join((*self._texts, "")).split()))
        read = [*map(pieces_of, self._shortened(chunks))]
        words = [*map(_words_of, read)]
        self._words = [*chain.from_iterable(words)]
        self._masks = [*chain.from_iterable(map(_masks_of, read))]
        ends = [*accumulate(map(len, words), initial=0)]
        self._begins = [*map(ends.__getitem__, accumulate((count + 1 for count in self._counts), initial=0))]
        self.sets, self.inside = self._classed()

    def _few(self, whole: list[str], starts: list[int]) -> tuple[list[str], list[int]]:
        """Of very many sentences, those between the first and the last ones several at a time; `is_cut` says so."""
        if len(whole) <= _SENTENCES_MAX:
            return whole, starts
        self.is_cut = True
        third = _SENTENCES_MAX // 3
        last = len(whole) - third
        several = (last - third) // third + 1
        middle = range(third, last, several)
        joined = ["".join(whole[at : min(at + several, last)]) for at in middle]
        begins = [*starts[:third], *(starts[at] for at in middle), *starts[last:]]
        return [*whole[:third], *joined, *whole[last:]], begins

    def _shortened(self, chunks: list[str]) -> list[str]:
        """Of very many words, those that no rule knows are not looked at each; of those that may mean anything, some.

        Looking at what is made of signs and letters is dear. Of very much of it the beginning, the end and samples are
        read, which `is_cut` says.
        """
        if len(chunks) <= _MANY:
            return chunks
        apart = dict.fromkeys(chunks)
        plain = {word for word in apart if word.isalnum() and word.isascii() and (word.islower() or word.isdigit())}
        meaningless = dict.fromkeys(plain - KNOWN, _FILLER)
        odd = [word for word in apart if word not in plain]
        if len(odd) > _ODD_MAX:
            self.is_cut = True
            third = _ODD_MAX // 3
            middle = odd[third:-third]
            kept = {GAP, *odd[:third], *odd[-third:], *middle[:: len(middle) // third + 1]}
            self._unread = frozenset(odd).difference(kept)
            meaningless.update(dict.fromkeys(self._unread, _FILLER))
        return [*map(meaningless.get, chunks, chunks)]

    def _in_windows(self, chunks: list[str]) -> tuple[list[str], list[int]]:
        """All in sentences of a bearable length, and how many each has."""
        gaps: list[int] = []
        for _ in self._texts:
            gaps.append(chunks.index(GAP, gaps[-1] + 1 if gaps else 0))
        counts = [end - begin - 1 for begin, end in zip((-1, *gaps), gaps, strict=False)]
        self._windows: dict[int, tuple[int, int]] = {}
        if max(counts, default=0) <= SENTENCE_MAX:
            return chunks, counts
        texts: list[str] = []
        starts: list[int] = []
        owners: list[int] = []
        found: list[str] = []
        sizes: list[int] = []
        for number, (end, count) in enumerate(zip(gaps, counts, strict=True)):
            for first, last in windows(count):
                if count > SENTENCE_MAX:
                    self._windows[len(sizes)] = first, last
                texts.append(self._texts[number])
                starts.append(self._starts[number])
                owners.append(self.owners[number])
                found += [*chunks[end - count + first : end - count + last], GAP]
                sizes.append(last - first)
        self._texts, self._starts, self.owners = texts, starts, owners
        return found, sizes

    def _classed(self) -> tuple[dict[int, int], int]:
        """The places of each class, by its bit, and those of all words. Phrases count at the first word.

        Only sentences with two words and a class have places; `self._held` says which ones, and `self._from` where.
        """
        words, masks, begins, counts = self._words, self._masks, self._begins, self._counts
        places: dict[int, list[int]] = {}
        held: list[int] = []
        froms: list[int] = []
        ends: list[int] = []
        number, end, shift, free = -1, 0, 0, 0
        for at in compress(range(len(masks)), masks):
            if at >= end:
                number = bisect_right(begins, at, max(number, 0)) - 1
                begin, end = begins[number], begins[number + 1]
                if counts[number] > 1:
                    held.append(number)
                    froms.append(free)
                    shift = free - begin
                    free += end - begin - 1
                    ends.append(free)
                    free += _APART
            if counts[number] < 2:  # one word alone is no act
                continue
            mask = masks[at]
            if mask & PHRASED:
                if words[at + 1] in PHRASES[words[at]]:
                    mask |= phrases_at(words, at)
                mask = masks[at] = mask & ~PHRASED
            if mask in places:
                places[mask].append(at + shift)
            elif mask:
                places[mask] = [at + shift]
        sets: dict[int, int] = {}
        for mask, found in places.items():
            bits = bits_of(found)
            for each in single(mask):
                sets[each] = sets.get(each, 0) | bits
        self._held, self._from = held, froms
        return sets, bits_of(ends) - bits_of(froms)

    def masks(self, number: int) -> list[int]:
        """The classes of each word of a sentence."""
        return self._masks[self._begins[number] : self._begins[number + 1] - 1]

    def sentence(self, number: int) -> Sentence:
        """A sentence by itself."""
        masks, text, start = self.masks(number), self._texts[number], self._starts[number]
        words = self._words[self._begins[number] : self._begins[number + 1] - 1]
        if number in self._windows:
            begin, end = stretch(text, *self._windows[number])
            text, start = text[begin:end], start + begin
        return Sentence(text, start, words, masks, reduce(or_, masks, 0), self._unread)

    def having(self, classes: int) -> int:
        """The places of words of any of `classes`."""
        return reduce(or_, (self.sets.get(each, 0) for each in single(classes)), 0)

    def holding(self, bits: int) -> Iterator[int]:
        """The numbers of the sentences that any of the places is in."""
        data = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        last = -1
        for at in compress(range(len(data)), data):  # no byte holds places of two sentences
            number = self._held[bisect_right(self._from, 8 * at + (data[at] & -data[at]).bit_length() - 1) - 1]
            if number != last:
                yield number
                last = number


def bits_of(places: Sequence[int]) -> int:
    """A whole number with these bits."""
    data = bytearray((places[-1] >> 3) + 1 if places else 0)
    for at in places:
        data[at >> 3] |= _BITS[at & 7]
    return int.from_bytes(data, "little")


@lru_cache(maxsize=4096)
def single(mask: int) -> tuple[int, ...]:
    """The bits of a mask, each by itself."""
    found = []
    while mask:
        found.append(mask & -mask)
        mask &= mask - 1
    return tuple(found)


# --- frames -------------------------------------------------------------------------------------------------------
class _Branch:
    """What may come next: words of `classes` within `gap`, the frames that end there and what goes on from there."""

    def __init__(self, classes: int, also: int) -> None:
        self.classes = classes
        self.step = (classes, also)
        self.ends: list[int] = []
        self.next: dict[int, dict[tuple[int, int], _Branch]] = {}

    def then(self, classes: int, also: int, gap: int) -> "_Branch":
        return self.next.setdefault(gap, {}).setdefault((classes, also), _Branch(classes, also))


class Chains:
    """Which sentences a frame may be found in. It misses none; some that it names have its words in a knot only."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._root = _Branch(0, 0)
        for number, frame in enumerate(frames):
            branch = self._root
            for step in frame.steps:
                branch = branch.then(step.classes, step.also, step.gap if branch is not self._root else 0)
            branch.ends.append(number)

    def places(self, prose: Prose) -> Iterator[tuple[int, int]]:
        """Each frame by its number, and the places that it may end at."""
        sets = prose.sets
        present = sum(sets)
        inside = prose.inside if present else 0
        known: dict[tuple[int, int], int] = {}
        left = [(self._root, -1)] if present else []
        while left:
            branch, reached = left.pop()
            for gap, branches in branch.next.items():
                near = _within(reached, gap, inside) if gap else reached
                for step, child in branches.items():
                    if not child.classes & present:
                        continue
                    if step not in known:
                        known[step] = _of(step, sets)
                    here = near & known[step]
                    if here:
                        for number in child.ends:
                            yield number, here
                        left.append((child, here))


def _of(step: tuple[int, int], sets: Mapping[int, int]) -> int:
    classes, also = step
    found = 0
    for each in single(classes):
        found |= sets.get(each, 0)
    return found & sets.get(also, 0) if also else found


def _within(places: int, gap: int, inside: int) -> int:
    """The places that lie after one of `places` with at most `gap` words between."""
    if gap < _APART:
        reach, found = gap + 1, places
        have = 1
        while have < reach:
            by = min(have, reach - have)
            found |= found << by
            have += by
        return found << 1
    found, way, by = places, inside, 1
    while by <= gap:  # to the end of each sentence
        found |= way & (found << by)
        way &= way << by
        by *= 2
    return (found << 1) & inside
