"""Header values, and the headers that a schema asks for."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value, mcp_param_headers, x_mcp_header_map

from gateway.headers import decode_value, disagreement, encode_value, header_map, param_headers

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "dry": {"type": "boolean", "x-mcp-header": "Dry"},
        "where": {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}},
        "plain": {"type": "string"},
    },
}
ARGUMENTS = {"region": "eu", "count": 2**64, "dry": True, "where": {"zone": "Zürich"}, "plain": "x"}


@pytest.mark.parametrize("value", ["read", "a b", " edge", "Zürich", "line\nbreak", "", "=?base64?eA==?="])
def test_values_travel_as_the_reference_implementation_writes_them(value: str) -> None:
    assert encode_value(value) == encode_header_value(value)
    assert decode_value(encode_value(value)) == value == decode_header_value(encode_value(value))


EDGES = st.sampled_from(["", " ", "\t", "\n", "\x7f", "\xa0", "\xe4", "=?base64?", "?=", "=", "a"])


@given(st.text(max_size=3), EDGES, EDGES)
def test_any_value_travels_plain_only_where_the_reference_implementation_lets_it(text: str, one: str, two: str) -> None:
    value = one + text + two
    assume(not any("\ud800" <= letter <= "\udfff" for letter in value))
    assert encode_value(value) == encode_header_value(value)


@pytest.mark.parametrize("value", ["=?base64?!?=", "=?base64?eA=?=", "=?base64?eB==?=", "=?base64?/w==?="])
def test_a_malformed_sentinel_agrees_with_nothing(value: str) -> None:
    assert decode_value(value) is None


def test_headers_of_a_call_are_those_of_the_reference_implementation() -> None:
    expected = {name.lower(): value for name, value in mcp_param_headers(x_mcp_header_map(SCHEMA), ARGUMENTS).items()}
    assert param_headers(header_map(SCHEMA), ARGUMENTS) == expected
    assert param_headers({}, ARGUMENTS) == {}


@pytest.mark.parametrize(
    "property_",
    [
        {"type": "number", "x-mcp-header": "N"},
        {"type": "string", "x-mcp-header": "a b"},
        {"type": "string", "x-mcp-header": 1},
        {"type": ["string"], "x-mcp-header": "N"},
    ],
)
def test_an_invalid_annotation_asks_for_nothing(property_: dict[str, Any]) -> None:
    assert header_map({"properties": {"a": property_}}) == {}


@pytest.mark.parametrize("schema", [None, True, [], {"properties": []}, {"properties": {"a": 1}}])
def test_a_schema_of_any_shape_is_read(schema: Any) -> None:
    assert header_map(schema) == {}


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({}, None),
        ({"mcp-param-count": f"{2**64}.0"}, None),
        ({"mcp-param-region": "us"}, "mcp-param-region"),
        ({"mcp-param-region": None}, "mcp-param-region"),
        ({"mcp-param-count": "1e3"}, "mcp-param-count"),
        ({"mcp-param-dry": "True"}, "mcp-param-dry"),
        ({"mcp-param-zone": "=?base64?!?="}, "mcp-param-zone"),
        ({"mcp-param-unknown": "x"}, None),
    ],
)
def test_a_header_that_disagrees_is_named(change: dict[str, str | None], culprit: str | None) -> None:
    mapped = header_map(SCHEMA)
    received = {**param_headers(mapped, ARGUMENTS), **change}
    found = {name: value for name, value in received.items() if value is not None}
    assert disagreement(mapped, ARGUMENTS, found) == culprit


def test_a_header_without_its_argument_disagrees() -> None:
    assert disagreement(header_map(SCHEMA), {}, {"mcp-param-region": "eu"}) == "mcp-param-region"
