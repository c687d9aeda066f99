"""The engine for callers that must get an answer: a scan that does not finish is a finding, and never an all-clear.

Pure module.
"""

from dataclasses import replace
from typing import Final

from tools.scanner.configured import scan_server
from tools.scanner.document import Item
from tools.scanner.engine import FOUND_MAX, MEDIUM_FROM, Report, combined, risk_of, scan_item
from tools.scanner.fields import Place, Role
from tools.scanner.findings import Found
from tools.scanner.rule import Hit
from tools.scanner.rules import NOT_SCANNED

SURFACES: Final = ("tool", "prompt", "resource", "server_instructions", "server")


def look(item: Item) -> Report:
    """What the rules find in `item`. Where one fails or the item is too much to read, HF-000 stands first."""
    try:
        report = _scan(item)
    except Exception:  # noqa: BLE001 -- a rule that fails must not hide what the others find, whatever its error
        return _incomplete(_in_parts(item))
    return _incomplete(report) if report.unread else report


def is_complete(report: Report) -> bool:
    """Whether all rules have seen all of it."""
    return all(found.rule != NOT_SCANNED.rule for found in report.findings)


def _scan(item: Item) -> Report:
    return scan_server(item) if item.surface == "server" else scan_item(item)


def _in_parts(item: Item) -> Report:
    """What is found in each member by itself; a member that a rule fails on stays out."""
    findings: list[Found] = []
    scores: list[float] = []
    for key, value in item.body.items():
        try:
            part = _scan(replace(item, body={key: value}))
        except Exception:  # noqa: BLE001, S112 -- as above; the report says that it is not complete
            continue
        findings += part.findings
        scores.append(part.score)
    hits = [Hit(str(at), score, Place(str(at), Role.TEXT, "")) for at, score in enumerate(scores) if score]
    score = round(combined(hits), 4)
    return Report(score, risk_of(score), tuple(findings), 1)


def _incomplete(report: Report) -> Report:
    """At least medium: somebody has to look at what was not read."""
    score = max(report.score, MEDIUM_FROM)
    return Report(score, risk_of(score), (NOT_SCANNED, *report.findings[: FOUND_MAX - 1]), report.unread)
