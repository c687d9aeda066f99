"""What tools say that they do, and what is assumed where they say nothing."""

from importlib import import_module
from typing import Any

import pytest

from tools.effects import Effect, effect_of


@pytest.mark.parametrize(
    ("annotations", "effect"),
    [
        ({"readOnlyHint": True}, Effect.READS),
        ({"readOnlyHint": True, "destructiveHint": True}, Effect.READS),
        ({"destructiveHint": False}, Effect.WRITES),
        ({"readOnlyHint": False, "destructiveHint": False}, Effect.WRITES),
        ({"readOnlyHint": False}, Effect.DESTROYS),
        ({"idempotentHint": True}, Effect.DESTROYS),
    ],
)
def test_a_tool_does_what_its_annotations_say(annotations: dict[str, bool], effect: Effect) -> None:
    assert effect_of("tool", {"name": "t", "annotations": annotations}) is effect
    # What was kept of versions of before is what would be kept of them now.
    assert import_module("tools.migrations.0011_effects")._effect({"annotations": annotations}) == effect.value


@pytest.mark.parametrize("annotations", [None, {}, [], "readOnlyHint", {"readOnlyHint": "true"}, {"readOnlyHint": 1}])
def test_what_says_nothing_that_counts_is_taken_for_the_worst(annotations: Any) -> None:
    assert effect_of("tool", {"name": "t", "annotations": annotations}) is Effect.DESTROYS
    assert effect_of("tool", {"name": "t"}) is Effect.DESTROYS


def test_only_tools_have_an_effect() -> None:
    assert effect_of("resource", {"uri": "a:b", "annotations": {"readOnlyHint": True}}) is None
