"""Findings for a terminal. Pure module.

Whatever a stranger wrote is printed as ASCII without control characters: a terminal obeys what it prints.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tools.scanner.findings import Found
from tools.scanner.outcomes import Outcome, counted
from tools.scanner.rulebook import BY_ID, INCOMPLETE

_UNPRINTABLE: Final = re.compile(r"[^ -~]")
_NAME_MAX: Final = 80


def printable(text: str) -> str:
    """`text` with everything but plain characters escaped."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def table(found: Sequence[Outcome]) -> str:
    """What was found, the worst first, and a line that sums it up."""
    worst = sorted((outcome for outcome in found if outcome.report.findings), key=lambda outcome: -outcome.report.score)
    return "\n".join([line for outcome in worst for line in _lines(outcome)] + [_sum(found)]) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    target = outcome.target
    about = "/".join(part for part in (target.item.server, outcome.tool) if part) or target.name
    place = f"{printable(target.path)}:{target.line}"
    yield f"{outcome.report.risk:8}  {outcome.report.score:.2f}  {printable(about)[:_NAME_MAX]}  ({place})"
    for each in outcome.report.findings:
        yield from _finding(each)
    yield ""


def _finding(found: Found) -> Iterator[str]:
    rule = BY_ID[found.rule]
    mark = "not read" if rule is INCOMPLETE else found.severity.value
    yield f"  {found.rule}  {mark:8}  {rule.title}"
    yield f"      {printable(found.field) or '(all of it)'}: {printable(found.evidence)}"


def _sum(found: Sequence[Outcome]) -> str:
    counts = ", ".join(f"{count} {risk}" for risk, count in counted(found).items() if count)
    missed = sum(not outcome.is_complete for outcome in found)
    incomplete = f"; {missed} not read to the end" if missed else ""
    return f"{len(found)} looked at: {counts or 'nothing'}{incomplete}"
