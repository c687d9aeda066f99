"""A JSON parser for text that strangers wrote. Pure module.

Python's parser takes the last of two equal keys, reads NaN and recurses until the interpreter gives up; a
policy that judges one reading and a server that acts on another is a way around the policy (security of
parsers: RFC 8259, section 4; I-JSON, RFC 7493). `jiter` refuses what has two readings and keeps every digit;
what it does not bound as we want it is bounded in one walk over what it read. Numbers stay exact: integers of any
size, floats as `parse_float` makes them of their digits.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import jiter

MAX_DEPTH: Final = 64  # at most 190: the parser itself gives up at 200
# A fraction or exponent of a number in an array or object has this before it, and so do some texts. The table shows in
# a fraction of the time whether the pattern can find anything.
_FRACTION: Final = re.compile(rb"[:,\[\s]-?[0-9]+[.eE]")
_SHAPE: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x2E if byte in b".eE" else 0x20 for byte in range(256))
# Possessive, and an unterminated string runs to the end: no position is read twice.
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# The next bracket outside strings, or the end: without a copy of all the rest, which takes three times the text.
_BRACKET: Final = re.compile(rf'(?:[^"\[\]{{}}]++|{_STRING.pattern})*+([\[\]{{}}]|\Z)', re.DOTALL)
# What the parser says, in part, and what we say; nothing that it quotes is handed on.
_SENTENCES: Final = (
    ("duplicate key", "an object holds the same key twice"),
    ("surrogate", "the body holds half of a surrogate pair"),
    ("end of hex escape", "the body holds half of a surrogate pair"),
    ("out of range", "the body holds a number that cannot be read"),
)
_PLACE: Final = re.compile(r"at line (\d+) column (\d+)$")


class MalformedJSON(ValueError):
    """The text is not the JSON that we accept; the message says why in a sentence and quotes nothing of it."""


def finite(text: str) -> float:
    """A number with a fraction or exponent as a float. Raises `MalformedJSON` beyond its range."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedJSON("a number is too large to be read")
    return value


def loads(raw: bytes, *, max_depth: int = MAX_DEPTH, parse_float: Callable[[str], float] = finite) -> Any:
    """Parse UTF-8 `raw`. Raises `MalformedJSON`."""
    try:
        value = jiter.from_json(
            raw, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True, float_mode="lossless-float"
        )
    except ValueError as error:
        raise MalformedJSON(_sentence(raw, str(error), max_depth)) from None  # its own words quote the text
    if type(value) is jiter.LosslessFloat:
        return parse_float(str(value))
    # Most messages hold no fraction, and fewer brackets than they may be deep: nothing is left to do for those. The
    # version in the envelope of JSON-RPC looks like a fraction, and is none.
    if raw.count(b"{") + raw.count(b"[") > max_depth or (
        raw.translate(_SHAPE).count(b"0.") > raw.count(b'"2.0"') and _FRACTION.search(raw)
    ):
        _settle(value, max_depth, max_depth, parse_float)
    return value


def _settle(value: Any, left: int, max_depth: int, parse_float: Callable[[str], float]) -> None:
    """Bound the nesting, and put numbers in the place of their digits."""
    if type(value) is dict:
        items: Any = value.items()
    elif type(value) is list:
        items = enumerate(value)
    else:
        return
    if not left:
        raise MalformedJSON(_too_deep(max_depth))
    for key, item in items:
        kind = type(item)
        if kind is dict or kind is list:
            _settle(item, left - 1, max_depth, parse_float)
        elif kind is jiter.LosslessFloat:
            value[key] = parse_float(str(item))


def _sentence(raw: bytes, said: str, max_depth: int) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "the body is not valid UTF-8"
    if "recursion limit" in said:
        return _too_deep(max_depth)
    for part, sentence in _SENTENCES:
        if part in said:
            return sentence
    place = _PLACE.search(said)
    return f"the body is not JSON (line {place[1]}, column {place[2]})" if place else "the body is not JSON"


def _too_deep(max_depth: int) -> str:
    return f"the body is nested deeper than {max_depth} levels"


def values(raw: bytes) -> int:
    """How many values there are, about: brackets that open, and commas, outside strings. For before the parsing."""
    bare = _STRING.sub("", raw.decode("utf-8", "replace"))
    return bare.count("[") + bare.count("{") + bare.count(",")


def nesting(text: str) -> int:
    """The deepest nesting of brackets outside strings, found without recursion and in linear time."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        if not bracket:
            break
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
