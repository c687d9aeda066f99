"""What a schema may cost is known from its text."""

from itertools import pairwise
from typing import Any

import pytest

from gateway.weight import COUNTED_DEPTH, DEPTH_MAX, NODES_MAX, Unbounded, Weight


def doubling(times: int, keyword: str = "allOf") -> dict[str, Any]:
    """Each definition asks twice for the next one."""
    steps: dict[str, Any] = {f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(times)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{times}": {"type": "integer"}}}


def nested(times: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(times):
        schema = {"items": schema}
    return schema


ALTERNATIVES = {"anyOf": [{"properties": {"c": {"$ref": "#"}}}, {"properties": {"c": {"$ref": "#"}}}]}


@pytest.mark.parametrize(
    ("schema", "visits"),
    [
        ({}, 1),
        ({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(100)}}, 1),
        ({"properties": {"a": {}}, "patternProperties": {"^a": {}}, "additionalProperties": {}}, 3),
        ({"anyOf": [{}, {}, {"allOf": [{}, {}]}]}, 6),
        ({"anyOf": [{"properties": {"k": {}}}, {"properties": {"k": {}}}, {"properties": {"other": {}}}]}, 4),
        ({"if": {}, "then": {}, "else": {}, "not": {}}, 5),
        ({"dependentSchemas": {"a": {}, "b": {}}}, 3),
        ({"enum": list(range(400))}, 101),
        ({"items": {"required": [f"r{n}" for n in range(40)]}}, 11),
        ({"prefixItems": [{}, {}], "contains": {}}, 2),
        ({"$defs": {"unused": doubling(30)}}, 1),
    ],
)
def test_what_is_counted_is_how_often_one_place_is_visited(schema: dict[str, Any], visits: int) -> None:
    assert Weight(schema).visits == visits


def test_references_multiply() -> None:
    assert Weight(doubling(30)).visits > 2**30
    assert Weight(doubling(30, "anyOf")).visits > 2**30
    assert Weight(doubling(30, "prefixItems")).visits == 2  # two items are two places


def test_what_recurs_counts_once_as_long_as_it_is_remembered() -> None:
    assert Weight(ALTERNATIVES).visits < 30


def test_without_memory_what_recurs_doubles_with_every_level() -> None:
    counted = Weight(ALTERNATIVES).by_depth
    assert len(counted) == COUNTED_DEPTH
    assert all(later >= 2 * earlier for earlier, later in pairwise(counted))
    assert Weight(doubling(5)).by_depth == ()


def test_what_is_unevaluated_is_found_by_looking_again_at_every_level() -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(20):
        schema = {"anyOf": [{"unevaluatedProperties": schema}], "unevaluatedProperties": False}
    assert Weight(schema).visits > 3**20
    assert Weight({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}).visits < 10
    with pytest.raises(Unbounded, match="unevaluated"):
        Weight({"unevaluatedItems": {"$ref": "#"}})


def test_a_tree_of_two_children_does_not_double() -> None:
    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert set(Weight(tree).by_depth) == {1, 2}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"not": {"$ref": "#"}},
        {"if": {"$ref": "#/$defs/a"}, "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}},
        {"$dynamicAnchor": "x", "$dynamicRef": "#x"},
        {"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveRef": "#"},
    ],
)
def test_what_leads_back_to_the_same_place_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Unbounded, match="refers to itself"):
        _ = Weight(schema).visits


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1/x", "file:///etc/passwd", "other.json", "//host/x", "#/$defs/absent", "#absent", "", "#/$defs/list/7",
     "https://json-schema.org/draft/2020-12/schema", 7, None],
)  # fmt: skip
def test_a_reference_leads_into_the_schema_or_nowhere(reference: Any) -> None:
    with pytest.raises(Unbounded, match="not in it"):
        Weight({"$ref": reference, "$defs": {"list": [{}]}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"enum": list(range(40))}}},
        {"$ref": "#/x-mine/0", "x-mine": [{"enum": list(range(40))}]},
        {"$ref": "#named", "$defs": {"a": {"$anchor": "named", "enum": list(range(40))}}},
        {"$id": "https://h/s", "$ref": "https://h/s#/$defs/a", "$defs": {"a": {"enum": list(range(40))}}},
        {"$id": "https://h/s#", "$ref": "#/$defs/a", "$defs": {"a": {"enum": list(range(40))}}},
    ],
)
def test_references_of_every_spelling_are_followed(schema: dict[str, Any]) -> None:
    assert Weight(schema).visits == 12


def test_the_own_address_alone_is_the_whole() -> None:
    assert Weight({"$id": "https://h/s", "items": {"$ref": "https://h/s"}}).visits > 1


@pytest.mark.parametrize("target", [True, False])
def test_a_reference_may_lead_to_a_boolean(target: bool) -> None:  # noqa: FBT001 -- a schema
    assert Weight({"$ref": "#/$defs/a", "$defs": {"a": target}}).visits >= 2


def test_an_address_inside_would_change_what_references_mean() -> None:
    with pytest.raises(Unbounded, match="address of its own"):
        Weight({"properties": {"a": {"$id": "http://other/", "$ref": "#/$defs/b"}}, "$defs": {"b": {}}})
    assert Weight({"properties": {"a": {"$id": "http://other/"}}}).visits == 1  # nothing refers to anything
    assert Weight({"properties": {"$id": {"type": "string"}, "id": {"type": "string"}}}).visits == 1
    assert (
        Weight({"properties": {"a": {"id": "city", "items": {"$ref": "#/$defs/b"}}}, "$defs": {"b": {}}}).visits == 2
    )  # no keyword since draft 6


def test_size_and_depth_have_ends() -> None:
    with pytest.raises(Unbounded, match="too large"):
        Weight({"enum": list(range(NODES_MAX))})
    with pytest.raises(Unbounded, match="too deep"):
        Weight(nested(DEPTH_MAX + 1))
    with pytest.raises(Unbounded, match="too deep"):
        Weight(nested(100_000))
    chain = {f"a{n}": {"properties": {"x": {"$ref": f"#/$defs/a{n + 1}"}}} for n in range(DEPTH_MAX)}
    with pytest.raises(Unbounded, match="too deep"):
        Weight({"$ref": "#/$defs/a0", "$defs": {**chain, f"a{DEPTH_MAX}": {}}})
    assert Weight(nested(DEPTH_MAX - 1)).visits == 1


def test_patterns_count_where_they_are_used() -> None:
    light = {"pattern": "^a$"}
    heavy: dict[str, Any] = {"patternProperties": {"^[ab]{1,1000}$": {}}}
    assert 0 < Weight(light).patterns < 20
    assert Weight({"items": heavy}).patterns > 500
    assert Weight({"$defs": {"unused": heavy}}).patterns == 0


def test_what_stands_below_a_turning_keyword_is_told() -> None:
    schema = {"not": {"$ref": "#/$defs/a"}, "anyOf": [{"title": "b"}], "$defs": {"a": {"items": {"title": "c"}}}}
    titles = {each.get("title") for each in Weight(schema).turned()}
    assert "c" in titles
    assert "b" not in titles
