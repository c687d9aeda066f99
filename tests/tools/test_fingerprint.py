"""The digest: what stands in `docs/pinning.md`, checked against vectors that a stranger can recompute."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.surface import Kind
from tools.fingerprint import ANNOTATION_DEFAULTS, PROJECTION, SURFACE, Unfit, digest, project, surface_digest

VECTORS = Path(__file__).parent / "vectors"
DEFINITIONS = json.loads((VECTORS / "definitions.json").read_text())
SURFACES = json.loads((VECTORS / "surfaces.json").read_text())
BODY = {"name": "read", "description": "Read.", "inputSchema": {"type": "object"}}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
bodies = st.dictionaries(texts, values, max_size=5)


@pytest.mark.parametrize("vector", DEFINITIONS["vectors"], ids=lambda vector: vector["name"])
def test_definition_vectors(vector: Mapping[str, Any]) -> None:
    assert digest(Kind(vector["kind"]), vector["body"]) == vector["digest"]
    assert f"sha256:{hashlib.sha256(vector['preimage'].encode()).hexdigest()}" == vector["digest"]


@pytest.mark.parametrize("vector", SURFACES["vectors"], ids=lambda vector: vector["name"])
def test_surface_vectors(vector: Mapping[str, Any]) -> None:
    assert surface_digest(tuple(item) for item in vector["items"]) == vector["digest"]
    assert f"sha256:{hashlib.sha256(vector['preimage'].encode()).hexdigest()}" == vector["digest"]


def test_the_vectors_are_of_this_projection() -> None:
    assert (DEFINITIONS["projection"], SURFACES["projection"]) == (PROJECTION, SURFACE)


def test_vectors_that_differ_in_meaning_differ_in_digest() -> None:
    same = {"keys in", "empty annotations", "spelled-out", "1 and 1.0 are the same number: 1.0", "a resource without"}
    distinct = [v["digest"] for v in DEFINITIONS["vectors"] if not v["name"].startswith(tuple(same))]
    assert len(distinct) == len(set(distinct)) == len(DEFINITIONS["vectors"]) - len(same)


@given(bodies, st.randoms())
def test_the_order_of_keys_is_no_change(body: dict[str, Any], random: Any) -> None:
    assert digest(Kind.TOOL, _shuffled(body, random)) == digest(Kind.TOOL, body)


@given(bodies, st.sampled_from(Kind))
def test_whitespace_and_escapes_of_the_json_are_no_change(body: dict[str, Any], kind: Kind) -> None:
    again = json.loads(json.dumps(body, indent=3, ensure_ascii=True))
    assert digest(kind, again) == digest(kind, body)


@given(bodies, texts, values, st.sampled_from(Kind))
def test_any_other_value_of_any_field_is_a_change(body: dict[str, Any], key: str, value: Any, kind: Kind) -> None:
    changed = {**body, key: value}
    same = _comparable(project(kind, changed)) == _comparable(project(kind, body))
    assert (digest(kind, changed) == digest(kind, body)) is same


@given(st.dictionaries(st.sampled_from(list(ANNOTATION_DEFAULTS)), st.booleans()))
def test_spelling_out_a_default_is_no_change_and_leaving_it_is(hints: dict[str, bool]) -> None:
    off_default = {key: value for key, value in hints.items() if ANNOTATION_DEFAULTS[key] != value}
    given_digest = digest(Kind.TOOL, {**BODY, "annotations": hints})
    assert given_digest == digest(Kind.TOOL, {**BODY, "annotations": off_default})
    assert (given_digest == digest(Kind.TOOL, BODY)) is (not off_default)


@given(bodies)
def test_the_body_that_was_given_stays_as_it_is(body: dict[str, Any]) -> None:
    before = json.dumps(body)
    for kind in Kind:
        digest(kind, body)
    assert json.dumps(body) == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}, object(), b"bytes"])
def test_what_json_cannot_hold_has_no_digest(value: Any) -> None:
    with pytest.raises(Unfit):
        digest(Kind.TOOL, {**BODY, "x": value})


def test_nesting_without_measure_has_no_digest() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(Unfit):
        digest(Kind.TOOL, {"x": deep})


@given(st.lists(st.tuples(texts, texts, texts), max_size=6), st.randoms())
def test_the_surface_digest_knows_no_order(items: list[tuple[str, str, str]], random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert surface_digest(shuffled) == surface_digest(items)


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


def _comparable(value: Any) -> Any:
    """A value in which booleans are no numbers, 1.0 is 1 only within the integers that doubles hold exactly."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (type(value).__name__, value)
    return ("big", value) if isinstance(value, int) and abs(value) > 2**53 - 1 else ("number", float(value))
