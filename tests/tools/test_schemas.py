"""Which way a schema changed, and that nothing hostile makes the question expensive."""

import json
import time
from typing import Any

import pytest

from tools.schemas import Relation, relation, without_annotations

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


HOSTILE = {
    "doubling anyOf": (doubling("anyOf", 30, TEXT), doubling("anyOf", 30, {"maxLength": 1})),
    "doubling oneOf": (doubling("oneOf", 30, TEXT), doubling("oneOf", 30, {"maxLength": 1})),
    "doubling allOf": (doubling("allOf", 30, TEXT), doubling("allOf", 30, {"maxLength": 1})),
    "deep": (deep(300), deep(301)),
    "many properties": (obj(**{f"p{n}": TEXT for n in range(4000)}), obj(**{f"q{n}": TEXT for n in range(4000)})),
    "many branches": (
        {"anyOf": [obj((f"p{n}",), **{f"p{n}": {"maxLength": n}}) for n in range(400)]},
        {"anyOf": [obj((f"p{n}",), **{f"p{n}": {"maxLength": n + 1}}) for n in range(400)]},
    ),
    "products": (
        {"allOf": [{"anyOf": [{"minLength": n, "pattern": f"{m}{n}"} for n in range(12)]} for m in range(12)]},
        {"allOf": [{"anyOf": [{"minLength": n, "pattern": f"{n}{m}"} for n in range(12)]} for m in range(12)]},
    ),
    "nested products": (
        {"allOf": [{"anyOf": [{"allOf": [{"anyOf": [{"minLength": n + m} for n in range(40)]}]} for m in range(40)]}]},
        {"allOf": [{"anyOf": [{"allOf": [{"anyOf": [{"maxLength": n + m} for n in range(40)]}]} for m in range(40)]}]},
    ),
    "a greedy pattern": (obj(a={"pattern": "(a+)+$"}), obj(a={"pattern": "(a{1,1000}){1,1000}$"})),
    "a huge text": (obj(a={"const": "x" * 2_000_000}), obj(a={"const": "y" * 2_000_000})),
    "a huge number": (obj(a={"maximum": 10**4000}), obj(a={"multipleOf": 1e-308})),
    "cycles": ({"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
}


@pytest.mark.parametrize(("before", "after"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_schemas_cost_bounded_time(before: Any, after: Any) -> None:
    started = time.monotonic()
    assert relation(before, after) in Relation
    assert time.monotonic() - started < 2


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
