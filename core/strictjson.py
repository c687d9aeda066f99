"""A JSON parser for text that strangers wrote. Pure module.

Python's parser takes the last of two equal keys, reads NaN and recurses until the interpreter gives up; a
policy that judges one reading and a server that acts on another is a way around the policy (security of
parsers: RFC 8259, section 4; I-JSON, RFC 7493). Numbers stay exact: integers of any size, floats as floats.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

MAX_DEPTH: Final = 64
_BRACKET: Final = re.compile(r"[\[\]{}]")
# Possessive, and an unterminated string runs to the end: no position is read twice.
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


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
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON("the body is not valid UTF-8") from error
    if nesting(text) > max_depth:
        raise MalformedJSON(f"the body is nested deeper than {max_depth} levels")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=parse_float)
    except json.JSONDecodeError as error:
        raise MalformedJSON(f"the body is not JSON (line {error.lineno}, column {error.colno})") from error
    except ValueError as error:
        if isinstance(error, MalformedJSON):
            raise
        raise MalformedJSON("the body holds a number that cannot be read") from error
    if _has_lone_surrogate(text, value):
        raise MalformedJSON("the body holds half of a surrogate pair")
    return value


def nesting(text: str) -> int:
    """The deepest nesting of brackets outside strings, found without recursion and in linear time."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJSON("an object holds the same key twice")
    return found


def _no_constant(name: str) -> float:
    raise MalformedJSON(f"{name} is not JSON")


def _has_lone_surrogate(text: str, value: Any) -> bool:
    if "\\u" not in text:
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
