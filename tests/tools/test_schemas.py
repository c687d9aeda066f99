"""Which way a schema changed, and that nothing hostile makes the question expensive."""

import json
from typing import Any

import pytest

from tools import schemas
from tools.schemas import (
    COST_MAX,
    DIFFERING_MAX,
    KEY_MAX,
    NODES_MAX,
    Relation,
    pattern_cost,
    relation,
    without_annotations,
)

TEXT = {"type": "string"}


def obj(required: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def closed(**properties: Any) -> dict[str, Any]:
    return {**obj(**properties), "additionalProperties": False}


FREE = {"type": "object"}
NODE = {"$ref": "#/$defs/node", "$defs": {"node": obj(next={"$ref": "#/$defs/node"})}}

CASES: dict[str, tuple[Any, Any, Relation]] = {
    "a description": (obj(a=TEXT), obj(a={**TEXT, "description": "x"}), Relation.EQUIVALENT),
    "a default": (obj(a=TEXT), obj(a={**TEXT, "default": "x"}), Relation.EQUIVALENT),
    "type as a list": (obj(a=TEXT), obj(a={"type": ["string"]}), Relation.EQUIVALENT),
    "order of required": (obj(("a", "b"), a=TEXT, b=TEXT), obj(("b", "a"), a=TEXT, b=TEXT), Relation.EQUIVALENT),
    "an optional parameter added": (obj(a=TEXT), obj(a=TEXT, b=TEXT), Relation.WIDENED),
    "an optional parameter removed": (obj(a=TEXT, b=TEXT), obj(a=TEXT), Relation.NARROWED),
    "a first parameter": (FREE, obj(a=TEXT), Relation.WIDENED),
    "enum widened": (obj(a={"enum": ["r"]}), obj(a={"enum": ["r", "w"]}), Relation.WIDENED),
    "enum narrowed": (obj(a={"enum": ["r", "w"]}), obj(a={"enum": ["r"]}), Relation.NARROWED),
    "a limit added": (obj(a=TEXT), obj(a={**TEXT, "maxLength": 9}), Relation.NARROWED),
    "a big limit raised": (obj(a={"maximum": 2**64 - 1}), obj(a={"maximum": 2**64}), Relation.WIDENED),
    "required dropped": (obj(("a",), a=TEXT), obj(a=TEXT), Relation.WIDENED),
    "required added": (obj(a=TEXT), obj(("a",), a=TEXT), Relation.NARROWED),
    "a format dropped": (obj(a={**TEXT, "format": "uri"}), obj(a=TEXT), Relation.WIDENED),
    "null allowed": (obj(a=TEXT), obj(a={"anyOf": [TEXT, {"type": "null"}]}), Relation.WIDENED),
    "closing an object": (obj(a=TEXT), closed(a=TEXT), Relation.NARROWED),
    "opening an object": (closed(a=TEXT), obj(a=TEXT), Relation.WIDENED),
    "opening while removing": (closed(a=TEXT, b=TEXT), obj(a=TEXT), Relation.WIDENED),
    "properties forgotten": (obj(a=obj(b=TEXT)), obj(a=FREE), Relation.WIDENED),
    "a free object beside a limit": (obj(a=FREE, b=TEXT), obj(a=FREE, b={**TEXT, "maxLength": 9}), Relation.NARROWED),
    "a free object beside a widening": (obj(a=FREE, b={"const": 1}), obj(a=FREE, b={}), Relation.WIDENED),
    "a recursive schema, described": (NODE, {**NODE, "description": "x"}, Relation.EQUIVALENT),
    "another pattern": (obj(a={"pattern": "^a"}), obj(a={"pattern": "^b"}), Relation.UNKNOWN),
    "a broken pattern": (obj(a=TEXT), obj(a={"pattern": "("}), Relation.UNKNOWN),
    "a remote reference": (obj(a=TEXT), obj(a={"$ref": "http://127.0.0.1:1/x"}), Relation.UNKNOWN),
    "a reference to a file": (obj(a=TEXT), obj(a={"$ref": "file:///etc/passwd"}), Relation.UNKNOWN),
    "a missing reference": (obj(a=TEXT), obj(a={"$ref": "#/$defs/x"}), Relation.UNKNOWN),
    "a condition": (obj(a=TEXT), {**obj(a=TEXT), "if": {}, "then": {"required": ["a"]}}, Relation.UNKNOWN),
    "properties beside anyOf": (obj(a=TEXT), {**obj(a=TEXT), "anyOf": [obj(b=TEXT)]}, Relation.UNKNOWN),
    "nothing can satisfy it": (obj(a=TEXT), obj(("a",), a=False), Relation.UNKNOWN),
    "another dialect": (
        obj(a=TEXT),
        {**obj(a={**TEXT, "maxLength": 3}), "$schema": "http://json-schema.org/draft-07/schema#"},
        Relation.UNKNOWN,
    ),
    "an unknown dialect": (
        {**obj(a=TEXT), "$schema": "urn:x"},
        {**obj(a={**TEXT, "maxLength": 3}), "$schema": "urn:x"},
        Relation.UNKNOWN,
    ),
    # Each of the two closed would take fewer objects than both together are meant to.
    "a reference beside anyOf": (
        {"$ref": "#/$defs/a", "$defs": {"a": obj(a=TEXT)}},
        {"$ref": "#/$defs/a", "anyOf": [obj(b=TEXT)], "$defs": {"a": obj(a=TEXT)}},
        Relation.UNKNOWN,
    ),
    "anyOf beside oneOf": (
        {"anyOf": [obj(a=TEXT)]},
        {"anyOf": [obj(a=TEXT)], "oneOf": [obj(b=TEXT)]},
        Relation.UNKNOWN,
    ),
    "a reference by a percent sign": (
        {"$ref": "#/%24defs/a", "$defs": {"a": obj(a=TEXT)}},
        {"$ref": "#/$defs/a", "$defs": {"a": obj(a=TEXT, b=TEXT)}},
        Relation.WIDENED,
    ),
    "a reference to a name with a slash": (
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": obj(a=TEXT)}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": obj(a=TEXT, b=TEXT)}},
        Relation.WIDENED,
    ),
    "none before": (None, obj(), Relation.UNKNOWN),
    "none after": (obj(), None, Relation.UNKNOWN),
    "no object": ([1], [2], Relation.UNKNOWN),
    "malformed keywords": (obj(a={"required": 7}), obj(a={"required": "x", "allOf": 3}), Relation.UNKNOWN),
}


@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES)
def test_direction(before: Any, after: Any, expected: Relation) -> None:
    assert relation(before, after) is expected


@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES)
def test_the_way_back_is_never_called_harmless(before: Any, after: Any, expected: Relation) -> None:
    back = {
        Relation.EQUIVALENT: {Relation.EQUIVALENT},
        Relation.NARROWED: {Relation.WIDENED},
        Relation.WIDENED: {Relation.NARROWED, Relation.WIDENED, Relation.UNKNOWN},
        Relation.UNKNOWN: {Relation.UNKNOWN, Relation.WIDENED},
    }
    assert relation(after, before) in back[expected]


def doubling(keyword: str, count: int, leaf: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {f"d{count}": leaf}
    for number in range(count):
        below = {"$ref": f"#/$defs/d{number + 1}"}
        parts[f"d{number}"] = {keyword: [{"type": "array", "items": below}, below]}
    return {"$ref": "#/$defs/d0", "$defs": parts}


def deep(count: int) -> dict[str, Any]:
    schema: dict[str, Any] = TEXT
    for _ in range(count):
        schema = obj(a=schema)
    return schema


def hidden(place: str, reference: str, **properties: Any) -> dict[str, Any]:
    """An object with `properties` in a place where it would not be closed, and a reference to it."""
    target = obj(**properties)
    places: dict[str, dict[str, Any]] = {
        "value": {"$defs": {"x": {"enum": [target]}}},
        "constant": {"properties": {"x": {"const": target}}},
        "unknown keyword": {"x-defs": target},
        "alias": {"properties": {"a/x-y": {}}, "$defs": {"a": {"x-y": target}}},
        "anchor": {"$defs": {"x": {**target, "$anchor": "x"}}},
        "identifier": {"$id": "http://a.example/s", "$defs": {"x": target}},
        "inner identifier": {"$defs": {"x": {"$id": "http://a.example/t", "$defs": {"y": target}}}},
    }
    return {"allOf": [{"$ref": reference}], **places[place]}


@pytest.mark.parametrize(
    ("place", "reference"),
    [
        ("value", "#/$defs/x/enum/0"),
        ("constant", "#/properties/x/const"),
        ("unknown keyword", "#/x-defs"),
        ("alias", "#/$defs/a/x-y"),
        ("anchor", "#x"),
        ("identifier", "http://a.example/s#/$defs/x"),
        ("identifier", "s#/$defs/x"),
        ("inner identifier", "http://a.example/t#/$defs/y"),
    ],
)
def test_a_parameter_that_is_added_where_objects_are_not_closed_is_never_called_harmless(
    place: str, reference: str
) -> None:
    before, after = hidden(place, reference, a=TEXT), hidden(place, reference, a=TEXT, notes=TEXT)
    assert relation(before, after) in {Relation.UNKNOWN, Relation.WIDENED}


def unions(count: int, width: int, start: int) -> list[Any]:
    return [obj((f"p{n}",), **{f"p{m}": {"maxLength": n + start} for m in range(width)}) for n in range(count)]


def referring(count: int, leaf: Any) -> dict[str, Any]:
    """Each definition refers twice to the next: 2**count objects, or a product, once references are followed."""
    below = [{"$ref": f"#/$defs/d{number + 1}"} for number in range(count)]
    parts = {f"d{number}": obj(a=ref, b=ref) for number, ref in enumerate(below)}
    return {"$ref": "#/$defs/d0", "$defs": {**parts, f"d{count}": leaf}}


def patterned(count: int, pattern: str) -> dict[str, Any]:
    return obj(**{f"p{n}": {"pattern": pattern.replace("N", str(n))} for n in range(count)})


def matching(count: int, limit: int) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {f"^a{n}": {"maxLength": n + limit} for n in range(count)}}


def nested(count: int, leaf: Any) -> dict[str, Any]:
    return {"anyOf": [obj(a=nested(count - 1, leaf), b=TEXT), {"type": "array", "items": leaf}]} if count else leaf


# What took the library up to 30 s, up to 500 MB, or longer than anybody waited, before its cost was counted.
HOSTILE = {
    "doubling anyOf": (doubling("anyOf", 30, TEXT), doubling("anyOf", 30, {"maxLength": 1})),
    "doubling oneOf": (doubling("oneOf", 30, TEXT), doubling("oneOf", 30, {"maxLength": 1})),
    "doubling allOf": (doubling("allOf", 30, TEXT), doubling("allOf", 30, {"maxLength": 1})),
    "doubling properties": (referring(30, TEXT), referring(30, {"maxLength": 1})),
    "deep": (deep(300), deep(301)),
    "deeper than the interpreter": (deep(20_000), deep(20_001)),
    "many properties": (obj(**{f"p{n}": TEXT for n in range(4000)}), obj(**{f"q{n}": TEXT for n in range(4000)})),
    "a hundred thousand keys": ({f"k{n}": n for n in range(100_000)}, {f"k{n}": n + 1 for n in range(100_000)}),
    "many branches": ({"anyOf": unions(400, 1, 0)}, {"anyOf": unions(400, 1, 1)}),
    "branches with many properties": ({"anyOf": unions(15, 100, 0)}, {"anyOf": unions(15, 100, 1)}),
    "many branches of one": ({"oneOf": unions(50, 30, 0)}, {"oneOf": unions(50, 30, 1)}),
    "branches below properties": (
        obj(**{f"q{n}": {"anyOf": unions(20, 2, 0)} for n in range(20)}),
        obj(**{f"q{n}": {"anyOf": unions(20, 2, 1)} for n in range(20)}),
    ),
    "branches in branches": (nested(12, {"maxLength": 3}), nested(12, {"maxLength": 4})),
    "products": (
        {"allOf": [{"anyOf": [{"minLength": n, "pattern": f"{m}{n}"} for n in range(12)]} for m in range(12)]},
        {"allOf": [{"anyOf": [{"minLength": n, "pattern": f"{n}{m}"} for n in range(12)]} for m in range(12)]},
    ),
    "a product of neighbours": (
        {"anyOf": [{"minLength": n} for n in range(40)], "oneOf": [{"maxLength": n} for n in range(40)]},
        {"anyOf": [{"minLength": n} for n in range(40)], "oneOf": [{"maxLength": n + 1} for n in range(40)]},
    ),
    "a long enum": (obj(a={"enum": list(range(2400))}), obj(a={"enum": list(range(1, 2401))})),
    "long requirements": (obj(tuple(f"p{n}" for n in range(4000))), obj(tuple(f"p{n}" for n in range(4001)))),
    "requirements of requirements": (
        {"dependentRequired": {f"p{n}": [f"p{m}" for m in range(20)] for n in range(200)}},
        {"dependentRequired": {f"p{n}": [f"p{m}" for m in range(21)] for n in range(200)}},
    ),
    "a greedy pattern": (obj(a={"pattern": "(a+)+$"}), obj(a={"pattern": "(a{1,1000}){1,1000}$"})),
    "many patterns": (patterned(1200, r"(\w{1,9}N)"), patterned(1200, r"(\w{1,8}N)")),
    "patterns of many characters": (patterned(600, r"\p{L}{99}N"), patterned(600, r"\p{L}{98}N")),
    "patterns for names": (matching(400, 1), matching(400, 2)),
    "a huge pattern": (obj(a={"pattern": "a|" * 30_000}), obj(a={"pattern": "b|" * 30_000})),
    "unused definitions": (
        {**obj(a=TEXT), "$defs": {"x": patterned(1200, "N")}},
        {**obj(a={"const": "x"}), "$defs": {"x": patterned(1200, "N")}},
    ),
    "many differences": (
        obj(**{f"p{n}": {"type": "integer", "multipleOf": 6} for n in range(DIFFERING_MAX)}),
        obj(**{f"p{n}": {"type": "integer", "multipleOf": 10} for n in range(DIFFERING_MAX)}),
    ),
    "one difference in many places": (
        {**obj(**{f"p{n}": {"$ref": "#/$defs/x"} for n in range(200)}), "$defs": {"x": {"multipleOf": 6}}},
        {**obj(**{f"p{n}": {"$ref": "#/$defs/x"} for n in range(200)}), "$defs": {"x": {"multipleOf": 10}}},
    ),
    "a huge text": (obj(a={"const": "x" * 2_000_000}), obj(a={"const": "y" * 2_000_000})),
    "a huge key": (obj(**{"x" * (KEY_MAX + 1): TEXT}), obj(**{"y" * (KEY_MAX + 1): TEXT})),
    "a huge number": (obj(a={"maximum": 10**4000}), obj(a={"multipleOf": 1e-308})),
}


@pytest.mark.parametrize(("before", "after"), HOSTILE.values(), ids=HOSTILE)
def test_what_would_blow_up_the_comparison_is_unknown(before: Any, after: Any) -> None:
    assert relation(before, after) is Relation.UNKNOWN
    assert relation(after, before) is Relation.UNKNOWN


def test_schemas_that_only_refer_to_themselves_end() -> None:
    assert relation({"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}) in Relation
    assert relation(obj(a=TEXT), {"$ref": "#"}) not in {Relation.EQUIVALENT, Relation.NARROWED}


def test_what_costs_too_much_never_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    # Native code cannot be interrupted, so the limits must hold before it is called. The others are cheap to refuse.
    monkeypatch.setattr("tools.schemas.jsonschema_rs.canonicalize", lambda *_args, **_kwargs: pytest.fail("compared"))
    for name in HOSTILE.keys() - {"a huge number"}:
        assert relation(*HOSTILE[name]) is Relation.UNKNOWN, name


def test_the_dearest_schema_within_the_limits_is_compared() -> None:
    sizes = (COST_MAX - 2, COST_MAX - 1)
    at_limit, beyond = ({"properties": dict.fromkeys(map(str, range(size)), True)} for size in sizes)
    assert relation(at_limit, {**at_limit, "maxProperties": 3}) is Relation.NARROWED
    assert relation(beyond, {**beyond, "maxProperties": 3}) is Relation.UNKNOWN


def test_large_annotations_alone_are_no_reason_not_to_compare() -> None:
    before, after = obj(a={**TEXT, "description": "x" * 500_000}), obj(a={**TEXT, "description": "y" * 500_000})
    assert relation(before, after) is Relation.EQUIVALENT
    assert relation(obj(a={"examples": list(range(NODES_MAX))}), obj(a={})) is Relation.UNKNOWN


def test_counted_repetitions_make_a_pattern_dear() -> None:
    plain, counted, twice = (pattern_cost(text) for text in ("^[a-z]+$", "^[a-z]{1,64}$", "^([a-z]{64}){64}$"))
    assert plain < counted < twice
    assert pattern_cost("(a{1,1000}){1,1000}") > COST_MAX
    assert pattern_cost("(?x)(a{1,1000}) {1000,}") > COST_MAX
    uuid = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
    assert relation(obj(a={"pattern": uuid}), obj(a={"pattern": uuid}, b={"pattern": uuid})) is Relation.WIDENED
    assert pattern_cost(7) == pattern_cost("")


def test_an_ordinary_large_tool_is_within_the_limits() -> None:
    kinds = [TEXT, {"enum": ["a", "b"]}, {"anyOf": [TEXT, {"type": "null"}]}, {"type": "array", "items": TEXT}]
    patterns = {"pattern": "^[0-9a-f]{8}-[0-9a-f]{4}$", "type": "string"}
    before = obj(("p1",), **{f"p{n}": kinds[n % 4] for n in range(60)}, id=patterns, when={"$ref": "#/$defs/t"})
    before["$defs"] = {"t": {"oneOf": [obj(at=TEXT), obj(after=TEXT, before=TEXT)]}}
    after = json.loads(json.dumps(before))
    after["properties"]["new"] = TEXT
    assert relation(before, after) is Relation.WIDENED
    assert schemas._Costs(before).of(before) < COST_MAX / 2


def test_a_panic_of_the_library_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(*args: Any, **kwargs: Any) -> None:
        raise PanicException

    monkeypatch.setattr("tools.schemas.jsonschema_rs.canonicalize", panic)
    assert relation(obj(a=TEXT), obj(a={"maxLength": 1})) is Relation.UNKNOWN


def test_values_that_look_like_annotations_stay() -> None:
    schema = {"properties": {"title": {"title": "x", "enum": [{"title": "y"}]}}, "const": {"default": 1}}
    kept = {"properties": {"title": {"enum": [{"title": "y"}]}}, "const": {"default": 1}}
    assert json.dumps(without_annotations(schema)) == json.dumps(kept)
