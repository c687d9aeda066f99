import hashlib
import hmac
import os
from typing import get_args
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from audit.payload import Part
from audit.sealing import CallKeys, Sealer, commitment, key_id
from core.envelope import CannotOpen
from core.ids import new_id

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
CALL, INTENT, OUTCOME = new_id(), new_id(), new_id()
PARTS: tuple[Part, ...] = get_args(Part)


def begun() -> CallKeys:
    return Sealer([KEY], "here").begin(CALL, INTENT)


@given(salt=st.binary(min_size=32, max_size=32), data=st.binary(max_size=300))
def test_a_commitment_is_hmac_sha256(salt: bytes, data: bytes) -> None:
    assert commitment(salt, data) == hmac.digest(salt, data, hashlib.sha256)


def test_salts_come_by_hkdf_from_the_random_bytes_of_the_row() -> None:
    keys = begun()
    info = b"holdfast-payload/1\0salts\0here\0" + CALL.bytes + INTENT.bytes + keys.secret[:32]
    salts = HKDF(algorithm=SHA512(), length=64, salt=None, info=info).derive(KEY)
    assert salts == keys.arguments_salt + keys.result_salt
    assert keys.commit("arguments", b"{}") == hmac.digest(salts[:32], b"{}", hashlib.sha256)
    assert keys.commit("result", b"{}") == hmac.digest(salts[32:], b"{}", hashlib.sha256)


def test_no_call_has_the_secret_of_another_and_a_forked_child_draws_none_of_its_parent() -> None:
    sealer = Sealer([KEY], "here")
    sealer.begin(CALL, INTENT)  # there is a stock now
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, sealer.begin(CALL, INTENT).secret)
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as told:
        os.close(theirs)
        drawn = [told.read(), *(sealer.begin(CALL, INTENT).secret for _ in range(300))]
    assert {len(secret) for secret in drawn} == {48}
    assert len({secret[:32] for secret in drawn}) == len(drawn)


def test_two_calls_with_the_same_arguments_have_nothing_in_common() -> None:
    one, other = begun(), begun()
    assert one.secret != other.secret
    assert one.commit("arguments", b"{}") != other.commit("arguments", b"{}")


@pytest.mark.parametrize("part", PARTS)
def test_what_is_sealed_opens_with_what_the_row_holds(part: Part) -> None:
    keys = begun()
    sealed = keys.seal(part, OUTCOME, b"content")
    found = Sealer([OTHER, KEY], "here").find(keys.key_id, keys.secret, CALL, INTENT)
    assert found.unseal(part, OUTCOME, sealed) == b"content"
    assert found.commit(part, b"x") == keys.commit(part, b"x")
    assert b"content" not in sealed


def test_what_is_stored_opens_only_at_its_own_record() -> None:
    keys = begun()
    sealed = keys.seal("arguments", INTENT, b"content")
    with pytest.raises(CannotOpen):
        keys.unseal("result", INTENT, sealed)
    with pytest.raises(CannotOpen):
        keys.unseal("arguments", OUTCOME, sealed)
    for broken in (b"", sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1]), begun().seal("arguments", INTENT, b"c")):
        with pytest.raises(CannotOpen):
            keys.unseal("arguments", INTENT, broken)


@pytest.mark.parametrize(
    ("installation", "call", "record"), [("there", CALL, INTENT), ("here", INTENT, INTENT), ("here", CALL, OUTCOME)]
)
def test_a_secret_that_was_moved_to_another_row_is_known_by_its_tag(
    installation: str, call: UUID, record: UUID
) -> None:
    keys = begun()
    with pytest.raises(CannotOpen, match="altered"):
        Sealer([KEY], installation).find(keys.key_id, keys.secret, call, record)


def test_an_altered_secret_or_key_id_is_refused() -> None:
    keys, sealer = begun(), Sealer([KEY, OTHER], "here")
    for secret in (b"", keys.secret[:-1], bytes(32) + keys.secret[32:], keys.secret + b"\0"):
        with pytest.raises(CannotOpen):
            sealer.find(keys.key_id, secret, CALL, INTENT)
    with pytest.raises(CannotOpen):
        sealer.find(key_id(OTHER), keys.secret, CALL, INTENT)
    with pytest.raises(CannotOpen):
        Sealer([OTHER], "here").find(keys.key_id, keys.secret, CALL, INTENT)


def test_the_first_key_seals() -> None:
    assert Sealer([OTHER, KEY], "here").begin(CALL, INTENT).key_id == key_id(OTHER)


def test_the_mark_of_a_value_is_the_same_each_time_and_another_elsewhere() -> None:
    here, there = Sealer([KEY], "here"), Sealer([KEY], "there")
    assert here.lookup_mark(b"ada@example.com") == here.lookup_mark(b"ada@example.com")
    assert here.lookup_mark(b"ada@example.com") != there.lookup_mark(b"ada@example.com")
    assert here.lookup_mark(b"ada@example.com") != here.lookup_mark(b"bob@example.com")
