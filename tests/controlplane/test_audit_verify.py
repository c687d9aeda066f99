"""`manage.py audit_verify`, with checkpoints that were kept outside."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.proof.note import SigningKey
from tests.audit.writing import ORIGIN, Gateway, a_log, checkpoint

KEY = SigningKey.generate(ORIGIN)
VKEY = str(KEY.verifier)


def run(*options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit_verify", *options, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def kept(tmp_path: Path) -> Any:
    def keep(point: Checkpoint, key: SigningKey = KEY) -> str:
        path = tmp_path / f"{point.size}"
        path.write_bytes(sign_checkpoint(point, key))
        return str(path)

    return keep


@pytest.mark.django_db
def test_it_ends_with_0_for_a_whole_log_and_with_1_for_any_other(kept: Any) -> None:
    a_log(Gateway())

    code, said = run("--vkey", VKEY, "--checkpoint", kept(checkpoint(5)), "--checkpoint", kept(checkpoint()))
    assert (code, "agrees with the checkpoint of 5 records" in said, "nothing found" in said) == (0, True, True)
    assert run("--new")[0] == 0
    code, said = run("--vkey", VKEY, "--checkpoint", kept(Checkpoint(ORIGIN, 9, bytes(32))))
    assert (code, "FINDING cut: index 8" in said) == (1, True)


@pytest.mark.django_db
def test_what_cannot_be_used_ends_it_with_2(kept: Any, tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(b"no note")
    stranger = kept(Checkpoint(ORIGIN, 3, bytes(32)), SigningKey.generate(ORIGIN))
    for options in (
        ["--checkpoint", stranger],
        ["--new", "--vkey", VKEY, "--checkpoint", stranger],
        ["--vkey", "none"],
        ["--vkey", VKEY, "--checkpoint", stranger],
        ["--vkey", VKEY, "--checkpoint", str(tmp_path / "none")],
        ["--vkey", VKEY, "--checkpoint", str(tmp_path / "missing")],
    ):
        with pytest.raises(CommandError) as error:
            run(*options)
        assert error.value.returncode == 2
