"""Names that people choose."""

import pytest

from access import names
from core.errors import Invalid


@pytest.mark.parametrize("name", ["a", "Ada", "ada@example.com", "a.b-c_d+e", "0", "a" * 150])
def test_these_are_user_names(name: str) -> None:
    assert names.checked_username(name) == name


@pytest.mark.parametrize("name", ["", " ", "a b", ".a", "@a", "ä", "\u0430", "a\n", "a\0", "a" * 151, "a/b", "a:b"])
def test_these_are_not(name: str) -> None:
    with pytest.raises(Invalid):
        names.checked_username(name)


def test_scopes_are_sorted_unique_and_known() -> None:
    assert names.checked_scopes(["server:read", "mcp:connect", "server:read"]) == ["mcp:connect", "server:read"]
    with pytest.raises(Invalid):
        names.checked_scopes(["mcp:connect", ""])


@pytest.mark.parametrize("reason", ["", " \n", "\0", "a" * 2001])
def test_a_reason_says_something_and_is_no_book(reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        names.checked_reason(reason)
    assert caught.value.field == "reason"


def test_names_and_slugs_say_which_field_they_are_about() -> None:
    for check in (names.checked_name, names.checked_slug):
        with pytest.raises(Invalid) as caught:
            check("\0", field="team")
        assert caught.value.field == "team"
