from base64 import b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.proof.checkpoint import Checkpoint, decimal, open_checkpoint, parse_checkpoint, sign_checkpoint
from audit.proof.note import NoteError, SigningKey

KEY = SigningKey("holdfast.example/audit", bytes(range(32)))
ROOT = bytes(range(32))
ROOT_TEXT = b64encode(ROOT).decode()
CHECKPOINT = Checkpoint("holdfast.example/audit", 20852163, ROOT)


def test_a_checkpoint_has_the_specifications_three_lines() -> None:
    assert CHECKPOINT.text() == f"holdfast.example/audit\n20852163\n{ROOT_TEXT}\n"
    assert sign_checkpoint(CHECKPOINT, KEY).decode().startswith(f"{CHECKPOINT.text()}\n— holdfast.example/audit ")


def test_a_checkpoint_opens_for_its_key_and_its_log() -> None:
    signed = sign_checkpoint(CHECKPOINT, KEY)

    assert open_checkpoint(signed, [KEY.verifier]) == CHECKPOINT
    assert open_checkpoint(signed, [KEY.verifier], origin="holdfast.example/audit") == CHECKPOINT
    with pytest.raises(NoteError, match="another log"):
        open_checkpoint(signed, [KEY.verifier], origin="holdfast.example/audit/2")
    with pytest.raises(NoteError, match="no known key"):
        open_checkpoint(signed, [SigningKey.generate(KEY.name).verifier])


def test_lines_that_follow_are_passed_over() -> None:
    assert parse_checkpoint(CHECKPOINT.text() + "an extension\n") == CHECKPOINT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"origin\n5\n{ROOT_TEXT}",
        "origin\n5\n",
        f"\n5\n{ROOT_TEXT}\n",
        f"origin\n05\n{ROOT_TEXT}\n",
        f"origin\n+5\n{ROOT_TEXT}\n",
        f"origin\n-5\n{ROOT_TEXT}\n",
        f"origin\n\u0665\n{ROOT_TEXT}\n",
        f"origin\n5 \n{ROOT_TEXT}\n",
        f"origin\n\n{ROOT_TEXT}\n",
        f"origin\n{2**63}\n{ROOT_TEXT}\n",
        f"origin\n{'9' * 5000}\n{ROOT_TEXT}\n",
        "origin\n5\nAAAA\n",
        f"origin\n5\n{ROOT_TEXT[:-1]}\n",
        f"origin\n5\n{ROOT_TEXT}\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb"])
def test_an_origin_that_no_tool_would_read_is_not_signed(origin: str) -> None:
    with pytest.raises(NoteError):
        sign_checkpoint(Checkpoint(origin, 0, ROOT), KEY)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**63 - 1))
def test_a_size_is_written_in_one_way(size: int) -> None:
    assert parse_checkpoint(Checkpoint("origin", size, ROOT).text()).size == size == decimal(str(size))
