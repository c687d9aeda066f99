"""Values of a call: as frozen dataclasses to whoever reads them and to the type checker."""

from dataclasses import field, fields, replace

import pytest

from core.frozen import checked_frozen


@checked_frozen
class Value:
    """One."""

    name: str
    marks: list[int] = field(default_factory=list)


def test_values_are_equal_where_their_fields_are() -> None:
    assert Value("a", [1]) == Value("a", [1]) != Value("a", [2])
    assert replace(Value("a", [1]), name="b") == Value("b", [1])
    assert [each.name for each in fields(Value)] == ["name", "marks"]


def test_a_value_has_its_fields_and_no_others() -> None:
    value = Value("a")
    with pytest.raises(AttributeError):
        value.other = 1  # type: ignore[attr-defined]  # as it should be


def test_a_value_is_no_key_because_nothing_keeps_it_from_changing() -> None:
    with pytest.raises(TypeError):
        hash(Value("a"))
