"""Regular expressions of strangers, within bounds."""

from typing import Any

import pytest

from gateway.patterns import LOOKING_TEXT_MAX, bounded, looking_patterns
from gateway.weight import Unbounded, Weight

LOOKING = r"^(?!.*\.\.)[a-z.]+@[a-z.]+$"
BACK = r"^(a+)\1$"


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"pattern": "^a+$"}, set()),
        ({"pattern": "("}, set()),  # nobody can read it, so it is no reason for the other engine
        ({"patternProperties": {"^a": {"pattern": "^b"}}}, set()),
        ({"pattern": LOOKING}, {LOOKING}),
        ({"items": {"pattern": BACK}}, {BACK}),
        ({"$defs": {"unused": {"pattern": LOOKING}}}, set()),
        ({"const": {"pattern": LOOKING}}, set()),
    ],
)
def test_look_around_is_found_where_it_is_used(schema: dict[str, Any], found: set[str]) -> None:
    assert looking_patterns(Weight(schema)) == found


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"pattern": LOOKING}},
        {"if": {"pattern": LOOKING}},
        {"oneOf": [{"pattern": LOOKING}, {}]},
        {"contains": {"pattern": LOOKING}},
        {"not": {"properties": {"a": {"$ref": "#/$defs/a"}}}, "$defs": {"a": {"pattern": LOOKING}}},
        {"patternProperties": {LOOKING: {}}},
    ],
)
def test_it_is_refused_where_giving_up_would_let_a_value_through(schema: dict[str, Any]) -> None:
    with pytest.raises(Unbounded):
        looking_patterns(Weight(schema))


def test_it_meets_short_texts_only() -> None:
    schema = {
        "properties": {"a": {"type": "string", "pattern": LOOKING, "allOf": [{"minLength": 1}]}, "b": {"pattern": "b"}},
        "enum": [{"pattern": LOOKING}],
    }
    made = bounded(Weight(schema), frozenset({LOOKING}))
    short = {"maxLength": LOOKING_TEXT_MAX}
    assert made["properties"]["a"] == {
        "type": "string",
        "allOf": [{"minLength": 1}, {"if": short, "then": {"pattern": LOOKING}, "else": short}],
    }
    assert made["properties"]["b"] == schema["properties"]["b"]  # type: ignore[index]
    assert made["enum"] == schema["enum"]
