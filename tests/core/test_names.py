"""Slugs, canonical names and wire names cannot collide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import names

SLUGS = st.from_regex(names.SLUG, fullmatch=True).filter(names.is_slug)


@pytest.mark.parametrize("text", ["files", "a", "file-2", "0-0", "a" * 24])
def test_slugs_are_small_letters_and_digits_joined_by_hyphens(text: str) -> None:
    assert names.is_slug(text)


@pytest.mark.parametrize(
    "text", ["", "Files", "a_b", "a/b", "-a", "a-", "a--b", "a" * 25, "é", "a\n", "\uff41", "\u0661"]
)
def test_anything_else_is_no_slug(text: str) -> None:
    assert not names.is_slug(text)


@given(SLUGS, st.text(min_size=1))
def test_a_canonical_name_splits_back_into_its_parts(slug: str, name: str) -> None:
    assert names.split_canonical(names.canonical_name(slug, name)) == (slug, name)


@pytest.mark.parametrize("text", ["read", "/read", "files/", "Files/read", ""])
def test_a_name_without_a_namespace_does_not_split(text: str) -> None:
    assert names.split_canonical(text) is None


@given(SLUGS, st.text(min_size=1, max_size=200))
def test_wire_names_fit_and_begin_with_their_namespace(slug: str, name: str) -> None:
    wire = names.wire_name(slug, name)
    assert len(wire) <= names.WIRE_NAME_MAX
    assert wire.split("__", 1)[0] == slug


def test_long_names_that_begin_alike_get_different_wire_names() -> None:
    assert names.wire_name("files", "x" * 80 + "a") != names.wire_name("files", "x" * 80 + "b")


def test_subjects_name_kind_and_path() -> None:
    assert names.subject("tool", "files", "read") == "tool:files/read"
