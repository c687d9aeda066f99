"""Which words are tags, and how they are kept."""

from typing import Any

import pytest

from core.errors import Invalid
from servers.tags import TAG_MAX, TAGS_MAX, plain_tag, tags_of


def test_tags_are_kept_in_small_letters_each_once_and_in_order() -> None:
    assert tags_of(["vendor:acme", " PCI ", "payments", "pci"]) == ["payments", "pci", "vendor:acme"]
    assert tags_of(()) == []


@pytest.mark.parametrize("tag", ["a", "7", "eu-west_1", "v1.2", "vendor:acme", "-", "x" * TAG_MAX])
def test_a_tag_has_letters_digits_and_four_signs(tag: str) -> None:
    assert tags_of([tag]) == [tag]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "two words", "a,b", "a/b", "x" * (TAG_MAX + 1), "zahlungsverk\u00e4ufe", "p\u0430yments", "\u212aey",
        "<script>", "a\u202eb", "a\u200bb", "a\0", "a\nb", "\ud800", "\U0001f600", "a%20b", "a'--", "w" * 65_536,
    ],
)  # fmt: skip
def test_anything_else_is_none_and_is_said_in_plain_characters(text: str) -> None:
    with pytest.raises(Invalid, match="is no tag: one has 1 to 40 letters") as refused:
        tags_of(["fine", text])
    assert refused.value.field == "tags"
    assert refused.value.message.isascii()
    assert len(refused.value.message) < 800


@pytest.mark.parametrize("value", ["payments", None, 7, {"payments": True}, [["payments"]], [1], [None]])
def test_tags_are_a_list_of_words(value: Any) -> None:
    with pytest.raises(Invalid, match="list of words"):
        tags_of(value)


def test_a_server_has_so_many_and_no_more_whatever_was_said_twice() -> None:
    most = [f"tag-{number:02}" for number in range(TAGS_MAX)]
    assert tags_of([*most, *most]) == most
    with pytest.raises(Invalid, match="at most 20"):
        tags_of([*most, "one-more"])


def test_a_tag_is_looked_for_as_it_is_kept() -> None:
    assert plain_tag(" PCI ") == "pci"
