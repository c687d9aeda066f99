"""`docs/access.md` explains every rule that a record can name."""

import re
from pathlib import Path

from access.policy import REASONS
from access.rules import Rule

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text()
LINE = re.compile(r"^\| `([a-z.]+)` \| [^|]+ \| `?([a-z_]+)`? \|", re.MULTILINE)


def test_the_table_of_rules_is_the_order_of_checks_with_the_reason_of_each() -> None:
    told = {rule.value: reason.value for rule, reason in REASONS.items()}
    assert LINE.findall(TEXT) == [(rule.value, told.get(rule.value, "allowed")) for rule in Rule]
