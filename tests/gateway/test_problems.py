"""What is amiss, said without the value."""

from typing import Any

import jsonschema_rs
import pytest

from gateway.problems import PATH_MAX, path_text, problem_of

SECRET = "hunter2-hunter2"


def first(schema: Any, value: Any) -> Any:
    """The problem of the first error."""
    with pytest.raises(jsonschema_rs.ValidationError) as caught:
        jsonschema_rs.Draft202012Validator(schema, offline=True).validate(value)
    return problem_of(caught.value, "arguments")


@pytest.mark.parametrize(
    ("schema", "value", "rule", "words"),
    [
        ({"required": ["city"]}, {}, "required", 'needs the property "city"'),
        ({"dependentRequired": {"a": ["b"]}}, {"a": SECRET}, "dependentRequired", 'needs the property "b"'),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": SECRET}, "additionalProperties", 'no property named "b"'),
        ({"additionalProperties": False}, {"b": SECRET}, "additionalProperties", "is not allowed"),
        ({"unevaluatedProperties": False}, {"b": SECRET}, "unevaluatedProperties", 'no property named "b"'),
        ({"propertyNames": {"maxLength": 1}}, {"long": SECRET}, "propertyNames", "name is not allowed"),
        ({"type": "integer"}, SECRET, "type", "must be of type integer"),
        ({"type": ["integer", "null"]}, SECRET, "type", " or "),
        ({"enum": ["a", "b"]}, SECRET, "enum", 'must be one of "a"'),
        ({"const": {"a": 1}}, SECRET, "const", 'must be {"a"'),
        ({"minimum": 3}, 1, "minimum", "at least 3"),
        ({"maximum": 2**64}, 2**64 + 1, "maximum", "at most 18446744073709551616"),
        ({"exclusiveMinimum": 3}, 3, "exclusiveMinimum", "more than 3"),
        ({"exclusiveMaximum": 3.5}, 4, "exclusiveMaximum", "less than 3.5"),
        ({"multipleOf": 3}, 4, "multipleOf", "multiple of 3"),
        ({"minLength": 99}, SECRET, "minLength", "at least 99 characters"),
        ({"maxLength": 1}, SECRET, "maxLength", "at most 1 characters"),
        ({"minItems": 2}, [SECRET], "minItems", "at least 2 items"),
        ({"maxItems": 0}, [SECRET], "maxItems", "at most 0 items"),
        ({"minProperties": 2}, {"a": SECRET}, "minProperties", "at least 2 properties"),
        ({"maxProperties": 0}, {"a": SECRET}, "maxProperties", "at most 0 properties"),
        ({"pattern": "^a$"}, SECRET, "pattern", 'match the pattern "^a$"'),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, SECRET, "anyOf", "none of the alternatives"),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, SECRET, "oneOf", "none of the alternatives"),
        ({"oneOf": [{}, {}]}, SECRET, "oneOf", "more than one"),
        ({"uniqueItems": True}, [SECRET, SECRET], "uniqueItems", "the same item twice"),
        ({"contains": {"type": "null"}}, [SECRET], "contains", "right number of items"),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1, SECRET], "unevaluatedItems", "more items"),
        ({"not": {}}, SECRET, "not", "ruled out"),
        (False, SECRET, "falseSchema", "not allowed"),
        ({"contentEncoding": "base64", "maxLength": 1}, SECRET, "maxLength", "at most 1"),
    ],
)  # fmt: skip
def test_every_keyword_has_its_sentence_and_none_repeats_the_value(
    schema: Any, value: Any, rule: str, words: str
) -> None:
    problem = first(schema, value)
    assert problem.rule == rule
    assert words in problem.message
    assert problem.message.startswith(problem.path)
    assert problem.message.endswith(".")
    assert SECRET not in repr(problem)


def test_the_alternative_that_was_meant_is_explained() -> None:
    one = {"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["n"]}
    other = {"type": "object", "properties": {"kind": {"const": "b"}, "t": {"type": "string"}}, "required": ["t"]}
    nullable = {"oneOf": [{"anyOf": [one, other]}, {"type": "null"}]}
    assert first(nullable, {"kind": "a", "n": "x"}).path == "arguments.n"
    assert 'property "t"' in first(nullable, {"kind": "b"}).message
    assert first(nullable, {"kind": "c"}).rule == "anyOf"
    assert first({"anyOf": [{"type": "integer", "maximum": 3}, {"type": "null"}]}, 7).rule == "maximum"


def test_a_path_reads_like_code_and_has_an_end() -> None:
    assert path_text(["cities", 2, "na me", "1x"], "arguments") == 'arguments.cities[2]["na me"]["1x"]'
    assert path_text(["line\nbreak"], "a") == 'a["line\\nbreak"]'
    assert len(path_text(["x" * 10_000], "a")) < 100
    assert len(path_text(["step"] * 1000, "a")) == PATH_MAX


def test_long_names_and_long_schemas_are_cut() -> None:
    names = {"n" * 5000 + str(n): 1 for n in range(50)}
    assert len(first({"properties": {"a": {}}, "additionalProperties": False}, names).message) < 600
    assert len(first({"enum": ["o" * 5000]}, 1).message) < 400
