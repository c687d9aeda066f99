"""What validating against a JSON Schema may cost, found by reading the schema alone. Pure module.

Validation is native code that no thread can interrupt, and a schema of 1 KB can keep it busy for hours: two
references to the next definition, thirty times over, are 2^30 visits of one value. MCP 2026-07-28 asks for bounds
(basic, "Composition-Keyword Resource Use"). What is counted is how often one place of a value may be visited:
alternatives all visit the same place, properties of different names never do.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from tools.schemas import pattern_cost

DEPTH_MAX: Final = 64  # of schemas in schemas, references followed
NODES_MAX: Final = 20_000  # JSON values of a schema
COUNTED_DEPTH: Final = 17  # levels of values of a schema that recurs; counting takes time for each
_SAME_ONE: Final = frozenset({"not", "if", "then", "else"})
_SAME_MANY: Final = frozenset({"allOf", "anyOf", "oneOf"})
_SAME_NAMED: Final = frozenset({"dependentSchemas", "dependencies"})
_INTO: Final = frozenset({
    "additionalItems", "additionalProperties", "contains", "items", "patternProperties", "prefixItems", "properties",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_NAMED: Final = frozenset({"patternProperties", "properties"}) | _SAME_NAMED
_USED: Final = _SAME_ONE | _SAME_MANY | _INTO | _NAMED
_ASIDE: Final = frozenset({"$defs", "definitions"})
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
# To know what was looked at, the library looks at it once more, and so at each level: up to three times as often.
_COLLECTING: Final = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_TIMES: Final = 3
_LISTS: Final = frozenset({"enum", "required", "patternProperties", "dependentRequired"})
_ANCHORS: Final = frozenset({"$anchor", "$dynamicAnchor"})
_TURNING: Final = frozenset({"not", "if", "oneOf", "contains"})

Known = dict[tuple[int, int | None], int]
Schema = dict[str, Any]  # as parsed JSON; a look at a Mapping takes ten times as long
_TRUE: Final[Schema] = {}
_FALSE: Final[Schema] = {"not": {}}


class Unbounded(ValueError):
    """The schema cannot be weighed, or weighs too much. The message is a sentence."""


class Place(NamedTuple):
    """A schema inside the schema, the keyword in it that leads there, and which child it judges (None: any).

    `is_below`: it judges a part of the value, and not the same place.
    """

    keyword: str
    schema: Schema
    child: str | None = None
    is_below: bool = False


class Weight:
    """How heavy a schema is. Raises `Unbounded` where references leave it, or lead back to the same place."""

    def __init__(self, schema: Schema) -> None:
        _refuse_large(schema)
        self.schema = schema
        self._address = "id" if "draft-04" in str(schema.get("$schema")) else "$id"
        self._found: dict[int, tuple[Place, ...]] = {}
        self._repeated: dict[int, Schema] = {}
        self._same: dict[int, dict[int, int]] = {}
        self._by_id: dict[int, Schema] = {}
        self.reached = tuple(self._reach())
        if self._repeated and any(each.keys() & _COLLECTING for each in self.reached):
            raise Unbounded("The schema refers to itself and speaks of what is unevaluated, which takes ever longer.")

    @cached_property
    def visits(self) -> int:
        """The most visits that one place of a value can get; what recurs counts once, as the library remembers it."""
        entries = [self.schema, *self._repeated.values()]
        return sum(self._visits(entry, None, {}) for entry in entries)

    @cached_property
    def patterns(self) -> int:
        """The cost of all regular expressions, in the units of `tools.schemas.pattern_cost`."""
        return sum(pattern_cost(text) for schema in self.reached for text in _patterns(schema))

    @cached_property
    def by_depth(self) -> tuple[int, ...]:
        """For a schema that recurs: the most visits of one place when nothing is remembered, by nesting of the value.

        Counted for `COUNTED_DEPTH` levels. Empty where nothing recurs, because then it is `visits` for every value.
        """
        depths = range(COUNTED_DEPTH) if self._repeated else ()
        return tuple(self._visits(self.schema, depth, {}) for depth in depths)

    def turned(self) -> Iterator[Schema]:
        """The schemas below a keyword that fits where they do not, such as `not`."""
        for schema in self.reached:
            for place in self._places(schema):
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

    def _places(self, schema: Schema) -> tuple[Place, ...]:
        if id(schema) not in self._found:
            references = _REFERENCES & schema.keys()
            targets = (Place(keyword, self._target(schema[keyword])) for keyword in references)
            self._found[id(schema)] = (*_places(schema), *targets)
        return self._found[id(schema)]

    @cached_property
    def _anchors(self) -> dict[str, Schema]:
        return dict(_anchors(self.schema, self._address))

    def _target(self, reference: Any) -> Schema:
        """Where a reference leads; only into the schema itself (MCP 2026-07-28, basic, "$ref Resolution")."""
        text = reference if isinstance(reference, str) else ""
        anchors = self._anchors  # which raises where references may mean something else
        fragment = text.removeprefix(str(self.schema.get(self._address, "")).rstrip("#")) or "#"
        found = self._pointed(unquote(fragment[1:]), anchors) if text and fragment.startswith("#") else None
        if isinstance(found, bool):
            return _TRUE if found else _FALSE
        if not isinstance(found, dict):
            raise Unbounded("The schema refers to what is not in it, and nothing is ever fetched.")
        return found

    def _pointed(self, pointer: str, anchors: dict[str, Schema]) -> Any:
        """What a JSON pointer (RFC 6901) or an anchor names."""
        if pointer and not pointer.startswith("/"):
            return anchors.get(pointer)
        node: Any = self.schema
        for step in pointer.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(key)] if key.isascii() and key.isdigit() and int(key) < len(node) else None
            else:
                node = node.get(key) if isinstance(node, dict) else None
        return node

    def _applied(self, schema: Schema) -> dict[int, int]:
        """The schemas that judge the same place as `schema` does, with how often. Raises where that never ends."""
        key = id(schema)
        if key not in self._same:
            self._same[key] = {}  # empty while it is being made: met again, it leads to itself
            found = {key: 1}
            for place in self._places(schema):
                if not place.is_below:
                    for each, count in self._applied(place.schema).items():
                        found[each] = found.get(each, 0) + count * _times(schema)
            self._same[key] = found
        if not self._same[key]:
            raise Unbounded("The schema refers to itself without looking at a part of the value.")
        return self._same[key]

    def _visits(self, schema: Schema, depth: int | None, known: Known) -> int:
        """Visits of one place at or below `schema`: at most `depth` levels down, or (None) until something recurs."""
        key = id(schema), depth
        if key not in known:
            known[key] = 0
            applied = self._applied(schema)
            here = sum(count * _own(self._by_id[each]) for each, count in applied.items())
            known[key] = here if depth == 0 else max(here, self._visits_below(applied, depth, known))
        return known[key]

    def _visits_below(self, applied: dict[int, int], depth: int | None, known: Known) -> int:
        left = None if depth is None else depth - 1
        by_child: dict[str | None, int] = {None: 0}
        for each, count in applied.items():
            for place in self._found[each]:
                if place.is_below and (depth is not None or id(place.schema) not in self._repeated):
                    visits = count * _times(self._by_id[each]) * self._visits(place.schema, left, known)
                    by_child[place.child] = by_child.get(place.child, 0) + visits
        return by_child.pop(None) + max(by_child.values(), default=0)


def _places(schema: Schema) -> Iterator[Place]:
    """The schemas that stand in `schema` and are used by it; references apart."""
    for keyword in _USED & schema.keys():
        item = schema[keyword]
        found: list[tuple[str | None, Any]]
        if keyword in _NAMED:
            if not isinstance(item, dict):
                continue
            found = [(name if keyword == "properties" else None, part) for name, part in item.items()]
        elif keyword in _INTO and isinstance(item, list):
            found = [(f"[{index}]", part) for index, part in enumerate(item)]
        else:
            found = [(None, part) for part in (item if isinstance(item, list) else [item])]
        below = keyword in _INTO
        yield from (Place(keyword, part, child, below) for child, part in found if isinstance(part, dict))


def _patterns(schema: Schema) -> Iterator[str]:
    if isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        yield from named


def _times(schema: Schema) -> int:
    return _TIMES if schema.keys() & _COLLECTING else 1


def _own(schema: Schema) -> int:
    """A visit, and more where a keyword compares with a long list."""
    lists = [schema[keyword] for keyword in _LISTS & schema.keys()]
    return 1 + sum(len(found) // 4 for found in lists if isinstance(found, list | dict))


def _anchors(schema: Any, address: str, *, top: bool = True) -> Iterator[tuple[str, Schema]]:
    """The named places of a schema. Raises where a schema inside has an address of its own."""
    if not isinstance(schema, dict):
        return
    if not top and isinstance(schema.get(address), str):
        raise Unbounded("A part of the schema has an address of its own, so its references may lead elsewhere.")
    yield from ((schema[keyword], schema) for keyword in _ANCHORS if isinstance(schema.get(keyword), str))
    for keyword, item in schema.items():
        if keyword in _NAMED | _ASIDE and isinstance(item, dict):
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
        parts = [node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list)]
        level = [part for some in parts for part in some]
        if not level:
            return
    raise Unbounded("The schema is nested too deep.")
