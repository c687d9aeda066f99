"""A string as a model reads it: without disguise, and what is encoded or commented out in it besides. Pure module.

Unicode NFKC, letters that look like Latin ones (UTS 39), characters that nobody sees, ANSI escapes (ECMA-48), TAG
characters, HTML and Markdown comments, base64, hex and percent encodings, words spelled with gaps. Everything is
bounded, and each layer says where in the original it lies.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from tools.likeness import LATIN
from tools.visible import hidden_ascii, unseen

PLAIN: Final = "plain"
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
_PERCENT: Final = re.compile(r"(?:[A-Za-z0-9_.~+-]{0,16}%[0-9A-Fa-f]{2}){4,512}[A-Za-z0-9_.~+-]{0,64}")
_ESCAPES: Final = re.compile(r"(?:\\u00[0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{2,6};){6,512}")
_SPELLED: Final = re.compile(r"(?<![^\s\"'(<])(?:[A-Za-z0-9@$!][ .\-_*|]{1,3}){5,200}[A-Za-z0-9@$!](?![^\s\"').,!?>])")
_LEET: Final = str.maketrans("013457@$", "oieastas")
_LEET_LIKELY: Final = re.compile(r"[A-Za-z][013457@$][A-Za-z]")
_LEETED: Final = re.compile(
    r"\b(?=[A-Za-z0-9@$]{3,24}\b)(?=[a-zA-Z0-9@$]{0,24}[a-zA-Z])[A-Za-z]{0,24}[013457@$][A-Za-z0-9@$]{0,24}\b"
)
_COMMAND: Final = re.compile(
    r"\b(?:curl|wget|rm|chmod|bash|sh|nc|python3?|powershell|sudo|ssh|cat|eval)\s|/bin/|/dev/tcp|https?://|/etc/|~/"
)
_NO_LEET: Final = re.compile(r"[A-Za-z]+[0-9]+|[0-9]+[A-Za-z]{1,2}|[0-9a-fA-F]+")
_WORDS: Final = re.compile(r"[A-Za-z]{2,}")
_VOWEL: Final = re.compile(r"[aeiouyAEIOUY]")


@dataclass(frozen=True, slots=True)
class Layer:
    """One way to read a string. `places[i]` is where in the original character `i` of `text` comes from.

    Without `places` either the whole is one stretch of the original (`start` to `end`), or it is the original.
    """

    kind: str
    text: str
    start: int
    end: int
    places: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original `text[start:end]` lies."""
        if self.kind != PLAIN:
            return self.start, self.end
        if self.places is None:
            return start, end
        last = min(end, len(self.places)) - 1
        return (self.places[start], self.places[last] + 1) if start <= last else (self.start, self.end)


def layers(text: str) -> tuple[Layer, ...]:
    """The plain reading of `text` first, then what is hidden in it; at most `LAYERS_MAX`."""
    plain = _plain(text)
    found = [plain]
    for layer in _hidden(text, plain):
        found.append(layer)
        if len(found) == LAYERS_MAX:
            break
    return tuple(found)


def without_flags(text: str) -> str:
    """`text` without the three emoji that are made of TAG characters, which is their only honest use."""
    for flag in _FLAGS:
        text = text.replace(flag, "")
    return text


def _plain(text: str) -> Layer:
    if text.isascii() and "\x1b" not in text:
        return Layer(PLAIN, text, 0, len(text))
    if "\x1b" in text or "\x9b" in text:
        text = _ANSI.sub(lambda match: " " * len(match[0]), text)  # as long as before, so that places hold
    folded = [char if char < "\x80" else folded_char(char) for char in text]
    if all(len(piece) == 1 for piece in folded):
        return Layer(PLAIN, "".join(folded), 0, len(text))
    places = [at for at, piece in enumerate(folded) for _ in piece]
    return Layer(PLAIN, "".join(folded), 0, len(text), places)


@lru_cache(maxsize=65_536)
def folded_char(char: str) -> str:
    """A character without disguise: nothing for what is not seen, a Latin letter for what looks like one."""
    if "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3":
        return char  # what most text beyond Latin is made of: nothing to fold
    if char.isspace():
        return " "
    if unseen(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return ""
    compatible = unicodedata.normalize("NFKC", char)[:8]
    return "".join(_latin(each) for each in compatible)


def _latin(char: str) -> str:
    lower = char.lower()
    if len(lower) == 1 and ord(lower) in LATIN:
        latin = LATIN[ord(lower)]
        return latin.upper() if char != lower else latin
    return char


def _hidden(text: str, plain: Layer) -> Iterator[Layer]:
    if not text.isascii():
        tags = hidden_ascii(without_flags(text))
        if tags:
            at = next(index for index, char in enumerate(text) if 0xE0000 <= ord(char) <= 0xE007F)
            yield Layer("TAG characters", tags[:_DECODED_MAX], at, len(text))
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
        yield Layer(kind, plain.text[start + len(opening) : end], *plain.span(start, end + len(closing)))
        start = plain.text.find(opening, end)


def _end(text: str, closing: str, start: int) -> int:
    end = text.find(closing, start, start + _DECODED_MAX)
    return end if end >= 0 else min(len(text), start + _DECODED_MAX)


def _decoded(plain: Layer) -> Iterator[Layer]:
    seen = plain.text
    for match in _BASE64.finditer(seen):
        if (decoded := _from_base64(match[0])) is not None:
            yield _part("base64", plain, match, decoded)
    for match in _HEX.finditer(seen):
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
        joined = re.sub(r"(?<=\S)[ .\-_*|](?=\S)", "", joined) if " " not in joined or _spaced(match[0]) else joined
        word = re.sub(r"[ .\-_*|]", "", match[0])
        yield _part("letters with gaps", plain, match, f"{joined} ; {word.translate(_LEET)}")
    if not _LEET_LIKELY.search(plain.text):
        return
    leeted = [match for match in _LEETED.finditer(plain.text) if _is_leet(match[0])]
    if len(leeted) >= 2:
        text = _LEETED.sub(lambda match: match[0].translate(_LEET) if _is_leet(match[0]) else match[0], plain.text)
        yield Layer("digits for letters", text[:_DECODED_MAX], *plain.span(leeted[0].start(), leeted[-1].end()))


def _spaced(text: str) -> bool:
    return bool(re.search(r"[ .\-_*|]{2,3}", text))


def _is_leet(word: str) -> bool:
    letters = sum(char.isalpha() for char in word)
    return letters >= 2 and letters * 3 >= len(word) and not _NO_LEET.fullmatch(word)


def _part(kind: str, plain: Layer, match: re.Match[str], text: str) -> Layer:
    return Layer(kind, text[:_DECODED_MAX], *plain.span(match.start(), match.end()))


def _from_base64(text: str) -> str | None:
    if not (re.search(r"[a-z]", text) and re.search(r"[A-Z]", text)):
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
