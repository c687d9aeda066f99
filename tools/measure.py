"""How much of what a model reads differs between two forms of a definition, in characters. Pure module.

What counts is inserted plus deleted characters of every text, wherever it stands: a schema that takes the same values
as before can still carry a sentence in a constant, in the name of a definition that nothing refers to, or lose the
words that warned. Where it cannot be told exactly, more is counted, never less.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from servers.surface import Kind
from tools import schemas
from tools.classify import MISSING, Budget, ChangeClass, FieldChange, classify
from tools.diff import TEXT_MAX, Op, word_diff

ENOUGH: Final = 200  # characters; nothing is counted beyond, because no rule may allow more
BEYOND: Final = 1_000_000  # stands for more than `ENOUGH`, or for what could not be counted
_SECONDS: Final = 0.1  # for the diff of one text; afterwards it is coarser, so counts more
# Digits and dots say nothing to a model; anything else in a version "number" is text.
_VERSION_NUMBER: Final = re.compile(r"v?\d{1,6}(\.\d{1,6}){0,3}", re.ASCII)
_SCHEMA: Final = frozenset(cls for cls in ChangeClass if cls.startswith(("input_schema_", "output_schema_")))
_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_VOCABULARY: Final = (
    schemas.VALUES | schemas.ONE | schemas.MANY | schemas.NAMED | schemas.ANNOTATION_KEYWORDS | _TYPES | {"default"}
)
# A number under one of these bounds how long something is; under others it may be the one value that is left.
_SIZES: Final = frozenset({
    "maxContains", "maxItems", "maxLength", "maxProperties", "minContains", "minItems", "minLength", "minProperties",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One comparison: the classes of what differs, and how many characters of text (`BEYOND`: too many)."""

    classes: frozenset[ChangeClass]
    characters: int


NOTHING: Final = Measured(frozenset(), 0)  # the very same form


def measure(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any], *, budget: Budget) -> Measured:
    """Compare two different forms. What is left when `budget` is spent counts as `BEYOND`."""
    change = classify(kind, before, after, budget=budget)
    classes = frozenset(change.classes)
    if change.truncated:
        return Measured(classes, BEYOND)
    total = 0
    for field in change.fields:
        total += BEYOND if budget.is_spent else _of_field(field, _schema_of(field, before))
        if total > ENOUGH:
            return Measured(classes, BEYOND)
    return Measured(classes, total)


def edited(before: str, after: str) -> int:
    """Inserted plus deleted characters, counted by whole words, in about 0.1 s at most."""
    if before == after:
        return 0
    if abs(len(before) - len(after)) > ENOUGH or max(len(before), len(after)) > TEXT_MAX:
        return BEYOND
    diff = word_diff(before, after, seconds=_SECONDS)
    return sum(len(part.text) for part in diff.segments if part.op is not Op.SAME)


def _schema_of(field: FieldChange, body: Mapping[str, Any]) -> Any:
    return body.get(field.path.split("/")[1]) if field.cls in _SCHEMA else None


def _of_field(field: FieldChange, schema: Any) -> int:
    name = _step(field.path)
    key = len(name) if field.before is MISSING and name not in _VOCABULARY and field.cls in _SCHEMA else 0
    if field.cls is ChangeClass.CAPABILITIES_LOST:
        return 0
    if field.cls in _SCHEMA:
        return key + _of_schema(field, name, schema)
    before, after = _text(field.before), _text(field.after)
    if field.cls is ChangeClass.IDENTITY_VERSION and all(map(_VERSION_NUMBER.fullmatch, (before, after))):
        return 0
    return len(name) * (name not in _VOCABULARY and field.before is MISSING) + edited(before, after)


def _step(path: str) -> str:
    """The last step of a JSON pointer (RFC 6901)."""
    return path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def _of_schema(field: FieldChange, name: str, schema: Any) -> int:
    """What a change of structure says anew, and all prose that it touches.

    Prose is counted whole on both sides: moving a warning from one alternative to another inserts and deletes
    nothing, and yet says something else.
    """
    if field.after is MISSING and field.before is MISSING:
        return 0
    names = frozenset(_keys(schema))
    known = frozenset(_said(field.before, name, names))
    new = sum(len(text) for text in _said(field.after, name, names) if text not in known)
    return new + sum(len(text) for side in (field.before, field.after) for text in _prose(side))


def _said(value: Any, keyword: str, names: frozenset[str]) -> Iterator[str]:
    """Every word of a schema that is not JSON Schema's own: names, constants, patterns, numbers that are values."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _VOCABULARY:
                yield key
            if key not in schemas.ANNOTATION_KEYWORDS:
                yield from _said(item, key, names)
    elif isinstance(value, list):
        for item in value:
            yield from _said(item, keyword, names)
    elif isinstance(value, str):
        # A property that there is already may come to be required.
        if value not in _TYPES and not (keyword == "required" and value in names):
            yield value
    elif _is_number(value) and keyword not in _SIZES:
        yield json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _prose(value: Any) -> Iterator[str]:
    """The text of every annotation in a piece of a schema."""
    parts: Sequence[Any] = ()
    if isinstance(value, Mapping):
        yield from (_text(item) for key, item in value.items() if key in schemas.ANNOTATION_KEYWORDS)
        parts = [item for key, item in value.items() if key not in schemas.ANNOTATION_KEYWORDS]
    elif isinstance(value, list):
        parts = value
    for part in parts:
        yield from _prose(part)


def _keys(value: Any) -> Iterator[str]:
    parts: Sequence[Any] = value if isinstance(value, list) else ()
    if isinstance(value, Mapping):
        yield from value
        parts = list(value.values())
    for part in parts:
        yield from _keys(part)


def _text(value: Any) -> str:
    if value is MISSING:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
