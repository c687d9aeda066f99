"""A string as a model reads it: without disguise, and what is encoded or commented out in it besides. Pure module.

Unicode NFKC, letters that look like Latin ones (UTS 39), characters that nobody sees, ANSI escapes (ECMA-48), TAG
characters, HTML and Markdown comments, base64, hex and percent encodings, words spelled with gaps. Everything is
bounded, and each layer says where in the original it lies.
"""

import base64
import binascii
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, islice
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from tools.likeness import LATIN
from tools.visible import is_unseen

PLAIN: Final = "plain"
_SHORT: Final = 1_024  # characters that a string may grow to at least
LAYERS_MAX: Final = 24  # of one string
_DECODED_MAX: Final = 4_096  # characters of one decoded layer
_FLAGS: Final = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(char)) for char in name) + "\U000e007f"
    for name in ("gbeng", "gbsct", "gbwls")  # the only emoji written with TAG characters (Unicode TS51, annex B)
)
_ANSI: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,32}[ -/]{0,8}[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]"
)
_COMMENTS: Final = (("HTML comment", "<!--", "-->"), ("template comment", "{#", "#}"))
_MARKDOWN_COMMENT: Final = re.compile(r"\[(?://|comment|_)\]:\s?(?:#|<>)?\s?[(\"']?", re.IGNORECASE)
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,4096}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:(?:\\x|0x)?[0-9a-fA-F]{2}[ ,:]?){8,2048}(?![0-9A-Za-z])")
_HEX_LIKELY: Final = re.compile(r"[0-7][0-9a-fA-F](?:[ ,:]?(?:\\x|0x)?[0-7][0-9a-fA-F]){7}")  # ASCII, as text is
_PERCENT: Final = re.compile(r"(?:[A-Za-z0-9_.~+-]{0,16}%[0-9A-Fa-f]{2}){4,512}[A-Za-z0-9_.~+-]{0,64}")
_ESCAPES: Final = re.compile(r"(?:\\u00[0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{2,6};){6,512}")
_SPELLED: Final = re.compile(r"(?<![^\s\"'(<])(?:[A-Za-z0-9@$!][ .\-_*|]{1,3}){5,200}[A-Za-z0-9@$!](?![^\s\"').,!?>])")
_LEET: Final = str.maketrans("013457@$", "oieastas")
_NO_LETTERS: Final = str.maketrans("", "", "0123456789@$")
_WORD_MAX: Final = 64
_LEET_LIKELY: Final = re.compile(r"[013457@$](?<=[A-Za-z].)[A-Za-z]")
_LEETED: Final = re.compile(
    r"\b(?=[A-Za-z0-9@$]{3,24}\b)(?=[a-zA-Z0-9@$]{0,24}[a-zA-Z])[A-Za-z]{0,24}[013457@$][A-Za-z0-9@$]{0,24}\b"
)
_COMMAND: Final = re.compile(
    r"\b(?:curl|wget|rm|chmod|bash|sh|nc|python3?|powershell|sudo|ssh|cat|eval)\s|/bin/|/dev/tcp|https?://|/etc/|~/"
)
_NO_LEET: Final = re.compile(r"[A-Za-z]+[0-9]+|[0-9]+[A-Za-z]{1,2}|[0-9a-fA-F]+")
_WORDS: Final = re.compile(r"[A-Za-z]{2,}")
_TAG: Final = re.compile("[\U000e0000-\U000e007f]")
_TAG_TEXT: Final = re.compile("[\U000e0020-\U000e007e]+")
_UNTAGGED: Final = {0xE0000 + char: chr(char) for char in range(0x20, 0x7F)}
_WITHOUT_SHAPE: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Cn", "Co", "Cs", "Zl", "Zp"})
# Too short or too plain for any encoding: words in small letters, a name of a few parts.
_NOTHING_HIDDEN: Final = re.compile(r"[a-z]{2,19}(?: [a-z]{2,19})*\Z|(?=.{1,15}\Z)[a-z][a-z0-9]*(?:_[a-z0-9]+){0,3}\Z")
_VOWEL: Final = re.compile(r"[aeiouyAEIOUY]")


class Layer(Struct, frozen=True):
    """One way to read a string: the whole of it, or what one stretch of it (`start` to `end`) hides.

    `folded`: the string itself, where its plain reading may be longer or shorter.
    """

    kind: str
    text: str
    start: int
    end: int
    folded: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether it grew beyond what is read."""
        return len(self.text) >= max(_SHORT, 2 * len(self.folded)) and bool(self.folded)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original `text[start:end]` lies."""
        if self.kind != PLAIN:
            return self.start, self.end
        if not self.folded:
            return start, end
        last = min(end, len(self.text)) - 1
        if start > last:
            return self.start, self.end
        return _place(self.folded, start), _place(self.folded, last) + 1


def _place(text: str, at: int) -> int:
    """Where in `text` the character comes from that stands `at` in its plain reading."""
    ends = _ends(text)
    block = bisect_right(ends, at)
    left = at - (ends[block - 1] if block else 0)
    for place in range(block * _BLOCK, len(text)):
        left -= len(_FOLDED[text[place]])
        if left < 0:
            return place
    return len(text)


@lru_cache(maxsize=4)
def _ends(text: str) -> list[int]:
    """Where in the plain reading each block of `text` ends."""
    lengths = [*map(len, map(_FOLDED.__getitem__, text))]
    return [*accumulate(sum(lengths[at : at + _BLOCK]) for at in range(0, len(text), _BLOCK))]


def layers(text: str) -> tuple[Layer, ...]:
    """The plain reading of `text` first, then what is hidden in it; at most `LAYERS_MAX`."""
    plain = _plain(text)
    if _NOTHING_HIDDEN.match(text):
        return (plain,)
    return plain, *islice(_hidden(text, plain), LAYERS_MAX - 1)


def is_plain(text: str) -> bool:
    """Whether `text` is nothing but a few plain words in small letters, or a name made of such."""
    return _NOTHING_HIDDEN.match(text) is not None


def without_flags(text: str) -> str:
    """`text` without the three emoji that are made of TAG characters, which is their only honest use."""
    if _FLAGS[0][0] in text:
        for flag in _FLAGS:
            text = text.replace(flag, "")
    return text


def _plain(text: str) -> Layer:
    if text.isascii() and "\x1b" not in text:
        return Layer(PLAIN, text, 0, len(text))
    if "\x1b" in text or "\x9b" in text:
        text = _ANSI.sub(lambda match: " " * len(match[0]), text)  # as long as before, so that places hold
        if text.isascii():
            return Layer(PLAIN, text, 0, len(text))
    most = max(_SHORT, 2 * len(text))  # ligatures become up to eight letters
    return Layer(PLAIN, "".join(map(_FOLDED.__getitem__, text))[:most], 0, len(text), text)


class _Folded(dict[str, str]):
    """Characters without disguise; each is looked at once."""

    def __missing__(self, char: str) -> str:
        if len(self) >= _KEPT_MAX:
            self.clear()
        self[char] = found = char if char < "\x80" else folded_char(char)
        return found


_BLOCK: Final = 64
_KEPT_MAX: Final = 65_536
_FOLDED: Final = _Folded()


def folded_char(char: str) -> str:
    """A character without disguise: nothing for what is not seen, a Latin letter for what looks like one."""
    if "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3":
        return char  # what most text beyond Latin is made of: nothing to fold
    if char.isspace():
        return " "
    if unicodedata.category(char) in _WITHOUT_SHAPE or is_unseen(char):
        return ""
    compatible = unicodedata.normalize("NFKC", char)[:8]
    return _latin(char) if compatible == char else "".join(map(_latin, compatible))


def _latin(char: str) -> str:
    lower = char.lower()
    if len(lower) == 1 and ord(lower) in LATIN:
        latin = LATIN[ord(lower)]
        return latin.upper() if char != lower else latin
    return char


def _hidden(text: str, plain: Layer) -> Iterator[Layer]:
    if not text.isascii() and (first := _TAG.search(text)):
        tags = "".join(_TAG_TEXT.findall(without_flags(text)))[:_DECODED_MAX].translate(_UNTAGGED)
        if tags:
            yield Layer("TAG characters", tags, first.start(), len(text))
    seen = plain.text
    for kind, opening, closing in _COMMENTS:
        yield from _comments(plain, kind, opening, closing)
    if "]:" in seen:
        for match in _MARKDOWN_COMMENT.finditer(seen):
            end = _end(seen, "\n", match.end())
            yield Layer("Markdown comment", seen[match.end() : end], *plain.span(match.start(), end))
    yield from _decoded(plain)
    yield from _spelled(plain)


def _comments(plain: Layer, kind: str, opening: str, closing: str) -> Iterator[Layer]:
    start = plain.text.find(opening)
    while start >= 0:
        end = _end(plain.text, closing, start + len(opening))
        yield Layer(
            kind, plain.text[start + len(opening) : end], *plain.span(start, min(end + len(closing), len(plain.text)))
        )
        start = plain.text.find(opening, end)


def _end(text: str, closing: str, start: int) -> int:
    end = text.find(closing, start, start + _DECODED_MAX)
    return end if end >= 0 else min(len(text), start + _DECODED_MAX)


def _decoded(plain: Layer) -> Iterator[Layer]:
    seen = plain.text
    for match in _BASE64.finditer(seen):
        if (decoded := _from_base64(match[0])) is not None:
            yield _part("base64", plain, match, decoded)
    for match in _HEX.finditer(seen) if _HEX_LIKELY.search(seen) else ():
        if (decoded := _from_hex(match[0])) is not None:
            yield _part("hexadecimal", plain, match, decoded)
    if "%" in seen:
        for match in _PERCENT.finditer(seen):
            if _is_prose(decoded := unquote(match[0], errors="ignore").replace("+", " ")):
                yield _part("percent encoding", plain, match, decoded)
    if "\\u00" in seen or "&#" in seen:
        for match in _ESCAPES.finditer(seen):
            if _is_prose(decoded := _unescaped(match[0])):
                yield _part("character escapes", plain, match, decoded)


def _spelled(plain: Layer) -> Iterator[Layer]:
    for match in _SPELLED.finditer(plain.text):
        joined = re.sub(r"[ .\-_*|]{2,3}", " ", match[0])
        joined = (
            re.sub(r"(?<=\S)[ .\-_*|](?=\S)", "", joined)
            if " " not in joined or re.search(r"[ .\-_*|]{2,3}", match[0])
            else joined
        )
        word = re.sub(r"[ .\-_*|]", "", match[0])
        yield _part("letters with gaps", plain, match, f"{joined} ; {word.translate(_LEET)}")
    if not _LEET_LIKELY.search(plain.text):
        return
    leeted = [*islice((match for match in _LEETED.finditer(plain.text) if _is_leet(match[0])), 2)]
    if len(leeted) == 2:
        seen = plain.text[: _DECODED_MAX + _WORD_MAX]
        text = _LEETED.sub(lambda match: match[0].translate(_LEET) if _is_leet(match[0]) else match[0], seen)
        yield Layer("digits for letters", text[:_DECODED_MAX], *plain.span(leeted[0].start(), _end_of_leet(plain.text)))


def _end_of_leet(text: str, size: int = 1_024) -> int:
    """Where the last such word ends, of which there is one. Found from the end, between spaces."""
    begin = max(text.rfind(" ", 0, max(0, len(text) - size)), 0)
    ends = [match.end() for match in _LEETED.finditer(text, begin) if _is_leet(match[0])]
    return ends[-1] if ends else _end_of_leet(text, size * 4)


def _is_leet(word: str) -> bool:
    letters = len(word.translate(_NO_LETTERS))
    return letters >= 2 and letters * 3 >= len(word) and not _NO_LEET.fullmatch(word)


def _part(kind: str, plain: Layer, match: re.Match[str], text: str) -> Layer:
    return Layer(kind, text[:_DECODED_MAX], *plain.span(match.start(), match.end()))


def _from_base64(text: str) -> str | None:
    if text in (text.lower(), text.upper()):
        return None
    padded = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
        found = decoded.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return found if _is_prose(found) or _is_command(found) else None


def _from_hex(text: str) -> str | None:
    digits = re.sub(r"\\x|0x|[ ,:]", "", text)
    try:
        found = bytes.fromhex(digits).decode("ascii")
    except ValueError:
        return None
    return found if _is_prose(found) or _is_command(found) else None


def _is_command(text: str) -> bool:
    return text.isprintable() and _COMMAND.search(text) is not None


def _unescaped(text: str) -> str:
    points = re.findall(r"\\u([0-9a-fA-F]{4})|&#x([0-9a-fA-F]{2,6});|&#([0-9]{2,6});", text)
    return "".join(
        chr(min(int(hexed or other, 16) if hexed or other else int(plain), 0x10FFFF)) for hexed, other, plain in points
    )


def _is_prose(text: str) -> bool:
    """Printable, and mostly of words with vowels."""
    if len(text) < 8 or not text.replace("\n", " ").replace("\t", " ").isprintable():
        return False
    letters = sum(len(word) for word in _WORDS.findall(text) if _VOWEL.search(word))
    return letters * 10 >= len(text) * 6
