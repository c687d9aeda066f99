"""Which way a JSON Schema changed: equivalent, narrowed, widened, unknown. Pure module.

Schemas are compared closed-world: an object that lists its properties and says nothing of others takes no
others, because that is what a tool's author means; otherwise a new optional parameter would look like a
narrowing. Only a proof counts (`covers` is YES); whatever is too large, too deep, not modelled or refused by
the library is `UNKNOWN`. The library's comparison is experimental, so its version is pinned and this is its
only caller.

It is native code that no thread can interrupt, and without limits a schema of 1 KB keeps it busy for more than 30 s
or takes 500 MB. The limits here are set so that it needs no process of its own that could be killed: of the attacks
that we know and in a search of 30,000 random pairs, nothing within them took 0.3 s of processor time.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from typing import Any, Final
from urllib.parse import unquote

import jsonschema_rs
from jsonschema_rs.canonical import Containment, Satisfiability

from core.canonical import canonical_bytes

BYTES_MAX: Final = 65_536  # of one schema in canonical form
NODES_MAX: Final = 5_000  # with annotations
DEPTH_MAX: Final = 40
KEY_MAX: Final = 1_000  # characters
COST_MAX: Final = 2_000  # see `_Costs`
SHARED_COST_MAX: Final = 200  # where what differs is referred to, and so may differ in many places
DIFFERING_MAX: Final = 40  # subschemas; the library takes cubic time in those that it cannot tell apart

ANNOTATION_KEYWORDS: Final = frozenset(
    {"$comment", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"}
)
ONE: Final = frozenset({
    "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
MANY: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
VALUES: Final = frozenset({
    "$anchor", "$id", "$ref", "$schema", "const", "contentEncoding", "contentMediaType", "dependentRequired", "enum",
    "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties",
    "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "pattern",
    "required", "type", "uniqueItems",
})  # fmt: skip
# Closing an object beside one of these changes what the whole means, so nothing is claimed about it.
_NOT_CLOSABLE: Final = frozenset({
    "$dynamicRef", "$recursiveRef", "dependencies", "dependentSchemas", "else", "if", "not", "then",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_IN_PLACE: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_COUNT: Final = re.compile(r"(?<=[{,])\d+(?=[,}])")  # of a repetition
_COUNTED_GROUP: Final = re.compile(r"\)\s*\{")
_OBJECT: Final = frozenset({"additionalProperties", "patternProperties", "properties"})


class Relation(StrEnum):
    """What the new schema takes, compared with the old one. In order of risk."""

    EQUIVALENT = "equivalent"
    NARROWED = "narrowed"
    WIDENED = "widened"
    UNKNOWN = "unknown"


class _Unclear(ValueError):
    """No claim can be made."""


@dataclass(slots=True)
class _Seen:
    """Where a schema has objects without a word on their properties, and where it speaks of additional ones."""

    free: set[str] = field(default_factory=set)
    explicit: set[str] = field(default_factory=set)


def relation(before: Any, after: Any) -> Relation:
    """How the set of values that `after` takes lies to that of `before`."""
    try:
        return _relation(before, after)
    except (ValueError, TypeError, RecursionError):
        # A keyword of a type that no schema gives it ends up here too.
        return Relation.UNKNOWN
    except BaseException as error:
        # A panic inside the library arrives as a BaseException that cannot be imported.
        if type(error).__name__ == "PanicException":
            return Relation.UNKNOWN
        raise


def without_annotations(schema: Any) -> Any:
    """`schema` without titles, descriptions, examples and the like, and without `default`."""
    dropped = ANNOTATION_KEYWORDS | {"default"}
    return _rebuilt(schema, lambda node, _path: {key: item for key, item in node.items() if key not in dropped})


def _relation(before: Any, after: Any) -> Relation:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        raise _Unclear("one of the two is no object")
    costs_before, costs_after = _bounded(before), _bounded(after)
    plain_before, plain_after = costs_before.schema, costs_after.schema
    if canonical_bytes(plain_before) == canonical_bytes(plain_after):
        return Relation.EQUIVALENT
    if before.get("$schema") != after.get("$schema"):
        raise _Unclear("written in different dialects")
    _refuse_many_differences(costs_before, costs_after)
    seen_before, seen_after = _look(plain_before), _look(plain_after)
    # An object of unknown properties is read the risky way: the old one took none, the new one takes any.
    same_free = seen_before.free == seen_after.free
    found = _proved(_closed(plain_before, close_free=not same_free), _closed(plain_after, close_free=False))
    if seen_before.explicit != seen_after.explicit:
        found = max(found, _proved(plain_before, plain_after), key=list(Relation).index)
    return found


def _proved(before: Any, after: Any) -> Relation:
    old, new = _canonical(before), _canonical(after)
    wider, narrower = new.covers(old) == Containment.YES, old.covers(new) == Containment.YES
    if wider and narrower:
        return Relation.EQUIVALENT
    if wider:
        return Relation.WIDENED
    return Relation.NARROWED if narrower else Relation.UNKNOWN


def _canonical(schema: Any) -> jsonschema_rs.CanonicalSchema:
    """`offline`: a `$ref` to somewhere else must never make us fetch it."""
    draft = None if "$schema" in schema else jsonschema_rs.Draft202012
    canonical = jsonschema_rs.canonicalize(schema, draft=draft, validate_formats=True, offline=True)
    if canonical.satisfiability() != Satisfiability.YES:
        raise _Unclear("takes nothing, or nobody can tell")
    return canonical


def _bounded(schema: Any) -> "_Costs":
    """`schema` without annotations and what it costs, if comparing it is cheap whoever wrote it."""
    _refuse_large(schema)
    plain = without_annotations(schema)
    if len(canonical_bytes(plain)) > BYTES_MAX:
        raise _Unclear("too large to compare")
    return _Costs(plain)


def _refuse_large(schema: Any) -> None:
    """Refuse what has too many nodes or too long keys, before anything is built from it."""
    left, seen = [schema], 0
    while left:
        node = left.pop()
        seen += 1
        if isinstance(node, Mapping):
            if any(len(key) > KEY_MAX for key in node):
                raise _Unclear("a key that is too long")
            left.extend(node.values())
        elif isinstance(node, list):
            left.extend(node)
        if seen + len(left) > NODES_MAX:
            raise _Unclear("too large to compare")


class _Costs:
    """What comparing a schema may cost: nodes, with references followed (each cycle once). Raises beyond `COST_MAX`.

    What the library compares pair by pair counts squared: branches, values of lists, patterns for names. Only a
    reference to a place where a schema stands is followed, because only there objects are closed.
    """

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self._places: dict[str, Any] = {}
        self._known: dict[str, int] = {}
        _rebuilt(schema, self._note)
        self.total = self.of(schema)

    def differing(self, other: "_Costs") -> set[str]:
        """Where the two have different subschemas, or one of them has none."""
        one, two = self._written(), other._written()  # noqa: SLF001 -- the same class
        return {path for path in one.keys() | two.keys() if one.get(path) != two.get(path)}

    def _written(self) -> dict[str, bytes]:
        return {path: canonical_bytes(node) for path, node in self._places.items()}

    def refers_into(self, paths: set[str]) -> bool:
        """Whether a reference leads to one of `paths`."""
        return not paths.isdisjoint(self._known)

    def _note(self, node: dict[str, Any], path: str) -> dict[str, Any]:
        if path and node.keys() & {"$id", "id"}:
            raise _Unclear("a schema in a schema, in which references start elsewhere")
        self._places[path] = node
        return node

    def of(self, node: Any) -> int:
        """The cost of one subschema."""
        if not isinstance(node, Mapping):
            return 1
        cost = 1
        for key, item in node.items():
            cost += self._of_keyword(key, item)
        patterns = len(node.get("patternProperties", ()))
        cost *= patterns + len(node.get("properties", ())) if patterns else 1
        if cost > COST_MAX:
            raise _Unclear("too much to compare")
        return cost

    def _of_keyword(self, key: str, item: Any) -> int:
        if key == "$ref":
            return self._of_target(item)
        if key == "pattern":
            return pattern_cost(item)
        if key in MANY and isinstance(item, list):
            total = sum(self.of(part) for part in item)
            return total * len(item) if key in _IN_PLACE else total
        if key in NAMED and isinstance(item, Mapping):
            names = sum(map(pattern_cost, item)) if key == "patternProperties" else 0
            return names + sum(self.of(part) for part in item.values())
        return self.of(item) if key in ONE else _listed(item)

    def _of_target(self, reference: Any) -> int:
        path = unquote(reference.removeprefix("#")) if isinstance(reference, str) else None
        if path not in self._places or not reference.startswith("#"):
            raise _Unclear("a reference to what is no schema of this one")
        if path not in self._known:
            self._known[path] = 0  # a reference to what is being counted adds nothing
            self._known[path] = self.of(self._places[path])
        return self._known[path]


def _refuse_many_differences(before: _Costs, after: _Costs) -> None:
    differing = before.differing(after)
    shared = before.refers_into(differing) or after.refers_into(differing)
    if len(differing) > DIFFERING_MAX or (shared and max(before.total, after.total) > SHARED_COST_MAX):
        raise _Unclear("too many differences to compare")


def pattern_cost(pattern: Any) -> int:
    """What one regular expression may cost, compiled; counted repetitions are written out by the library."""
    text = pattern if isinstance(pattern, str) else ""
    counts = [int(count) or 1 for count in _COUNT.findall(text)]
    copies = prod(counts) if _COUNTED_GROUP.search(text) else sum(counts)
    return 10 + min(len(text) * (1 + copies), COST_MAX * 10) // 10


def _listed(value: Any) -> int:
    """The cost of plain values; lists such as `enum` and `required` are compared pair by pair."""
    if isinstance(value, Mapping):
        return 1 + len(value) * sum(map(_listed, value.values()))
    return 1 + len(value) ** 2 // 100 + sum(map(_listed, value)) if isinstance(value, list) else 1


def _look(schema: Any) -> _Seen:
    seen = _Seen()

    def note(node: dict[str, Any], path: str) -> dict[str, Any]:
        if _is_free(node):
            seen.free.add(path)
        if "additionalProperties" in node:
            seen.explicit.add(f"{path}={node['additionalProperties']!r}")
        return node

    _rebuilt(schema, note)
    return seen


def _is_free(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    return is_object and not (node.keys() & (_OBJECT | _IN_PLACE))


def _closed(schema: Any, *, close_free: bool) -> Any:
    def close(node: dict[str, Any], _path: str) -> dict[str, Any]:
        _refuse_unclosable(node)
        lists_properties = bool(node.keys() & {"properties", "patternProperties"})
        if "additionalProperties" not in node and (lists_properties or (close_free and _is_free(node))):
            return {**node, "additionalProperties": False}
        return node

    return _rebuilt(schema, close)


def _refuse_unclosable(node: Mapping[str, Any]) -> None:
    in_place = node.keys() & _IN_PLACE
    mixed = len(in_place) > 1 or (in_place and node.keys() & _OBJECT)
    if mixed or node.keys() & _NOT_CLOSABLE or len(node.get("allOf", ())) > 1:
        raise _Unclear("a combination whose closed form would mean something else")


def _rebuilt(
    schema: Any, change: Callable[[dict[str, Any], str], dict[str, Any]], path: str = "", depth: int = 0
) -> Any:
    """`schema` with `change` applied to each subschema, innermost first; values such as `enum` are left alone."""
    if not isinstance(schema, Mapping):
        return schema
    if depth > DEPTH_MAX:
        raise _Unclear("too deep to compare")
    rebuilt: dict[str, Any] = {}
    for key, item in schema.items():
        below = f"{path}/{key}"
        if key in NAMED and isinstance(item, Mapping):
            rebuilt[key] = {
                name: _rebuilt(part, change, f"{below}/{_step(name)}", depth + 1) for name, part in item.items()
            }
        elif key in MANY and isinstance(item, list):
            rebuilt[key] = [_rebuilt(part, change, f"{below}/{n}", depth + 1) for n, part in enumerate(item)]
        elif key in ONE:
            rebuilt[key] = _rebuilt(item, change, below, depth + 1)
        else:
            rebuilt[key] = item
    return change(rebuilt, path)


def _step(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
