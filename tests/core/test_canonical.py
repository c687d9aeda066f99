"""Canonical JSON is one text for one value, and no two values share it."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from core.canonical import _tagged, canonical_bytes, untagged

# Texts around what the two encoders could do differently: escapes, ends of planes, surrogates, what looks like a tag.
CHARS = st.sampled_from('az"\\/\0\x08\x1f\x7f\x85\u2028\ud7ff\ud800\udfff\ue000\ufb33\uffff\U00010000\U0001f600')
TEXTS = st.text(max_size=5) | st.text(CHARS, max_size=5) | st.sampled_from(["\0int:1", "\0str:", "\0int", "int:1"])
EDGES = st.sampled_from(
    [2**53, 2**53 - 1, -(2**53), 1 - 2**53, 2**64, -0.0, 0.0, 1e21, 1e-7, 5e-324, 1.0, float("nan")]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | EDGES | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_is_written_as_by_the_reference_encoder(value: Any) -> None:
    try:
        expected = rfc8785.dumps(_tagged(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(ValueError, match="no canonical form"):
            canonical_bytes(value)
    else:
        assert canonical_bytes(value) == expected


def test_key_order_and_spelling_of_numbers_do_not_matter() -> None:
    assert canonical_bytes({"b": 1.0, "a": [True]}) == canonical_bytes({"a": [True], "b": 1}) == b'{"a":[true],"b":1}'


def test_keys_sort_by_utf16_code_units_as_rfc_8785_says() -> None:
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_integers_beyond_i_json_are_kept_exactly() -> None:
    assert canonical_bytes({"maximum": 2**64 - 1}) != canonical_bytes({"maximum": 2**64 - 2})


@given(st.integers(min_value=2**53) | st.integers(max_value=-(2**53)))
def test_no_string_has_the_form_of_a_big_integer(number: int) -> None:
    form = canonical_bytes(number)
    assert canonical_bytes(json.loads(form)) != form


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, object()])
def test_what_json_cannot_hold_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        canonical_bytes(value)


@given(VALUES)
def test_what_went_in_comes_out_of_the_json(value: Any) -> None:
    try:
        form = canonical_bytes(value)
    except ValueError:
        return
    assert untagged(json.loads(form)) == value
