"""The digest: what stands in `docs/pinning.md`, checked against vectors that a stranger can recompute."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st

from core.strictjson import MalformedJSON, loads
from servers.surface import Item, Kind
from tests.tools.making import surface
from tools.classify import RISKS, Risk, classify
from tools.fingerprint import ANNOTATION_DEFAULTS, PROJECTION, SURFACE, Unfit, digest, project, surface_digest
from tools.look import take

VECTORS = Path(__file__).parent / "vectors"
DEFINITIONS = json.loads((VECTORS / "definitions.json").read_text())
SURFACES = json.loads((VECTORS / "surfaces.json").read_text())
WITHOUT = json.loads((VECTORS / "without_digest.json").read_text())
SAME = [
    {"a small tool", "keys in another order are the same", "empty annotations are the same as none",
     "spelled-out defaults are the same as none", "an empty execution is the same as none"},
    {"1 and 1.0 are the same number: 1", "1 and 1.0 are the same number: 1.0"},
    {"minus zero is zero", "zero"},
    {"a resource", "a resource without what changes by nature"},
    {"a resource whose annotations hold only lastModified", "a resource with empty annotations",
     "a resource with size and lastModified only"},
]  # fmt: skip
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
    named: dict[str, set[str]] = {}
    for vector in DEFINITIONS["vectors"]:
        named.setdefault(vector["digest"], set()).add(vector["name"])
    together = [names for names in named.values() if len(names) > 1]
    assert sorted(together, key=min) == sorted(SAME, key=min)
    assert sum(map(len, named.values())) == len(DEFINITIONS["vectors"])


@pytest.mark.parametrize("vector", DEFINITIONS["vectors"], ids=lambda vector: vector["name"])
def test_a_stranger_who_follows_the_specification_gets_the_same_digest(vector: Mapping[str, Any]) -> None:
    body = loads(json.dumps(vector["body"]).encode())
    preimage = specified_preimage(vector["kind"], body)
    assert preimage.decode() == vector["preimage"]
    assert f"sha256:{hashlib.sha256(preimage).hexdigest()}" == vector["digest"]


@pytest.mark.parametrize("vector", SURFACES["vectors"], ids=lambda vector: vector["name"])
def test_a_stranger_gets_the_same_digest_of_a_surface(vector: Mapping[str, Any]) -> None:
    items = sorted(vector["items"], key=lambda item: (item[0], item[1]))
    preimage = rfc8785.dumps({"projection": "holdfast-surface/1", "items": items})
    assert preimage.decode() == vector["preimage"]
    assert f"sha256:{hashlib.sha256(preimage).hexdigest()}" == vector["digest"]


def specified_preimage(kind: str, body: Any) -> bytes:
    """What `docs/pinning.md` says, written from its text alone."""
    projected = specified_body(kind, body)
    return rfc8785.dumps({"projection": "holdfast-projection/1", "kind": kind, "body": within_i_json(projected)})


def specified_body(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Steps 1 to 4 of the page."""
    body = dict(body)
    if kind == "tool":
        hints = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
        for field, defaults in (("annotations", hints), ("execution", {"taskSupport": "forbidden"})):
            if field not in body or isinstance(body[field], dict):
                body[field] = {**defaults, **body.get(field, {})}
    if kind == "resource":
        body = {key: value for key, value in body.items() if key not in ("size", "lastModified")}
        if isinstance(body.get("annotations"), dict):
            kept = {key: value for key, value in body.pop("annotations").items() if key != "lastModified"}
            body |= {"annotations": kept} if kept else {}
    return body


def within_i_json(value: Any) -> Any:
    """The two steps that apply everywhere in a body."""
    if isinstance(value, dict):
        return {within_i_json(key): within_i_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [within_i_json(item) for item in value]
    if isinstance(value, str) and value[:5] in ("\0int:", "\0str:"):
        return "\0str:" + value
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**53) < value < 2**53:
        return "\0int:" + str(value)
    return value


@pytest.mark.parametrize("vector", WITHOUT["definitions"], ids=lambda vector: vector["name"])
def test_a_text_without_a_digest_is_refused_when_it_is_read(vector: Mapping[str, Any]) -> None:
    with pytest.raises(MalformedJSON):
        loads(vector["json"].encode())


@pytest.mark.parametrize("vector", WITHOUT["surfaces"], ids=lambda vector: vector["name"])
def test_a_surface_without_a_digest_is_no_complete_look(vector: Mapping[str, Any]) -> None:
    look = take(surface(*(Item(Kind(kind), name, body) for kind, name, body in vector["items"])))
    assert look.problem is not None
    assert (look.seen, look.surface_digest) == ({}, "")


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


@given(bodies, st.sampled_from(Kind))
def test_the_specification_and_the_code_agree_on_every_body(body: dict[str, Any], kind: Kind) -> None:
    preimage = specified_preimage(kind.value, body)
    assert digest(kind, body) == f"sha256:{hashlib.sha256(preimage).hexdigest()}"


schemas = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "properties": st.dictionaries(
            st.sampled_from("abc"),
            st.fixed_dictionaries(
                {"type": st.sampled_from(["string", "integer"])},
                optional={"description": texts, "default": values, "maxLength": st.integers(0, 9), "x-note": values},
            ),
            max_size=3,
        ),
        "required": st.lists(st.sampled_from("abc"), unique=True, max_size=3),
        "additionalProperties": st.booleans(),
        "title": texts,
    },
)
hints = st.dictionaries(st.sampled_from([*ANNOTATION_DEFAULTS, "title", "lastModified"]), st.booleans() | values)
definitions = st.fixed_dictionaries(
    {"name": texts},
    optional={
        "description": texts,
        "inputSchema": schemas,
        "outputSchema": schemas,
        "annotations": hints | values,
        "execution": st.just({"taskSupport": "optional"}) | values,
        "arguments": st.lists(st.dictionaries(st.sampled_from(["name", "description"]), texts), max_size=3),
        "_meta": values,
        "serverInfo": values,
        "capabilities": values,
        "size": st.integers(),
        "tomorrow": values,
    },
)


@given(definitions, st.sampled_from(Kind), st.data())
def test_one_difference_anywhere_is_another_digest_and_is_named(body: dict[str, Any], kind: Kind, data: Any) -> None:
    changed = json.loads(json.dumps(body))
    mutate(changed, data)
    before, after = (_comparable(specified_body(kind.value, each)) for each in (body, changed))
    assume(before != after)
    assert digest(kind, changed) != digest(kind, body)
    change = classify(kind, body, changed)
    assert change.classes
    assert change.fields
    assert (change.risk is Risk.LOW) is all(RISKS[cls] is Risk.LOW for cls in change.classes)


def mutate(body: dict[str, Any], data: Any) -> None:
    """One edit at any depth: a member or element put in, taken out or replaced, or two elements exchanged."""
    container = data.draw(st.sampled_from(list(_containers(body))))
    if isinstance(container, dict):
        key = data.draw(st.sampled_from(sorted(container)) | texts if container else texts)
        if key in container and data.draw(st.booleans()):
            del container[key]
        else:
            container[key] = data.draw(values)
        return
    at = data.draw(st.integers(0, len(container)))
    taken = container[at : at + data.draw(st.integers(0, 2))]
    container[at : at + len(taken)] = data.draw(st.just(taken[::-1]) | st.lists(values, max_size=1))


def _containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _containers(item)


@given(definitions, st.randoms(), st.sampled_from([None, 0, 3]))
def test_what_is_only_written_differently_is_never_a_change(
    body: dict[str, Any], random: Any, indent: int | None
) -> None:
    written = dict(body)
    for field, defaults in (("annotations", ANNOTATION_DEFAULTS), ("execution", {"taskSupport": "forbidden"})):
        if random.random() < 0.5 and isinstance(body.get(field, {}), dict):
            written[field] = {**defaults, **body.get(field, {})}
    text = json.dumps(_shuffled(written, random), indent=indent, ensure_ascii=random.random() < 0.5)
    again = loads(f" \n{text}\t".encode())
    assert digest(Kind.TOOL, again) == digest(Kind.TOOL, body)
    assert classify(Kind.TOOL, body, again).fields == ()


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
