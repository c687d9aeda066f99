"""A sealed secret opens with its key at its place, and nowhere else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.envelope import CannotOpen, derived_key, open_sealed, seal

KEY = os.urandom(32)


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_again(plaintext: bytes) -> None:
    assert (
        open_sealed(seal(plaintext, key=KEY, place="channel:1:secret"), key=KEY, place="channel:1:secret") == plaintext
    )


def test_a_secret_copied_to_another_row_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        open_sealed(seal(b"s", key=KEY, place="channel:1:secret"), key=KEY, place="channel:2:secret")


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(CannotOpen):
        open_sealed(seal(b"s", key=KEY, place="p"), key=os.urandom(32), place="p")


@given(st.data())
def test_one_changed_bit_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(seal(b"secret", key=KEY, place="p"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(CannotOpen):
        open_sealed(bytes(sealed), key=KEY, place="p")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert seal(b"s", key=KEY, place="p") != seal(b"s", key=KEY, place="p")


def test_refusals_do_not_tell_the_secret() -> None:
    with pytest.raises(CannotOpen) as refused:
        open_sealed(seal(b"hunter2", key=KEY, place="p"), key=KEY, place="q")
    assert "hunter2" not in repr(refused.value)


def test_a_derived_key_is_one_for_its_purpose_and_key_alone() -> None:
    derived = derived_key(KEY, "AUDIT_KEY")
    assert len(derived) == 32
    assert derived == derived_key(KEY, "AUDIT_KEY")
    assert len({derived, derived_key(KEY, "PAYLOAD_KEY"), derived_key(os.urandom(32), "AUDIT_KEY")}) == 3
