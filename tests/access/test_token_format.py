"""Tokens authenticate themselves, and nothing else passes for one."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.token_format import TokenKey, TokenKind, checksum, is_genuine, mint

KEY = TokenKey(b"k" * 32, "holdfast")
kinds = st.sampled_from(list(TokenKind))


@given(kinds)
def test_what_we_mint_is_genuine_as_its_own_kind_only(kind: TokenKind) -> None:
    token = mint(kind, KEY)
    assert [other for other in TokenKind if is_genuine(token, other, KEY)] == [kind]


@given(kinds, st.integers(min_value=0, max_value=200), st.characters())
def test_changing_any_character_spoils_a_token(kind: TokenKind, index: int, character: str) -> None:
    token = mint(kind, KEY)
    index %= len(token)
    changed = token[:index] + character + token[index + 1 :]
    assert is_genuine(changed, kind, KEY) is (changed == token)


@given(st.text(), kinds)
def test_no_text_is_taken_for_a_token_and_none_raises(text: str, kind: TokenKind) -> None:
    assert not is_genuine(text, kind, KEY)


@pytest.mark.parametrize(
    "other", [TokenKey(b"x" * 32, "holdfast"), TokenKey(b"k" * 32, "elsewhere")], ids=["key", "installation"]
)
def test_another_key_or_installation_does_not_accept_it(other: TokenKey) -> None:
    assert not is_genuine(mint(TokenKind.ACCESS, KEY), TokenKind.ACCESS, other)


@pytest.mark.parametrize(
    "spoil", [str.upper, lambda text: text + "\n", lambda text: " " + text, lambda text: text[:-1]]
)
def test_only_the_exact_spelling_counts(spoil: object) -> None:
    assert callable(spoil)
    assert not is_genuine(spoil(mint(TokenKind.API, KEY)), TokenKind.API, KEY)


def test_the_forms_are_those_of_the_documentation() -> None:
    access, api = mint(TokenKind.ACCESS, KEY), mint(TokenKind.API, KEY)
    assert [len(part) for part in access.split(".")] == [2, 8, 64, 32]
    assert [len(part) for part in api.split("_")] == [3, 8, 64, 32]
    assert access.startswith(f"hf.{KEY.kid}.")


def test_tokens_differ_and_are_stored_as_their_sha256() -> None:
    first, second = mint(TokenKind.ACCESS, KEY), mint(TokenKind.ACCESS, KEY)
    assert first != second
    assert checksum(first) == hashlib.sha256(first.encode()).hexdigest()
    assert len(checksum("\ud800")) == 64


def test_a_key_does_not_show_itself() -> None:
    assert "kkkk" not in repr(KEY)
