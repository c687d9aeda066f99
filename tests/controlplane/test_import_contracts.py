"""The contracts of .importlinter hold, and each of them is broken by the violation it exists for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import ROOT

APPS = ("controlplane", "gateway", "alerts", "tools", "servers", "access", "audit", "core")
PROGRAM = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The product's Python files and contracts, apart."""
    for app in APPS:
        shutil.copytree(ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def lint(directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", PROGRAM], cwd=directory, capture_output=True, text=True, check=False)


def test_all_contracts_hold(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("access/services/violation.py", "import servers.models", "Apps import only to the right"),
        ("audit/models/records.py", "import audit.services", "Inside an app"),
        ("tools/brand_new_name.py", "", "Inside an app"),
        ("access/policy.py", "import django.db", "Pure modules"),
        ("audit/verify.py", "import django.conf", "Who verifies an export"),
        ("audit/proof/chain.py", "import audit.drafts", "Who verifies an export"),
        ("gateway/pipeline.py", "import access.models", "only `facts` and `store` read models"),
        ("controlplane/supervisor.py", "import django.conf", "does not need Django"),
    ],
)
def test_a_violation_breaks_its_contract(copy, file, line, contract):
    path = copy / file
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + f"\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode != 0
    broken = [text for text in " ".join(done.stdout.split()).split(" KEPT") if " BROKEN" in text]
    assert any(contract in text for text in broken), done.stdout
