"""Which way a JSON Schema changed: equivalent, narrowed, widened, unknown. Pure module.

Schemas are compared closed-world: an object that lists its properties and says nothing of others takes no
others, because that is what a tool's author means; otherwise a new optional parameter would look like a
narrowing. Only a proof counts (`covers` is YES); whatever is too large, too deep, not modelled or refused by
the library is `UNKNOWN`. The library's comparison is experimental, so its version is pinned and this is its
only caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

import jsonschema_rs
from jsonschema_rs.canonical import Containment, Satisfiability

from core.canonical import canonical_bytes

BYTES_MAX: Final = 65_536  # of one schema in canonical form
NODES_MAX: Final = 5_000
DEPTH_MAX: Final = 40
BRANCHES_MAX: Final = 100  # members of one anyOf, oneOf or allOf; they are compared pair by pair

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
    plain_before, plain_after = _bounded(before), _bounded(after)
    if canonical_bytes(plain_before) == canonical_bytes(plain_after):
        return Relation.EQUIVALENT
    if before.get("$schema") != after.get("$schema"):
        raise _Unclear("written in different dialects")
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


def _bounded(schema: Any) -> Any:
    plain = without_annotations(schema)
    if len(canonical_bytes(plain)) > BYTES_MAX:
        raise _Unclear("too large to compare")
    _count(plain, plain, {}, 0)
    return plain


def _count(node: Any, root: Any, counted: dict[str, int], total: int) -> int:
    """`total` and the nodes of `node` with references followed, each cycle once: what a comparison may walk."""
    total += 1
    if total > NODES_MAX:
        raise _Unclear("too large to compare once references are followed")
    if isinstance(node, Mapping):
        for key, item in node.items():
            if key in _IN_PLACE and isinstance(item, list) and len(item) > BRANCHES_MAX:
                raise _Unclear("too many branches to compare")
            is_reference = key == "$ref" and isinstance(item, str)
            total = _count_target(item, root, counted, total) if is_reference else _count(item, root, counted, total)
    elif isinstance(node, list):
        for item in node:
            total = _count(item, root, counted, total)
    return total


def _count_target(reference: str, root: Any, counted: dict[str, int], total: int) -> int:
    if reference in counted:
        return total + counted[reference]
    counted[reference] = 0  # a reference to what is being counted adds nothing
    after = _count(_target(reference, root), root, counted, total)
    counted[reference] = after - total
    return after


def _target(reference: str, root: Any) -> Any:
    """What a local reference points to; only the library resolves others, and it refuses to."""
    node = root
    for step in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ():
        node = node.get(unquote(step).replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node


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
    mixed = node.keys() & _IN_PLACE and node.keys() & _OBJECT
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
            rebuilt[key] = {name: _rebuilt(part, change, f"{below}/{name}", depth + 1) for name, part in item.items()}
        elif key in MANY and isinstance(item, list):
            rebuilt[key] = [_rebuilt(part, change, f"{below}/{n}", depth + 1) for n, part in enumerate(item)]
        elif key in ONE:
            rebuilt[key] = _rebuilt(item, change, below, depth + 1)
        else:
            rebuilt[key] = item
    return change(rebuilt, path)
