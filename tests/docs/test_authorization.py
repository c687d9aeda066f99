"""`docs/security/authorization.md` names a test for each requirement, and claims none that does not exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security" / "authorization.md").read_text()
LINE = re.compile(r"^\| ([APR]\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
CLAIM = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
WANTED = [f"A{number}" for number in range(1, 22)]
WANTED += [f"R{number}" for number in range(1, 14)]
WANTED += [f"P{number:02}" for number in range(1, 23)]


def test_every_requirement_has_its_line_in_order() -> None:
    assert [identifier for identifier, _ in LINE.findall(TEXT)] == WANTED


@pytest.mark.parametrize(("identifier", "claims"), LINE.findall(TEXT))
def test_a_requirement_names_its_test(identifier: str, claims: str) -> None:
    assert CLAIM.findall(claims), identifier


@pytest.mark.parametrize(("path", "name"), sorted(set(CLAIM.findall(TEXT))))
def test_every_claimed_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
