"""A cheap first look at a text: whether the rules for answers can find anything in it at all. Pure module.

Most answers are honest, and every call waits for this. So the words of a text are looked up as a set, and only where
some order could be made of them are its sentences read; disguises are undone only where there is a sign of one. A look
never misses what reading all of it would find of an order in plain words; it may take for possible what is not there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tools.scanner.clauses import Frame
from tools.scanner.lexicon import CLASSES, FIRST, PHRASED, PHRASES
from tools.scanner.signs import Signs

WINDOW: Final = 2_048  # characters
# What is no part of a word, apostrophes aside, parts words; as bytes, because that is several times as fast.
_PARTED: Final = bytes(at if at >= 128 or chr(at).isalnum() or chr(at) in "#*'" else 32 for at in range(256))
_PLAIN: Final = re.compile(r"[a-z0-9#*]+(?:'[a-z]{1,3})?\Z")
# Classes of what is known by its shape: taken for present.
_BY_SHAPE: Final = sum(CLASSES[name] for name in ("url", "email", "phone", "account", "path", "identifier"))
_KNOWN_MAX: Final = 4_096
_RUN: Final = 24  # letters and digits in a row, which may be base64 or hexadecimal
_PERCENTS: Final = r"%[0-9A-Fa-f]{2}(?:[\s\S]*?%[0-9A-Fa-f]{2}){3}"
_UNSEEN_OR_MIXED: Final = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uff01-\uff5e\uffa0\ufff0-\ufffb\ue000-\uf8ff\U0001d400-\U0001d7ff\U000e0000-\U000e0fff]"
    "|[A-Za-z][\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\uab70-\uabbf]|[\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\uab70-\uabbf][A-Za-z]"
)
_HIDING: Final = Signs(
    ("<!--", "{#", "]:", "\\u00", "&#", "\\x", "\x1b", "\x9b"),
    patterns=(_PERCENTS, f"[A-Za-z0-9#*']{{{_RUN}}}", _UNSEEN_OR_MIXED),
)


def windows(text: str) -> Iterator[str]:
    """`text` in pieces that end where a line or a sentence does, if one does."""
    start = 0
    while len(text) - start > WINDOW:
        end = max(text.rfind("\n", start + WINDOW // 2, start + WINDOW), 0) + 1
        end = end if end > 1 else max(text.rfind(". ", start + WINDOW // 2, start + WINDOW), 0) + 1
        end = end if end > 1 else max(text.rfind(" ", start + WINDOW // 2, start + WINDOW), 0) + 1
        end = end if end > 1 else start + WINDOW
        yield text[start:end]
        start = end
    yield text[start:]


def words_of(lower: str) -> frozenset[bytes]:
    """The words of a text that is in small letters."""
    lower = lower if lower.isascii() else lower.replace("\u2019", "'")
    return frozenset(lower.encode("utf-8", "surrogatepass").translate(_PARTED).split())


def is_disguised(text: str, words: frozenset[bytes]) -> bool:
    """Whether something may be hidden in `text`: unseen, encoded, in a comment, or in letters of another script."""
    return _HIDING.are_in(text) or (not text.isascii() and max(map(len, words), default=0) >= _RUN)


class Glance:
    """Whether the words of a text suffice for any of `frames`."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = tuple({(frame.all, frame.needs): frame for frame in frames}.values())
        self._known: dict[int, bool] = {}  # whether classes suffice: most texts have one of a few sets of them
        wanted = 0
        for frame in self._frames:
            wanted |= frame.all | sum(frame.needs)
        self._masks: dict[bytes, int] = {}
        self._phrases: dict[bytes, list[tuple[frozenset[bytes], int]]] = {}
        odd: dict[str, int] = {}
        for word, mask in FIRST.items():
            if not _PLAIN.match(word):
                odd[word.lstrip("~/*").lower()] = mask & wanted
            elif mask & wanted:
                self._masks[word.encode()] = mask & wanted
            if mask & PHRASED:
                self._add_phrases(word, wanted)
        self._words = frozenset(self._masks) | frozenset(self._phrases)
        self._odd = tuple((word, mask) for word, mask in odd.items() if mask and not _is_within(word, mask, odd))
        self._any_odd = Signs(word for word, _ in self._odd)

    def _add_phrases(self, first: str, wanted: int) -> None:
        """Each under its longest word, which few texts have."""
        for second, phrases in PHRASES[first].items():
            for rest, classes in phrases:
                if classes & wanted:
                    words = [word.encode() for word in (first, second, *rest)]
                    self._phrases.setdefault(max(words, key=len), []).append((frozenset(words), classes & wanted))

    def can_say(self, lower: str, words: frozenset[bytes]) -> bool:
        """Never false where reading the sentences would find one, as long as nothing is disguised.

        `lower` is the text in small letters, and `words` are its words.
        """
        found = self._classes(lower, words)
        known = self._known.get(found)
        if known is None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            known = self._known[found] = any(frame.is_possible(found) for frame in self._frames)
        return known

    def _classes(self, lower: str, words: frozenset[bytes]) -> int:
        """Those of the words, and those of phrases all of whose words are there."""
        found, masks, phrases = _BY_SHAPE, self._masks, self._phrases
        for word in words & self._words:
            found |= masks.get(word, 0)
            if word in phrases:
                for rest, classes in phrases[word]:
                    if rest <= words:
                        found |= classes
        if self._any_odd.are_in(lower):  # few texts have one
            for spelled, classes in self._odd:
                if spelled in lower:
                    found |= classes
        return found


def _is_within(word: str, mask: int, odd: Mapping[str, int]) -> bool:
    """Whether another word, which this one holds, says as much."""
    return any(other != word and other in word and odd[other] & mask == mask for other in odd if other)
