"""Canonical JSON is one text for one value, and no two values share it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.canonical import canonical_bytes


def test_key_order_and_spelling_of_numbers_do_not_matter() -> None:
    assert canonical_bytes({"b": 1.0, "a": [True]}) == canonical_bytes({"a": [True], "b": 1}) == b'{"a":[true],"b":1}'


def test_keys_sort_by_utf16_code_units_as_rfc_8785_says() -> None:
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_integers_beyond_i_json_are_kept_exactly() -> None:
    assert canonical_bytes({"maximum": 2**64 - 1}) != canonical_bytes({"maximum": 2**64 - 2})


@given(st.integers().filter(lambda number: abs(number) >= 2**53))
def test_no_string_has_the_form_of_a_big_integer(number: int) -> None:
    form = canonical_bytes(number)
    assert canonical_bytes(json.loads(form)) != form


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, object()])
def test_what_json_cannot_hold_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        canonical_bytes(value)
