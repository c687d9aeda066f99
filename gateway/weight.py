"""What validating against a JSON Schema may cost, found by reading the schema alone. Pure module.

Validation is native code that no thread can interrupt, and a schema of 1 KB can keep it busy for hours: two
references to the next definition, thirty times over, are 2^30 visits of one value. MCP 2026-07-28 asks for bounds
(basic, "Composition-Keyword Resource Use"). What is counted is how often one place of a value may be visited:
alternatives all visit the same place, properties of different names never do.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from tools.schemas import pattern_cost

DEPTH_MAX: Final = 64  # of schemas in schemas, references followed
NODES_MAX: Final = 20_000  # JSON values of a schema
COUNTED_DEPTH: Final = 16  # of values of a schema that recurs; counting takes time for each level
BEYOND: Final = 1_000_000_000  # visits that are not counted
_SAME_ONE: Final = frozenset({"not", "if", "then", "else"})
_SAME_MANY: Final = frozenset({"allOf", "anyOf", "oneOf"})
_SAME_NAMED: Final = frozenset({"dependentSchemas", "dependencies"})
_INTO: Final = frozenset({
    "additionalItems", "additionalProperties", "contains", "items", "patternProperties", "prefixItems", "properties",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_NAMED: Final = frozenset({"patternProperties", "properties"}) | _SAME_NAMED
_ASIDE: Final = frozenset({"$defs", "definitions"})
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_ANCHORS: Final = frozenset({"$anchor", "$dynamicAnchor"})
_TURNING: Final = frozenset({"not", "if", "oneOf", "contains"})

Schema = Mapping[str, Any]
_TRUE: Final[Schema] = {}
_FALSE: Final[Schema] = {"not": {}}


class Unbounded(ValueError):
    """The schema cannot be weighed, or weighs too much. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """A schema inside the schema, the keyword in it that leads there, and whose child it judges (None: any's)."""

    keyword: str
    schema: Schema
    child: str | None = None

    @property
    def is_below(self) -> bool:
        """Whether it judges a part of the value, and not the same place."""
        return self.keyword in _INTO


class Weight:
    """How heavy a schema is. Raises `Unbounded` where references leave it, or lead back to the same place."""

    def __init__(self, schema: Schema) -> None:
        _refuse_large(schema)
        self.schema = schema
        address = "id" if "draft-04" in str(schema.get("$schema")) else "$id"
        self._base = str(schema.get(address, "")).rstrip("#")
        self._anchors = dict(_anchors(schema, address))
        self._repeated: dict[int, Schema] = {}
        self._same: dict[int, Counter[int]] = {}
        self._by_id: dict[int, Schema] = {}
        self._visits_to: dict[int, int] = {}
        self.reached = tuple(self._reach())

    @cached_property
    def visits(self) -> int:
        """The most visits that one place of a value can get; what recurs counts once, as the library remembers it."""
        entries = [self.schema, *self._repeated.values()]
        return sum(self._visits(entry, None, {}) for entry in entries)

    @cached_property
    def patterns(self) -> int:
        """The cost of all regular expressions, in the units of `tools.schemas.pattern_cost`."""
        return sum(pattern_cost(text) for schema in self.reached for text in _patterns(schema))

    def visits_to(self, depth: int) -> int:
        """The most visits of one place when nothing is remembered, for a value of at most this nesting."""
        if self._repeated and depth > COUNTED_DEPTH:
            return BEYOND
        if depth not in self._visits_to:
            self._visits_to[depth] = self._visits(self.schema, depth, {})
        return self._visits_to[depth]

    def turned(self) -> Iterator[Schema]:
        """The schemas below a keyword that fits where they do not, such as `not`."""
        for schema in self.reached:
            for place in _places(schema):
                if place.keyword in _TURNING:
                    yield from self._below(place.schema)

    def _reach(self) -> Iterator[Schema]:
        """Every schema that is used; notes on the way which of them recur."""
        path: list[int] = []
        done: set[int] = set()

        def walk(schema: Schema) -> Iterator[Schema]:
            key = id(schema)
            if key in path:
                self._repeated[key] = schema
            if key in done:
                return
            if len(path) >= DEPTH_MAX:
                raise Unbounded("The schema is nested too deep.")
            done.add(key)
            self._by_id[key] = schema
            path.append(key)
            yield schema
            for place in self._places(schema):
                yield from walk(place.schema)
            path.pop()

        yield from walk(self.schema)

    def _below(self, top: Schema) -> Iterator[Schema]:
        left, seen = [top], {id(top)}
        while left:
            schema = left.pop()
            yield schema
            for place in self._places(schema):
                if id(place.schema) not in seen:
                    seen.add(id(place.schema))
                    left.append(place.schema)

    def _places(self, schema: Schema) -> Iterator[Place]:
        yield from _places(schema)
        for keyword in _REFERENCES & schema.keys():
            yield Place(keyword, self._target(schema[keyword]))

    def _target(self, reference: Any) -> Schema:
        """Where a reference leads; only into the schema itself (MCP 2026-07-28, basic, "$ref Resolution")."""
        text = reference if isinstance(reference, str) else ""
        fragment = text.removeprefix(self._base) or "#"
        found = self._pointed(unquote(fragment[1:])) if text and fragment.startswith("#") else None
        if isinstance(found, bool):
            return _TRUE if found else _FALSE
        if not isinstance(found, Mapping):
            raise Unbounded("The schema refers to what is not in it, and nothing is ever fetched.")
        return found

    def _pointed(self, pointer: str) -> Any:
        """What a JSON pointer (RFC 6901) or an anchor names."""
        if pointer and not pointer.startswith("/"):
            return self._anchors.get(pointer)
        node: Any = self.schema
        for step in pointer.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(key)] if key.isascii() and key.isdigit() and int(key) < len(node) else None
            else:
                node = node.get(key) if isinstance(node, Mapping) else None
        return node

    def _applied(self, schema: Schema) -> Counter[int]:
        """The schemas that judge the same place as `schema` does, with how often. Raises where that never ends."""
        key = id(schema)
        if key not in self._same:
            self._same[key] = Counter()  # empty while it is being made: met again, it leads to itself
            found = Counter({key: 1})
            for place in self._places(schema):
                if not place.is_below:
                    found.update(self._applied(place.schema))
            self._same[key] = found
        if not self._same[key]:
            raise Unbounded("The schema refers to itself without looking at a part of the value.")
        return self._same[key]

    def _visits(self, schema: Schema, depth: int | None, known: dict[tuple[int, int | None], int]) -> int:
        """Visits of one place at or below `schema`: at most `depth` levels down, or (None) until something recurs."""
        key = id(schema), depth
        if key not in known:
            known[key] = 0
            applied = self._applied(schema)
            here = sum(count * _own(self._by_id[each]) for each, count in applied.items())
            known[key] = here if depth == 0 else max(here, self._visits_below(applied, depth, known))
        return known[key]

    def _visits_below(self, applied: Counter[int], depth: int | None, known: dict[tuple[int, int | None], int]) -> int:
        left = None if depth is None else depth - 1
        by_child: Counter[str | None] = Counter()
        for each, count in applied.items():
            for place in filter(lambda found: found.is_below, _places(self._by_id[each])):
                if depth is not None or id(place.schema) not in self._repeated:
                    by_child[place.child] += count * self._visits(place.schema, left, known)
        return by_child.pop(None, 0) + max(by_child.values(), default=0)


def _places(schema: Schema) -> Iterator[Place]:
    """The schemas that stand in `schema` and are used by it; references apart."""
    for keyword, item in schema.items():
        if keyword in _NAMED and isinstance(item, Mapping):
            found = [(name if keyword == "properties" else None, part) for name, part in item.items()]
        elif keyword in _INTO and isinstance(item, list):
            found = [(f"[{index}]", part) for index, part in enumerate(item)]
        elif keyword in _SAME_ONE | _SAME_MANY | _INTO:
            found = [(None, part) for part in (item if isinstance(item, list) else [item])]
        else:
            continue
        yield from (Place(keyword, part, child) for child, part in found if isinstance(part, Mapping))


def _patterns(schema: Schema) -> Iterator[str]:
    if isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    named = schema.get("patternProperties")
    if isinstance(named, Mapping):
        yield from named


def _own(schema: Schema) -> int:
    """A visit, and more where a keyword compares with a long list."""
    lists = (schema.get(keyword) for keyword in ("enum", "required", "patternProperties", "dependentRequired"))
    return 1 + sum(len(found) // 4 for found in lists if isinstance(found, list | Mapping))


def _anchors(schema: Any, address: str, *, top: bool = True) -> Iterator[tuple[str, Schema]]:
    """The named places of a schema. Raises where a schema inside has an address of its own."""
    if not isinstance(schema, Mapping):
        return
    if not top and isinstance(schema.get(address), str):
        raise Unbounded("A part of the schema has an address of its own, so its references may lead elsewhere.")
    yield from ((schema[keyword], schema) for keyword in _ANCHORS if isinstance(schema.get(keyword), str))
    for keyword, item in schema.items():
        if keyword in _NAMED | _ASIDE and isinstance(item, Mapping):
            parts = list(item.values())
        elif keyword in _SAME_ONE | _SAME_MANY | _INTO:
            parts = item if isinstance(item, list) else [item]
        else:
            continue
        for part in parts:
            yield from _anchors(part, address, top=False)


def _refuse_large(schema: Any) -> None:
    level, seen = [schema], 0
    for _ in range(4 * DEPTH_MAX):
        seen += len(level)
        if seen > NODES_MAX:
            raise Unbounded("The schema is too large.")
        parts = [
            node.values() if isinstance(node, Mapping) else node for node in level if isinstance(node, Mapping | list)
        ]
        level = [part for some in parts for part in some]
        if not level:
            return
    raise Unbounded("The schema is nested too deep.")
