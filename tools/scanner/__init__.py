"""Deterministic rules over one definition: values in, findings out. Pure package, no tables, no clock.

`fields` gives the strings, `reading` sees through disguise, `lexicon` and `clauses` class the words of sentences,
`acts` and the modules beside it hold the rules, `engine` weighs what they find. No finding proves harmlessness.
"""

from collections.abc import Mapping
from typing import Any

from tools.scanner.document import Item
from tools.scanner.engine import Report, scan_item
from tools.scanner.findings import Confidence, Found, Severity
from tools.scanner.rules import NOT_SCANNED, RULES

__all__ = ["NOT_SCANNED", "RULES", "Confidence", "Found", "Item", "Report", "Severity", "scan", "scan_item"]


def scan(body: Mapping[str, Any]) -> tuple[Found, ...]:
    """The findings in one tool's definition, seen by itself; at most one per rule and field, at most 50."""
    return scan_item(Item(body)).findings
