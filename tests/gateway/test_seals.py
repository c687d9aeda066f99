"""What an installation seals with: nothing that is sealed for one purpose opens for another."""

import itertools
import os

import pytest

from gateway.sealing import Unsealed
from gateway.seals import Seals

KEY = os.urandom(32)
PURPOSES = ("upstream", "asks", "rounds", "handles")
PLACE = ("1|", "files")


def seals(key: bytes = KEY, installation: str = "here") -> Seals:
    """One process's."""
    return Seals(key, installation)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_process_opens_what_another_sealed(purpose: str) -> None:
    sealed = getattr(seals(), purpose).close(b"x", *PLACE)
    assert getattr(seals(), purpose).open(sealed, *PLACE) == b"x"


@pytest.mark.parametrize(("purpose", "other"), list(itertools.permutations(PURPOSES, 2)))
def test_no_purpose_opens_what_was_sealed_for_another(purpose: str, other: str) -> None:
    sealed = getattr(seals(), purpose).close(b"x", *PLACE)
    with pytest.raises(Unsealed):
        getattr(seals(), other).open(sealed, *PLACE)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_no_installation_opens_what_was_sealed_in_another(purpose: str) -> None:
    sealed = getattr(seals(), purpose).close(b"x", *PLACE)
    for elsewhere in (seals(os.urandom(32)), seals(installation="there")):
        with pytest.raises(Unsealed):
            getattr(elsewhere, purpose).open(sealed, *PLACE)
