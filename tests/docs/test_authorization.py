"""`docs/security/authorization.md` names a test for each requirement, and claims none that does not exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security" / "authorization.md").read_text()
LINE = re.compile(r"^\| ([AP]\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
CLAIM = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ELSEWHERE = re.compile(r"^Not there yet.*$", re.MULTILINE)


def _expanded(text: str) -> set[str]:
    """The identifiers in a sentence; `P19 to P21` are three."""
    found = set(re.findall(r"[AP]\d+", text))
    for letter, first, last in re.findall(r"([AP])(\d+) to [AP](\d+)", text):
        found |= {f"{letter}{number:02}" for number in range(int(first), int(last) + 1)}
    return found


def test_every_requirement_has_its_line_or_is_said_to_be_missing() -> None:
    listed = [identifier for identifier, _ in LINE.findall(TEXT)]
    assert len(listed) == len(set(listed))
    wanted = {f"A{number}" for number in range(1, 21)} | {f"P{number:02}" for number in range(1, 23)}
    (missing,) = ELSEWHERE.findall(TEXT)
    assert set(listed) | _expanded(missing) == wanted


@pytest.mark.parametrize(("identifier", "claims"), LINE.findall(TEXT))
def test_a_requirement_names_its_test(identifier: str, claims: str) -> None:
    assert CLAIM.findall(claims), identifier


@pytest.mark.parametrize(("path", "name"), sorted(set(CLAIM.findall(TEXT))))
def test_every_claimed_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
