"""Arguments and results against schemas that strangers wrote."""

import json
import socket
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import jsonrpc, validation
from gateway.patterns import ENGINE
from gateway.problems import Problem
from gateway.validation import Unusable, Validator, compile_schema, result_problem

SECRET = "hunter2-hunter2"
EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def nested(times: int, name: str = "c") -> Any:
    value: Any = 1
    for _ in range(times):
        value = {name: value}
    return value


def rules(schema: Any, value: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.rule) for problem in compile_schema(schema).problems(value)]


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        ({}, {"any": 1}, []),
        (True, 7, []),
        (False, 7, [("arguments", "not")]),
        ({"type": "object", "required": ["a"]}, {}, [("arguments", "required")]),
        ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [1, "x", 2, None]}, [("arguments.a[1]", "type"), ("arguments.a[3]", "type")]),
        ({"items": {"type": "integer"}}, ["x"] * 9, [(f"arguments[{n}]", "type") for n in range(5)]),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, 1, [("arguments", "type")]),
        ({"$ref": "#named", "$defs": {"a": {"$anchor": "named", "type": "string"}}}, 1, [("arguments", "type")]),
        ({"format": "email"}, "no address", []),
        ({"$schema": DRAFT_7, "format": "email"}, "no address", []),
        ({"prefixItems": [{"type": "string"}]}, [1], [("arguments[0]", "type")]),
        ({"$schema": DRAFT_7, "prefixItems": [{"type": "string"}]}, [1], []),
        ({"$schema": DRAFT_7, "items": [{"type": "string"}]}, [1], [("arguments[0]", "type")]),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "null"}, 1, [("arguments", "type")]),
    ],
)  # fmt: skip
def test_a_schema_means_what_its_dialect_says(schema: Any, value: Any, found: list[tuple[str, str]]) -> None:
    assert rules(schema, value) == found


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "integer"}, "18446744073709551616", True),
        ({"maximum": 2**64 - 1}, "18446744073709551615", True),
        ({"maximum": 2**64 - 1}, "18446744073709551616", False),
        ({"const": 2**53}, "9007199254740993", False),
        ({"minimum": -(2**70)}, str(-(2**70) - 1), False),
        ({"type": "integer"}, "1" * 4000, True),
        ({"maximum": 1}, "1" * 4000, False),
        ({"type": "integer"}, "1.0", True),
        ({"type": "integer"}, "1.00", True),
        ({"type": "integer"}, "1E2", True),
        ({"type": "integer"}, "1.10", False),
        ({"maximum": 1.1}, "1.10", True),
        ({"maximum": 1}, "1.10", False),
        ({"multipleOf": 0.1}, "0.30", True),
        ({"enum": [100]}, "1e2", True),
        ({"type": "string"}, "1.10", False),
        ({"type": "number"}, "1e-400", True),
        ({"items": {"properties": {"a": {"minimum": 2}}}}, '[{"a": 1.50}]', False),
        ({"type": "integer"}, "true", False),
        ({"const": False}, "0", False),
    ],
)
def test_numbers_are_judged_as_they_arrive(schema: Any, value: str, fits: bool) -> None:  # noqa: FBT001 -- a column
    """Through the gateway's own parser, which keeps the digits that a float would lose."""
    message = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"v":' + value.encode() + b"}}")
    assert isinstance(message, jsonrpc.Request)
    arrived = message.params["v"]
    validator = compile_schema(schema)
    assert (validator.first_problem(arrived) is None) is fits
    assert (not validator.problems(arrived)) is fits


@given(
    st.sampled_from([
        {"type": "integer"},
        {"maximum": 2**64},
        {"multipleOf": 0.1},
        {"items": {"type": "string", "pattern": "^a+$"}, "maxItems": 2},
        {"items": {"pattern": EMAIL}},
        {"properties": {f"p{at}": {"anyOf": [{"type": "string"}] * 9} for at in range(9)}},
        {"required": ["a"], "additionalProperties": False, "properties": {"a": {"enum": [1, "x"]}}},
    ]),
    st.sampled_from(["1", "1.10", "1E2", "1e-400", "9" * 400, '"a"', '["a", "b"]', '["a", 1.50, "b"]', '{"a": 1}', '{"a": 1.0}', '{"b": {}, "p1": 1.10}', "null"]),
)  # fmt: skip
def test_the_first_thing_amiss_is_the_first_of_all(schema: Any, value: str) -> None:
    message = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"v":%s}}' % value.encode())
    assert isinstance(message, jsonrpc.Request)
    validator, arrived = compile_schema(schema), message.params["v"]
    found = validator.first_problem(arrived)
    assert [found] * (found is not None) == validator.problems(arrived, limit=1)


@pytest.mark.parametrize(
    "schema",
    [
        None, 7, "{}", [],
        {"type": "strin"}, {"required": "a"}, {"properties": []}, {"minimum": "1"}, {"pattern": "("},
        {"$schema": "urn:unknown"}, {"$schema": "http://json-schema.org/draft-03/schema#"}, {"$schema": 7},
        {"$ref": "http://127.0.0.1:9/x"}, {"$ref": "file:///etc/passwd"}, {"$ref": "other.json"}, {"$ref": "#/$defs/x"},
        {"$schema": "http://127.0.0.1:9/x"},
        {"$ref": "#"}, {"properties": {"a": {"$id": "http://h/", "$ref": "#"}}},
        {"pattern": "a{1,1000000}"}, {"not": {"pattern": EMAIL}}, {"$schema": DRAFT_6, "pattern": EMAIL},
        {"allOf": [{"pattern": f"^[a-z]{{1,{1000 + n}}}$"} for n in range(9)]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"unevaluatedProperties": {"$ref": "#/$defs/a"}}], "unevaluatedProperties": False}}},
    ],
)  # fmt: skip
def test_what_nothing_can_be_checked_against_is_unusable_and_says_why(schema: Any) -> None:
    with pytest.raises(Unusable) as caught:
        compile_schema(schema)
    assert 5 < len(caught.value.sentence) < 300
    assert "\n" not in caught.value.sentence


@pytest.mark.network
@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://ADDRESS/x"},
        {"$ref": "http://ADDRESS/x#/$defs/a"},
        {"$id": "http://ADDRESS/base", "$ref": "other"},
        {"$id": "http://ADDRESS/base", "properties": {"a": {"$ref": "/other#a"}}},
        {"$schema": "http://ADDRESS/dialect"},
        {"$schema": "http://ADDRESS/dialect#"},
        {"properties": {"a": {"$id": "http://ADDRESS/in/", "$ref": "other"}}},
        {"$dynamicRef": "http://ADDRESS/x#y"},
        {"$defs": {"unused": {"$ref": "http://ADDRESS/x"}}},
        {"$schema": DRAFT_7, "$ref": "http://ADDRESS/x"},
        {"$schema": DRAFT_7, "definitions": {"a": {"$ref": "http://ADDRESS/x"}}},
        {"if": {"$ref": "http://ADDRESS/x"}},
        {"enum": [{"$ref": "http://ADDRESS/x"}]},
        {"pattern": EMAIL, "items": {"$ref": "http://ADDRESS/x"}},
    ],
)
def test_no_schema_makes_us_call_anybody(schema: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        told = json.loads(json.dumps(schema).replace("ADDRESS", address))
        with suppress(Unusable):
            compile_schema(told).problems({"a": 1})
        with suppress(ValueError):  # the library by itself, had nobody read the schema before
            validation._by_library(told, ENGINE).is_valid({"a": 1})
        with pytest.raises(BlockingIOError):  # nobody is waiting to be accepted
            listener.accept()


@pytest.mark.network
def test_the_listener_would_have_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        listener.settimeout(60)
        listener.accept()[0].close()


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)*$", "(x+x+)+y", r"^(\w+\s?)*$", "^([a-z]+[0-9]*)*!$"])
def test_no_pattern_backtracks(pattern: str) -> None:
    """With an engine that does, none of these ever ends."""
    validator = compile_schema({"pattern": pattern})
    assert validator.first_problem("a" * 200_000 + "\n!")
    assert validator.first_problem("x" * 200_000 + "!\n")


def test_an_address_with_look_ahead_is_checked() -> None:
    validator = compile_schema({"properties": {"to": {"type": "string", "pattern": EMAIL}, "body": {"type": "string"}}})
    assert validator.first_problem({"to": "a.b@example.com", "body": "x" * 100_000}) is None
    for wrong in ("a..b@example.com", "nobody", ".a@b.cc"):
        problem = validator.first_problem({"to": wrong})
        assert problem is not None
        assert (problem.path, problem.rule) == ("arguments.to", "pattern")
    too_long = validator.first_problem({"to": "a" * 1001 + "@b.cc"})
    assert too_long is not None
    assert too_long.rule == "maxLength"


@pytest.mark.parametrize(
    "pattern", [r"((?=a*x)a|b|a)*y", r"^(?=(a+)+$)b", r"^(a+)+\1$", r"(?!.*x)b", r"(?=a)c|^(a*)*!\1$"]
)
def test_look_around_gives_up_and_what_it_gave_up_on_does_not_fit(pattern: str) -> None:
    validator = compile_schema({"items": {"pattern": pattern}})
    for value in (["a" * 999 + "c"] * 40, ["a" * 1000 + "!"]):
        assert validator.first_problem(value)
    too_much = validator.first_problem(["a" * 1000] * 1000)
    assert too_much is not None
    assert "too large" in too_much.message


def doubling(times: int, keyword: str) -> dict[str, Any]:
    steps: dict[str, Any] = {f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(times)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{times}": {"type": "integer"}}}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("times", [11, 13, 25, 31])
def test_what_doubles_with_every_reference_is_refused_before_it_is_tried(keyword: str, times: int) -> None:
    if times > 12:
        with pytest.raises(Unusable, match="too long"):
            compile_schema(doubling(times, keyword))
    else:
        problem = compile_schema(doubling(times, keyword)).first_problem("x")
        assert problem is not None
        assert not problem.rule  # an error for each alternative of each alternative is too much to collect


RECURRING = {
    "anyOf": {"anyOf": [{"properties": {"c": {"$ref": "#"}}, "required": ["z"]}] * 2},
    "oneOf": {"oneOf": [{"properties": {"c": {"$ref": "#"}}, "minProperties": 5}, {"properties": {"c": {"$ref": "#"}}, "required": ["z"]}]},
    "allOf": {"allOf": [{"properties": {"c": {"$ref": "#"}}}] * 2, "not": {"type": "string"}},
    "patternProperties": {"properties": {"c": {"$ref": "#"}}, "patternProperties": {"^c": {"$ref": "#"}}, "type": "object"},
    "if": {"if": {"properties": {"c": {"$ref": "#"}}}, "then": {"properties": {"c": {"$ref": "#"}}}, "required": ["z"]},
    "dynamic": {"$dynamicAnchor": "n", "anyOf": [{"properties": {"c": {"$dynamicRef": "#n"}}, "required": ["z"]}] * 2},
}  # fmt: skip


@pytest.mark.parametrize("name", RECURRING)
@pytest.mark.parametrize("depth", [1, 3, 12, 16, 17, 30, 60])
def test_what_doubles_with_every_level_is_judged_and_explained_only_within_bounds(name: str, depth: int) -> None:
    """Explaining sixty levels would take longer than the universe is old."""
    problem = compile_schema(RECURRING[name]).first_problem(nested(depth))
    if name == "allOf":
        assert problem is None
    else:
        assert problem is not None
        assert depth < 12 or not problem.rule


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"type": "integer"}}, ["x"] * 200_000),
        ({"anyOf": [{"required": [f"r{n}"]} for n in range(1000)]}, {"text": "x" * 1_000_000}),
        ({"anyOf": [{"items": {"type": "integer"}}, {"items": {"type": "null"}}]}, ["x"] * 50_000),
        ({"items": {"enum": [{"a": n} for n in range(3000)]}}, [{"a": -1}] * 20_000),
        ({"patternProperties": {f"^a{n}b*$": {} for n in range(100)}}, {f"a{n}b": 1 for n in range(100_000)}),
        ({"items": {"maximum": 1}}, [10**4000 + n for n in range(500)]),
        ({"uniqueItems": True}, [{"a": n % 99_999} for n in range(100_000)]),
    ],
)
def test_what_is_too_large_is_refused_without_a_reason(schema: Any, value: Any) -> None:
    validator = compile_schema(schema)
    (problem,) = validator.problems(value)
    assert problem == validator.first_problem(value)
    assert (problem.path, problem.rule) == ("arguments", "")


def test_a_schema_may_be_as_deep_as_messages_may_be() -> None:
    schema: Any = {"type": "integer"}
    for _ in range(60):
        schema = {"properties": {"c": schema}}
    assert compile_schema(schema).first_problem(nested(60)) is None
    tree = compile_schema({"properties": {"c": {"$ref": "#"}}, "type": ["object", "integer"]})
    assert tree.first_problem(nested(64)) is None


def test_no_problem_repeats_a_value() -> None:
    schema = {
        "properties": {
            "a": {"type": "integer"}, "b": {"enum": [1]}, "c": {"pattern": "^x$"}, "d": {"anyOf": [{"const": 1}, {"const": 2}]},
            "e": {"not": {"type": "string"}}, "f": {"maxLength": 1}, "g": {"items": {"type": "null"}}, "h": {"const": {"x": 1}},
        },
        "propertyNames": {"maxLength": 5},
    }  # fmt: skip
    value = dict.fromkeys("abcdefh", SECRET) | {"g": [SECRET], "long-name": SECRET}
    problems = compile_schema(schema).problems(value, limit=50)
    assert len(problems) == 9
    assert SECRET not in repr(problems)


OUTPUT = compile_schema({"type": "object", "required": ["n"]}, subject="structuredContent")


@pytest.mark.parametrize(
    ("output", "result", "problem"),
    [
        (None, {"content": []}, None),
        (OUTPUT, {"content": [], "structuredContent": {"n": 1}}, None),
        (OUTPUT, {"content": [], "isError": True}, None),
        (OUTPUT, {"content": [], "isError": True, "structuredContent": {}}, None),
        (OUTPUT, {"content": [], "isError": "true", "structuredContent": {}}, ("structuredContent", "required")),
        (OUTPUT, {"content": [], "structuredContent": {}}, ("structuredContent", "required")),
        (OUTPUT, {"content": [], "structuredContent": None}, ("structuredContent", "type")),
        (OUTPUT, {"content": []}, ("result", "required")),
        (OUTPUT, {"content": [], "isError": False}, ("result", "required")),
    ],
)
def test_a_result_keeps_what_the_output_schema_promises(
    output: Validator | None, result: Any, problem: tuple[str, str] | None
) -> None:
    found = result_problem(output, result)
    assert (None if found is None else (found.path, found.rule)) == problem


def test_problems_are_plain_values() -> None:
    assert compile_schema({"type": "string"}).first_problem(1) == Problem(
        "arguments", "type", "arguments must be of type string."
    )


# A moderate subset of 2020-12, against the pure Python library.
_NAMES = st.sampled_from(["a", "b", "c"])
_NUMBERS = st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, -2.5, 2**64, 2**53 + 1])
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text("ab1é\U0001f600", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=6,
)
_LEAVES = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])}
    ),
    st.fixed_dictionaries({"enum": st.lists(_VALUES, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": _VALUES}),
    st.fixed_dictionaries({"minimum": _NUMBERS}),
    st.fixed_dictionaries({"exclusiveMaximum": _NUMBERS}),
    st.fixed_dictionaries({"multipleOf": st.integers(1, 3)}),
    st.fixed_dictionaries({"minLength": st.integers(0, 3), "maxLength": st.integers(0, 3)}),
    st.fixed_dictionaries({"pattern": st.sampled_from(["^a", "b$", "^[ab]+$", "1"])}),
    st.fixed_dictionaries({"minItems": st.integers(0, 2), "uniqueItems": st.booleans()}),
    st.fixed_dictionaries({"required": st.lists(_NAMES, max_size=2, unique=True), "maxProperties": st.integers(0, 3)}),
    st.fixed_dictionaries(
        {"dependentRequired": st.dictionaries(_NAMES, st.lists(_NAMES, max_size=2, unique=True), max_size=2)}
    ),
    st.fixed_dictionaries({"$ref": st.just("#/$defs/leaf")}),
    st.fixed_dictionaries({"properties": st.fixed_dictionaries({"a": st.just({"$ref": "#"})})}),
)


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({}, optional={"properties": st.dictionaries(_NAMES, inner, max_size=3), "additionalProperties": inner}),
        st.fixed_dictionaries({"patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2)}),
        st.fixed_dictionaries({"items": inner}, optional={"prefixItems": some, "contains": inner}),
        st.fixed_dictionaries({"allOf": some}, optional={"unevaluatedProperties": inner}),
        st.fixed_dictionaries({"anyOf": some}),
        st.fixed_dictionaries({"oneOf": some}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.fixed_dictionaries({"dependentSchemas": st.dictionaries(_NAMES, inner, max_size=2)}),
        st.fixed_dictionaries({"propertyNames": inner}),
    )  # fmt: skip


_SCHEMAS = st.builds(
    lambda schema, leaf: {**schema, "$defs": {"leaf": leaf}},
    st.recursive(_LEAVES, _around, max_leaves=8).filter(lambda schema: isinstance(schema, dict)),
    st.sampled_from([{"type": "integer"}, {"type": "string"}, True, False]),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(_SCHEMAS, st.lists(_VALUES, min_size=1, max_size=4))
def test_two_libraries_agree(schema: Any, values: list[Any]) -> None:
    with suppress(Unusable):  # a reference to the very same place
        _agree(compile_schema(schema), schema, values)


def _agree(validator: Validator, schema: Any, values: list[Any]) -> None:
    oracle = jsonschema.Draft202012Validator(schema)
    for value in values:
        problems = validator.problems(value)
        assert (not problems) is (validator.first_problem(value) is None) is oracle.is_valid(value)
        assert all(len(each.message) < 1000 for each in problems)
        validator.let_go()
        assert validator.problems(value) == problems


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({"properties": {"n": {"maximum": 123456789012345678901234567890}, "x": {"const": 1.5}}}, {"x": 2.5}),
        ({"properties": {"to": {"pattern": EMAIL}}}, {"to": "a..b@example.com"}),
        ({"$schema": DRAFT_7, "items": [{"type": "string", "pattern": "^\u00e4?$"}]}, ["b"]),
        (False, {}),
    ],
)
def test_a_schema_that_was_let_go_judges_and_says_the_same(schema: Any, wrong: Any) -> None:
    validator = compile_schema(schema)
    said = validator.first_problem(wrong)
    assert said is not None
    validator.let_go()
    assert not validator.is_held
    assert validator.first_problem(wrong) == said
    assert validator.is_held


def test_no_more_schemas_are_held_compiled_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with thousands of tools would need some 15 KB for each."""
    monkeypatch.setattr(validation, "COMPILED_BYTES", 50_000)
    made = [compile_schema({"enum": ["some", number]}) for number in range(100)]
    held = [validator for validator in made if validator.is_held]
    assert sum(validator.size for validator in held) <= 50_000
    assert held == made[-len(held) :]
    assert 1 < len(held) < len(made)
    assert made[0].first_problem("some") is None  # and takes the place of one that was compiled before
    assert made[0].is_held
    assert not held[0].is_held


def test_a_schema_that_leaves_no_room_for_others_is_held_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "COMPILED_BYTES", 1)
    assert compile_schema({"type": "object"}).is_held


def test_a_schema_that_takes_long_to_compile_is_never_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call would wait for it, and so would all others of the process."""
    monkeypatch.setattr(validation, "COMPILED_BYTES", 1)
    slow = compile_schema({"pattern": r"^\p{L}{200}$"})
    quick = [compile_schema({"type": kind}) for kind in ("object", "array")]
    assert [validator.is_held for validator in (slow, *quick)] == [True, False, True]
