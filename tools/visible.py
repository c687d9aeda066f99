"""Upstream text as runs that a page can show: plain text, and labelled chips for what would not be seen.

A hostile server hides words from a reviewer with characters that have no glyph, that turn the reading
direction, or that look like others (Unicode TR36 and TR39; TR9 for direction). Everything that comes out of
here can be encoded as UTF-8. Pure module; escaping for HTML is the template's.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final

_PLAIN: Final = re.compile(r"[\x20-\x7e\n\t]*")
_WORD: Final = re.compile(r"[^\W\d_]{2,100}")
_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Letters, marks and symbols that have no glyph of their own although their category says otherwise.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f")
_NAMES: Final = {
    0x00: "NUL", 0x08: "BS", 0x0B: "VT", 0x0C: "FF", 0x0D: "CR", 0x1B: "ESC", 0x7F: "DEL", 0x85: "NEL",
    0xA0: "NBSP", 0xAD: "SHY", 0x61C: "ALM", 0x200B: "ZWSP", 0x200C: "ZWNJ", 0x200D: "ZWJ", 0x200E: "LRM",
    0x200F: "RLM", 0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO", 0x2060: "WJ",
    0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xFEFF: "BOM",
}  # fmt: skip
_SCRIPTS: Final = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN"})
_NOTES_MAX: Final = 20
RUNS_MAX: Final = 2_000  # of one text; each is an element of a page


@dataclass(frozen=True, slots=True)
class Run:
    """Plain text as it is, or a chip: `text` is then its label and `title` says what it stands for."""

    text: str
    chip: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class MixedWord:
    """A word whose letters come from scripts that look alike."""

    word: str
    scripts: tuple[str, ...]


_FROM_HERE: Final = Run("ESCAPES", chip=True, title="Too many unseen characters to label; escapes from here on")


def runs(text: str, *, most: int = RUNS_MAX) -> tuple[Run, ...]:
    """`text` split into runs; joining the plain ones leaves out exactly what has no glyph.

    Beyond `most` runs the rest is one run in which whatever has no glyph, and the backslash, is an escape.
    """
    found: list[Run] = []
    for run, start in _runs(text):
        if len(found) >= most:
            return (*found, _FROM_HERE, Run("".join(map(_escaped, text[start:]))))
        found.append(run)
    return tuple(found)


def unseen(text: str) -> tuple[str, ...]:
    """The characters of `text` that a reader would not see, in order; joiners inside emoji are ordinary."""
    if _PLAIN.fullmatch(text):
        return ()
    return tuple(char for index, char in enumerate(text) if is_unseen(char) and not _in_emoji(text, index))


def hidden_ascii(text: str) -> str:
    """What the characters of the TAG block in `text` (U+E0000 to U+E007F) spell in ASCII."""
    return "".join(chr(ord(char) - 0xE0000) for char in text if 0xE0020 <= ord(char) <= 0xE007E)


def mixed_words(text: str) -> tuple[MixedWord, ...]:
    """Words such as `paypal` with a Cyrillic `a`; the first 20."""
    if text.isascii():
        return ()
    found: list[MixedWord] = []
    for word in dict.fromkeys(_WORD.findall(text)):
        scripts = () if word.isascii() else tuple(sorted({_script(char) for char in word} & _SCRIPTS))
        if len(scripts) > 1:
            found.append(MixedWord(word, scripts))
        if len(found) == _NOTES_MAX:
            break
    return tuple(found)


def _runs(text: str) -> Iterator[tuple[Run, int]]:
    """Each run and where it begins."""
    plain = _PLAIN.match(text)
    if plain and plain.end() == len(text):
        if text:
            yield Run(text), 0
        return
    start = 0
    for sort, group in groupby(text, key=_sort):
        part = "".join(group)
        if sort == "plain":
            yield Run(part), start
        elif sort == "tag":
            title = "Unicode TAG characters, which models can read"
            yield Run(f"TAG “{hidden_ascii(part)}”", chip=True, title=title), start
        else:
            yield from ((Run(_label(char), chip=True, title=_title(char)), start + n) for n, char in enumerate(part))
        start += len(part)


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    return f"\\u{{{ord(char):x}}}" if is_unseen(char) else char


def _sort(char: str) -> str:
    if 0xE0000 <= ord(char) <= 0xE007F:
        return "tag"
    return "chip" if is_unseen(char) else "plain"


@lru_cache(maxsize=4096)
def is_unseen(char: str) -> bool:
    """Whether a reader would not see this character, wherever it stands."""
    if char in " \n\t":
        return False
    category = unicodedata.category(char)
    return category in _UNSEEN_CATEGORIES or category == "Zs" or char in _UNSEEN or _is_variation_selector(char)


def _is_variation_selector(char: str) -> bool:
    return 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF


def _in_emoji(text: str, index: int) -> bool:
    """A zero width joiner or one variation selector after a symbol is how emoji are written."""
    before = text[index - 1] if index else ""
    if text[index] == "\ufe0f":
        return bool(before) and (unicodedata.category(before) in ("So", "Sm", "Sk", "Po") or before.isdigit())
    joins = text[index] == "\u200d" and bool(before) and index + 1 < len(text)
    return (
        joins
        and (before == "\ufe0f" or unicodedata.category(before) in ("So", "Sk"))
        and (unicodedata.category(text[index + 1]) == "So")
    )


def _label(char: str) -> str:
    point = ord(char)
    if 0xFE00 <= point <= 0xFE0F:
        return f"VS{point - 0xFE00 + 1}"
    return _NAMES.get(point, f"U+{point:04X}")


def _title(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, 'no name')}"


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]
