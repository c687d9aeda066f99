"""Sealed texts open where they were sealed for, unchanged, and nowhere else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealing import Seal, Unsealed

KEY = os.urandom(32)
PLACE = ("1|", "files")


def seal(key: bytes = KEY, *, installation: str = "here", purpose: str = "task", longest: int = 1024) -> Seal:
    """One process's seal."""
    return Seal(key=key, installation=installation, purpose=purpose, longest=longest)


def test_any_process_of_an_installation_opens_what_another_sealed() -> None:
    assert seal().open(seal().close(b"secret", *PLACE), *PLACE) == b"secret"


def test_a_sealed_text_is_visible_ascii_and_tells_nothing() -> None:
    sealed = seal().close(b"secret", *PLACE)
    assert all(0x21 <= ord(character) <= 0x7E for character in sealed)
    assert "secret" not in sealed
    assert sealed != seal().close(b"secret", *PLACE)


@pytest.mark.parametrize(
    "place",
    [
        ("2|", "files"),
        ("1|", "other"),
        ("1|",),
        (),
        ("1|", "files", ""),
        ("1|files",),
        ("1|f", "iles"),
        ("files", "1|"),
    ],
)
def test_what_was_given_to_one_opens_for_no_other(place: tuple[str, ...]) -> None:
    sealed = seal().close(b"secret", *PLACE)
    with pytest.raises(Unsealed):
        seal().open(sealed, *place)


@given(st.lists(st.text()), st.lists(st.text()))
def test_no_two_places_are_taken_for_one(first: list[str], second: list[str]) -> None:
    sealed = seal().close(b"x", *first)
    if first == second:
        assert seal().open(sealed, *second) == b"x"
    else:
        with pytest.raises(Unsealed):
            seal().open(sealed, *second)


@pytest.mark.parametrize(
    "other",
    [seal(os.urandom(32)), seal(installation="elsewhere"), seal(purpose="question"), seal(purpose="task ")],
    ids=["another key", "another installation", "another purpose", "a purpose that looks alike"],
)
def test_another_installation_or_purpose_opens_nothing(other: Seal) -> None:
    with pytest.raises(Unsealed):
        other.open(seal().close(b"secret", *PLACE), *PLACE)


def test_every_altered_character_is_noticed() -> None:
    sealed = seal().close(b"secret of one length", *PLACE)
    for at, character in enumerate(sealed):
        for instead in ("A", "B", "-", "_", "+", "/", "=", "", " ", "\n"):
            altered = sealed[:at] + instead + sealed[at + 1 :]
            if instead != character:
                with pytest.raises(Unsealed):
                    seal().open(altered, *PLACE)


@pytest.mark.parametrize("length", range(4))
def test_one_text_only_opens_as_one_content(length: int) -> None:
    """Base64 can be written in several ways (RFC 4648, 3.5): what was not handed out so does not open."""
    sealed = seal().close(b"x" * length, *PLACE)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    body, padding = sealed.rstrip("="), sealed[len(sealed.rstrip("=")) :]
    opened = 0
    for letter in letters:
        try:
            seal().open(body[:-1] + letter + padding, *PLACE)
            opened += 1
        except Unsealed:
            continue
    assert opened == 1
    with pytest.raises(Unsealed):
        seal().open(sealed + "=", *PLACE)


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "=" * 40, "\ud800", "A" * 16, "A" * 20, "A" * 5000, "\0"])
def test_rubbish_does_not_open(text: str) -> None:
    with pytest.raises(Unsealed):
        seal().open(text, *PLACE)


def test_what_is_longer_than_we_hand_out_is_not_even_tried() -> None:
    sealed = seal().close(b"x" * 100, *PLACE)
    assert seal(longest=len(sealed)).open(sealed, *PLACE) == b"x" * 100
    with pytest.raises(Unsealed):
        seal(longest=len(sealed) - 1).open(sealed, *PLACE)


def test_a_place_with_half_a_character_is_a_place() -> None:
    assert seal().open(seal().close(b"x", "\ud800"), "\ud800") == b"x"
