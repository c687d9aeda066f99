import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.proof import merkle
from audit.proof.note import NoteError, SigningKey
from audit.proof.tlog_proof import TlogProof
from tests.audit.made_log import ORIGIN, SIGNING_KEY, a_log

LOG = a_log()
NODES = merkle.node_source(LOG.leaves())
PROOFS = [
    TlogProof(index, tuple(merkle.inclusion_proof(index, 11, NODES)), LOG.signed()) for index in range(len(LOG.entries))
]
KEYS = [SIGNING_KEY.verifier]


def test_a_proof_is_read_again_and_proves_its_record() -> None:
    for index, proof in enumerate(PROOFS):
        again = TlogProof.parse(proof.to_bytes())
        assert again == proof
        assert again.verified(LOG.leaves()[index], KEYS, origin=ORIGIN) == LOG.checkpoint()


def test_a_proof_has_the_specifications_lines() -> None:
    lines = TlogProof(5, PROOFS[5].hashes, LOG.signed(), b"extra").to_bytes().decode().split("\n")

    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 5"]
    assert lines[7:10] == ["", ORIGIN, "11"]
    assert TlogProof.parse("\n".join(lines).encode()).extra == b"extra"


def test_it_proves_nothing_of_another_record_log_or_key() -> None:
    proof = PROOFS[5]
    with pytest.raises(NoteError, match="not in the log at this place"):
        proof.verified(LOG.leaves()[6], KEYS)
    with pytest.raises(NoteError, match="another log"):
        proof.verified(LOG.leaves()[5], KEYS, origin="other.example")
    with pytest.raises(NoteError, match="no known key"):
        proof.verified(LOG.leaves()[5], [SigningKey.generate(ORIGIN).verifier])
    moved = TlogProof(6, proof.hashes, proof.checkpoint)
    with pytest.raises(NoteError, match="not in the log at this place"):
        moved.verified(LOG.leaves()[5], KEYS)


GOOD = PROOFS[5].to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD.replace(b"@v1", b"@v2"),
        GOOD.replace(b"index 5\n", b""),
        GOOD.replace(b"index 5", b"index 05"),
        GOOD.replace(b"index 5", b"index -5"),
        GOOD.replace(b"index 5\n", b"index 5\nAAAA\n"),
        GOOD.replace(b"index 5\n", b"extra !\nindex 5\n"),
        GOOD.replace(b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n" * 70),
        GOOD.replace(b"\n\n", b"\n", 1).replace(b"\n\n", b"\n"),
        b"\xff" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
    ],
)
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(NoteError):
        TlogProof.parse(data)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=2))
def test_a_proof_with_a_changed_byte_proves_nothing_else(at: int, instead: bytes) -> None:
    changed = GOOD[:at] + instead + GOOD[at + 1 :]
    try:
        point = TlogProof.parse(changed).verified(LOG.leaves()[5], KEYS)
    except NoteError:
        return
    assert point == LOG.checkpoint()
