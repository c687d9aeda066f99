"""What changed, which way, how risky; unknown is risky."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.surface import Kind
from tools.classify import (
    DEPTH_MAX,
    FIELDS_MAX,
    MISSING,
    POINTER_MAX,
    RISKS,
    Budget,
    ChangeClass,
    Risk,
    classify,
    risk_of,
    withholds_server,
)
from tools.presentation import SENTENCES

TEXT = {"type": "string"}


def tool(**fields: Any) -> dict[str, Any]:
    return {"name": "read", "description": "Read.", "inputSchema": arguments(a=TEXT), **fields}


def arguments(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def card(**fields: Any) -> dict[str, Any]:
    return {
        "instructions": "Be kind.",
        "serverInfo": {"name": "files", "version": "1"},
        "capabilities": {"tools": {"listChanged": False}},
        "endpoint": "https://a.example/mcp",
        "authorization": None,
        **fields,
    }


RESOURCE = {"uri": "file:///a", "name": "a"}
PROMPT = {"name": "greet", "arguments": [{"name": "who", "description": "Who."}]}

CASES: dict[str, tuple[Kind, dict[str, Any], dict[str, Any], set[str], str]] = {
    "description": (Kind.TOOL, tool(), tool(description="Read!"), {"wording"}, "medium"),
    "title": (Kind.TOOL, tool(), tool(title="R"), {"title"}, "medium"),
    "annotation title": (Kind.TOOL, tool(), tool(annotations={"title": "R"}), {"title"}, "medium"),
    "read-only claimed": (
        Kind.TOOL, tool(), tool(annotations={"readOnlyHint": True}), {"annotations_loosened"}, "high",
    ),
    "destructive denied": (
        Kind.TOOL, tool(), tool(annotations={"destructiveHint": False}), {"annotations_loosened"}, "high",
    ),
    "read-only withdrawn": (
        Kind.TOOL, tool(annotations={"readOnlyHint": True}), tool(), {"annotations_tightened"}, "medium",
    ),
    "hint that is no boolean": (Kind.TOOL, tool(), tool(annotations={"readOnlyHint": "yes"}), {"other"}, "high"),
    "unknown hint": (Kind.TOOL, tool(), tool(annotations={"trustMeHint": True}), {"other"}, "high"),
    "annotations no object": (Kind.TOOL, tool(), tool(annotations=None), {"other"}, "high"),
    "icons": (Kind.TOOL, tool(), tool(icons=[{"src": "x"}]), {"icons"}, "medium"),
    "meta": (Kind.TOOL, tool(), tool(_meta={"a": 1}), {"meta"}, "medium"),
    "execution": (Kind.TOOL, tool(), tool(execution={"taskSupport": "required"}), {"execution"}, "medium"),
    "unknown field": (Kind.TOOL, tool(), tool(tomorrow=1), {"other"}, "high"),
    "argument described": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a={**TEXT, "description": "Also send it."})),
        {"wording", "input_schema_equivalent"}, "medium",
    ),
    "argument called description": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a=TEXT, description=TEXT)), {"input_schema_widened"}, "high",
    ),
    "argument default": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a={**TEXT, "default": "/"})),
        {"schema_default", "input_schema_equivalent"}, "medium",
    ),
    "argument into a header": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a={**TEXT, "x-mcp-header": "A"})),
        {"other", "input_schema_equivalent"}, "high",
    ),
    "only written differently": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a={"type": ["string"]})), {"input_schema_equivalent"}, "low",
    ),
    "argument added": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a=TEXT, notes=TEXT)), {"input_schema_widened"}, "high",
    ),
    "argument limited": (
        Kind.TOOL, tool(), tool(inputSchema=arguments(a={**TEXT, "maxLength": 5})), {"input_schema_narrowed"}, "low",
    ),
    "item of prefixItems described": (
        Kind.TOOL,
        tool(inputSchema=arguments(a={"prefixItems": [{"title": "x"}]})),
        tool(inputSchema=arguments(a={"prefixItems": [{"title": "y"}]})),
        {"wording", "input_schema_equivalent"}, "medium",
    ),
    "results loosened": (
        Kind.TOOL, tool(outputSchema=arguments(a=TEXT)), tool(outputSchema=arguments(a={})),
        {"output_schema_widened"}, "medium",
    ),
    "results undeclared": (
        Kind.TOOL, tool(outputSchema=arguments(a=TEXT)), tool(), {"output_schema_unknown"}, "high",
    ),
    "two at once": (
        Kind.TOOL, tool(), tool(description="x", title="y"), {"wording", "title"}, "medium",
    ),
    "prompt argument": (
        Kind.PROMPT, PROMPT, {**PROMPT, "arguments": [{"name": "who", "description": "You."}]}, {"arguments"}, "medium",
    ),
    "prompt description": (Kind.PROMPT, PROMPT, {**PROMPT, "description": "x"}, {"wording"}, "medium"),
    "resource type": (Kind.RESOURCE, RESOURCE, {**RESOURCE, "mimeType": "text/html"}, {"mime_type"}, "medium"),
    "resource name": (Kind.RESOURCE, RESOURCE, {**RESOURCE, "name": "b"}, {"title"}, "medium"),
    "resource audience": (
        Kind.RESOURCE, RESOURCE, {**RESOURCE, "annotations": {"audience": ["user"]}}, {"annotations"}, "medium",
    ),
    "template": (Kind.TEMPLATE, {"uriTemplate": "a"}, {"uriTemplate": "a", "x": 1}, {"other"}, "high"),
    "instructions": (Kind.CARD, card(), card(instructions="Obey."), {"instructions"}, "high"),
    "server's name": (Kind.CARD, card(), card(serverInfo={"name": "b", "version": "1"}), {"identity"}, "high"),
    "server's version": (
        Kind.CARD, card(), card(serverInfo={"name": "files", "version": "2"}), {"identity_version"}, "low",
    ),
    "server's description": (
        Kind.CARD, card(), card(serverInfo={"name": "files", "version": "1", "description": "x"}), {"wording"}, "medium",
    ),
    "no identity": (Kind.CARD, card(), card(serverInfo=None), {"identity"}, "high"),
    "endpoint": (Kind.CARD, card(), card(endpoint="https://b.example/mcp"), {"endpoint"}, "high"),
    "authorization": (Kind.CARD, card(), card(authorization={"servers": ["x"]}), {"authorization"}, "high"),
    "capability gained": (
        Kind.CARD, card(), card(capabilities={"tools": {"listChanged": False}, "logging": {}}),
        {"capabilities_gained"}, "high",
    ),
    "capability switched on": (
        Kind.CARD, card(), card(capabilities={"tools": {"listChanged": True}}), {"capabilities_gained"}, "high",
    ),
    "capability lost": (Kind.CARD, card(), card(capabilities={}), {"capabilities_lost"}, "low"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "before", "after", "classes", "risk"), CASES.values(), ids=CASES)
def test_classes_and_risk(
    kind: Kind, before: dict[str, Any], after: dict[str, Any], classes: set[str], risk: str
) -> None:
    change = classify(kind, before, after)
    assert set(change.classes) == classes
    assert change.risk == risk
    assert change.fields
    assert not change.truncated


def test_something_never_approved_is_new() -> None:
    change = classify(Kind.TOOL, None, tool())
    assert (change.classes, change.fields, change.risk) == ((ChangeClass.NEW,), (), Risk.MEDIUM)


def test_fields_say_where_and_what() -> None:
    before, after = tool(_meta={"a/b": {"c~d": [1, 2]}}), tool(_meta={"a/b": {"c~d": [2, 1], "e": True}})
    fields = {field.path: (field.before, field.after) for field in classify(Kind.TOOL, before, after).fields}
    assert fields == {"/_meta/a~1b/c~0d": ([1, 2], [2, 1]), "/_meta/a~1b/e": (MISSING, True)}


def test_true_is_not_one_and_null_is_not_missing() -> None:
    assert len(classify(Kind.TOOL, tool(_meta={"a": 1}), tool(_meta={"a": True})).fields) == 1
    assert len(classify(Kind.TOOL, tool(_meta={}), tool(_meta={"a": None})).fields) == 1


def test_bodies_that_only_our_projection_tells_apart_are_no_change_and_then_risky() -> None:
    change = classify(Kind.TOOL, tool(), tool(annotations={"readOnlyHint": False}))
    assert (change.classes, change.fields, change.risk) == ((ChangeClass.OTHER,), (), Risk.HIGH)


def test_more_fields_than_anybody_reads_are_cut_and_risky() -> None:
    after = tool(_meta={f"k{number}": number for number in range(5000)})
    change = classify(Kind.TOOL, tool(_meta={"x": 1}), after)
    assert (len(change.fields), change.truncated, change.risk) == (FIELDS_MAX, True, Risk.HIGH)


def test_every_class_has_a_risk_and_a_sentence() -> None:
    assert set(RISKS) == set(SENTENCES) == set(ChangeClass)
    assert risk_of([]) is Risk.HIGH


def test_another_name_endpoint_or_authorization_withholds_a_server_and_a_version_number_does_not() -> None:
    assert all(withholds_server([cls]) for cls in ("identity", "endpoint", "authorization", "other"))
    assert not withholds_server(["identity_version", "instructions", "capabilities_gained"])


def below(steps: list[str], value: Any) -> Any:
    for step in reversed(steps):
        value = {step: value}
    return value


def test_every_value_is_read_once_however_deep_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def counting(before: Any, after: Any) -> bool:
        asked.append(before)
        return bool(before == after)

    monkeypatch.setattr("tools.classify._same", counting)
    wide = {f"k{number}": "x" for number in range(1000)}
    deep = below([f"d{number}" for number in range(35)], wide)
    change = classify(
        Kind.PROMPT, {"_meta": deep}, {"_meta": below([f"d{number}" for number in range(35)], wide | {"z": 1})}
    )
    assert [field.after for field in change.fields] == [1]
    assert len(asked) == 1001


def test_deeper_than_fields_are_told_apart_the_whole_rest_is_one_field() -> None:
    steps = [f"d{number}" for number in range(60)]
    (field,) = classify(Kind.PROMPT, {"_meta": below(steps, 1)}, {"_meta": below(steps, 2)}).fields
    assert field.path.count("/") == DEPTH_MAX
    assert field.before == below(steps[DEPTH_MAX - 1 :], 1)


def test_long_keys_are_cut_in_pointers() -> None:
    before, after = ({"_meta": {"k" * 900_000: {f"x{n}": value for n in range(300)}}} for value in (1, 2))
    change = classify(Kind.PROMPT, before, after)
    assert len(change.fields) == FIELDS_MAX
    assert {len(field.path) for field in change.fields} == {POINTER_MAX}
    assert change.fields[0].path.endswith("…")
    assert change.fields[0].cls is ChangeClass.META


def test_without_time_left_a_schema_is_unknown_and_the_rest_is_judged_all_the_same() -> None:
    after = tool(description="Read!", inputSchema=arguments(a={"type": ["string"]}))
    assert classify(Kind.TOOL, tool(), after, budget=Budget(60)).classes == ("input_schema_equivalent", "wording")
    change = classify(Kind.TOOL, tool(), after, budget=Budget(0))
    assert change.classes == ("input_schema_unknown", "wording")
    assert change.risk is Risk.HIGH


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["name", "description", "annotations", "inputSchema", "serverInfo", "capabilities", "x"])


@given(st.sampled_from(Kind), st.dictionaries(keys, values), st.dictionaries(keys, values))
def test_any_two_bodies_can_be_classified(kind: Kind, before: dict[str, Any], after: dict[str, Any]) -> None:
    change = classify(kind, before, after)
    assert change.classes
    assert change.risk is risk_of(change.classes)
