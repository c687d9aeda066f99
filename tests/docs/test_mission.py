"""`docs/mission.md` lists every row of the mission, and claims no test that does not exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MISSION = ROOT / "docs" / "mission.md"
ROWS = (
    [f"C{number}" for number in range(1, 11)]  # the card
    + [f"P{number}" for number in range(1, 9)]  # essential patterns
    + [f"A{number}" for number in range(1, 11)]  # anti-patterns
    + [f"G{number}" for number in range(1, 7)]  # guidelines
    + [f"M{number}" for number in range(1, 17)]  # success metrics
    + [f"B{number}" for number in range(1, 15)]  # beyond
)
STATES = {"works", "begun", "planned"}
LINE = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| (\w+) \|([^|]*)\|$", re.MULTILINE)
CLAIM = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _rows() -> list[tuple[str, str, str, str]]:
    return [tuple(cell.strip() for cell in match) for match in LINE.findall(MISSION.read_text())]


def test_every_row_of_the_mission_is_listed_once() -> None:
    assert [row for row, *_ in _rows()] == ROWS


@pytest.mark.parametrize("line", _rows(), ids=lambda line: line[0])
def test_a_row_that_works_names_its_test_and_a_planned_one_claims_none(line: tuple[str, str, str, str]) -> None:
    _, _, state, claims = line
    assert state in STATES
    assert bool(CLAIM.findall(claims)) is (state != "planned")


@pytest.mark.parametrize(("path", "name"), sorted({claim for *_, claims in _rows() for claim in CLAIM.findall(claims)}))
def test_every_claimed_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in names
