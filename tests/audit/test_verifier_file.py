"""The verifier as one file: it runs where there is nothing of ours, and is the same each time."""

import os
import subprocess
import sys
from pathlib import Path

from audit.verifier_file import packed
from tests.audit.made_log import SIGNING_KEY, MadeLog

KEY = str(SIGNING_KEY.verifier)


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The file in an interpreter that finds nothing of this repository."""
    (directory / "verify.pyz").write_bytes(packed())
    command = [sys.executable, "-I", "verify.pyz", *arguments]
    kept = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=directory, env=kept, capture_output=True, text=True, check=False)


def test_it_verifies_an_export_by_itself(tmp_path: Path) -> None:
    log = MadeLog()
    log.call()
    (tmp_path / "export.jsonl").write_bytes(log.export())
    done = run(tmp_path, "export.jsonl", "--vkey", KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing found" in done.stdout


def test_it_says_what_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text("nothing of ours\n")
    done = run(tmp_path, "export.jsonl", "--vkey", KEY)
    assert done.returncode == 2
    assert "not verified" in done.stderr


def test_it_is_the_same_each_time() -> None:
    assert packed() == packed()
