"""Every string of a definition that a model or a client can read, with where it is and what it is for. Pure module.

The walk is bounded: what is left out is counted, so that nobody takes half a definition for all of it.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

FIELD_MAX: Final = 500  # characters of a JSON pointer
DEPTH_MAX: Final = 64
PLACES_MAX: Final = 3_200  # strings; honest definitions have up to 1,600
TEXT_MAX: Final = 131_072  # characters of one definition that are read

_TEXTS: Final = frozenset({"description", "$comment", "markdownDescription", "instructions", "text", "body", "message"})
_VALUES: Final = frozenset({"enum", "const", "default", "examples", "example"})
_NAMED: Final = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_SCHEMAS: Final = frozenset({"inputSchema", "outputSchema", "input_schema", "parameters", "output_schema"})
# What JSON Schema says about itself; no prose is expected there, and none of it is a name that an author chose.
_QUIET: Final = frozenset(
    {"type", "$schema", "$id", "$ref", "format", "required", "pattern", "mimeType", "contentEncoding"}
)
_LINKS: Final = frozenset({"uri", "uriTemplate", "src", "url", "websiteUrl", "href"})


class Role(StrEnum):
    """What a string is for, as far as its place says."""

    NAME = "name"
    TITLE = "title"
    TEXT = "text"
    PARAMETER = "parameter name"
    PARAMETER_TEXT = "parameter text"
    VALUE = "value"
    META = "metadata"
    INSTRUCTIONS = "instructions"
    LINK = "link"
    KEYWORD = "keyword"


class Place(Struct, frozen=True):
    """One string. `pointer` is a JSON pointer (RFC 6901); `parameter` is the argument that it belongs to."""

    pointer: str
    role: Role
    text: str
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """What was read, and how many characters and branches were not."""

    places: tuple[Place, ...]
    unread: int


def fields(body: Mapping[str, Any]) -> Fields:
    """All strings of `body`, top level first within each branch; keys included."""
    walk = _Walk()
    with suppress(_Enough):
        walk.of(body)
    return Fields(tuple(walk.places), walk.unread)


class _Enough(Exception):
    """No more is read."""


class _Walk:
    def __init__(self) -> None:
        self.unread = 0
        self.places: list[Place] = []
        self._left = TEXT_MAX

    def _put(self, pointer: str, role: Role, text: str, parameter: str = "") -> None:
        if len(self.places) >= PLACES_MAX or self._left <= 0:
            self.unread += 1
            raise _Enough
        if len(text) > self._left:
            self.unread += len(text) - self._left
            text = text[: self._left]
        self.places.append(Place(pointer, role, text, parameter))
        self._left -= len(text)

    def of(self, body: Mapping[str, Any]) -> None:
        """The short and telling fields first, so that nothing pushes them over the limit."""
        for key in sorted(body, key=lambda key: (not isinstance(body[key], str), key)):
            value, pointer = body[key], below("", key)
            if key in _SCHEMAS:
                self._schema(value, pointer, "", 1)
            elif key == "arguments" and isinstance(value, list):
                self._arguments(value, pointer)
            elif key == "_meta":
                self._all(value, pointer, Role.META, 1)
            elif isinstance(value, str):
                self._put(pointer, _top_role(key), value)
            else:
                self._all(value, pointer, Role.META if key in ("annotations", "icons") else Role.TEXT, 1)
            if key not in _KNOWN:
                self._put(pointer, Role.KEYWORD, key)

    def _arguments(self, items: list[Any], pointer: str) -> None:
        """A prompt's arguments: name, title, description."""
        for index, item in enumerate(items):
            if not isinstance(item, Mapping):
                continue
            at, name = below(pointer, str(index)), str(item.get("name", ""))[:200]
            for key, value in item.items():
                if isinstance(value, str):
                    role = Role.PARAMETER if key == "name" else Role.PARAMETER_TEXT
                    self._put(below(at, key), role, value, name)
                else:
                    self._all(value, below(at, key), Role.META, 2)

    def _schema(self, value: Any, pointer: str, parameter: str, depth: int) -> None:
        if depth > DEPTH_MAX:
            self.unread += 1
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._schema(item, below(pointer, str(index)), parameter, depth + 1)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self._keyword(key, item, below(pointer, key), parameter, depth)

    def _keyword(self, key: str, item: Any, pointer: str, parameter: str, depth: int) -> None:
        if key in _NAMED and isinstance(item, Mapping):
            for name, schema in item.items():
                at = below(pointer, name)
                self._put(at, Role.PARAMETER, name, name[:200])
                self._schema(schema, at, name[:200], depth + 2)
        elif key in _VALUES:
            self._all(item, pointer, Role.VALUE, depth + 1, parameter)
        elif isinstance(item, str):
            if key not in _QUIET:
                role = Role.TITLE if key == "title" else Role.PARAMETER_TEXT
                self._put(pointer, role, item, parameter)
            elif len(item) > 40:
                self._put(pointer, Role.KEYWORD, item, parameter)
        else:
            self._schema(item, pointer, parameter, depth + 1)
        if key not in _QUIET and key not in _USUAL:
            self._put(pointer, Role.KEYWORD, key, parameter)

    def _all(self, value: Any, pointer: str, role: Role, depth: int, parameter: str = "") -> None:
        if isinstance(value, str):
            self._put(pointer, Role.LINK if pointer.rsplit("/", 1)[-1] in _LINKS else role, value, parameter)
        elif depth > DEPTH_MAX:
            self.unread += isinstance(value, list | Mapping)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if key not in _KNOWN:
                    self._put(below(pointer, key), Role.KEYWORD, key, parameter)
                self._all(item, below(pointer, key), role, depth + 1, parameter)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._all(item, below(pointer, str(index)), role, depth + 1, parameter)


_KNOWN: Final = frozenset({
    "name", "title", "description", "inputSchema", "outputSchema", "annotations", "_meta", "icons", "arguments", "uri",
    "uriTemplate", "mimeType", "size", "instructions", "execution", "src", "sizes", "theme", "priority", "audience",
    "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint", "lastModified", "required",
})  # fmt: skip
_USUAL: Final = _TEXTS | _VALUES | _NAMED | frozenset({
    "title", "items", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "additionalProperties", "minimum",
    "maximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "prefixItems", "contains", "propertyNames", "minProperties", "maxProperties", "nullable",
    "deprecated",
    "readOnly", "writeOnly", "$anchor", "unevaluatedProperties", "dependentRequired", "discriminator",
})  # fmt: skip


def _top_role(key: str) -> Role:
    if key == "name":
        return Role.NAME
    if key == "title":
        return Role.TITLE
    if key == "instructions":
        return Role.INSTRUCTIONS
    return Role.LINK if key in _LINKS else Role.TEXT


_STEP: Final = re.compile(r"[A-Za-z0-9_.$-]{0,100}")  # nothing that needs another spelling


def below(path: str, key: str) -> str:
    """The pointer to `key` below `path`, as it can be stored: ASCII, no NUL, cut."""
    if key.isascii() and (key.isalnum() or _STEP.fullmatch(key)):  # nearly all are
        return f"{path}/{key}"[:FIELD_MAX]
    step = key[:FIELD_MAX].replace("~", "~0").replace("/", "~1").encode("ascii", "backslashreplace").decode()
    return f"{path}/{step}".replace("\0", "\\x00")[:FIELD_MAX]
