"""The catalogue: every rule finds what it says it finds, and leaves what it says it leaves."""

from collections.abc import Mapping
from typing import Any

import pytest

from tools.scanner import Item, scan_item
from tools.scanner.batch import item_of
from tools.scanner.engine import MEDIUM_FROM
from tools.scanner.rule import Rule
from tools.scanner.rules import NOT_SCANNED, RULES

EVERY = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def item(example: Mapping[str, Any]) -> Item:
    return item_of({"context": [], **example})


@EVERY
def test_the_example_fires(rule: Rule) -> None:
    found = {finding.rule for finding in scan_item(item(rule.fires)).findings}
    assert rule.id in found


@EVERY
def test_the_counterexample_is_left_alone(rule: Rule) -> None:
    report = scan_item(item(rule.leaves))
    assert rule.id not in {finding.rule for finding in report.findings}
    assert report.score < MEDIUM_FROM


@EVERY
def test_a_rule_says_what_it_is_and_why(rule: Rule) -> None:
    assert rule.title
    assert rule.why.endswith(".")
    assert any(name.startswith("MCP") for name in rule.maps)
    assert any(name.startswith("SAFE-T") for name in rule.maps)


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES} | {NOT_SCANNED.rule}) == len(RULES) + 1
