"""What an act is, and how a row of the tables in `said` is written. Pure module.

Frames are written in the classes of `lexicon` (see `Frame` for the notation). A word alone is never a finding.
"""

from dataclasses import dataclass
from typing import Any

from tools.scanner.clauses import Frame, frame
from tools.scanner.fields import Role
from tools.scanner.findings import Confidence, Severity
from tools.scanner.rule import Rule, words


@dataclass(frozen=True, slots=True)
class Act:
    """One row. `honest_for`: purposes of tools that say so honestly.

    `quotable`: not meant where a sentence speaks of such texts or quotes one. `negatable`: the opposite where it is
    denied ("never send your password"). `only_in`: roles of the strings in which it is one; all where there are none.
    """

    rule: Rule
    frames: tuple[Frame, ...]
    honest_for: frozenset[str]
    quotable: bool
    negatable: bool
    only_in: frozenset[Role]


def _tool(description: str, parameter: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"name": "lookup", "description": description}
    if parameter:
        body["inputSchema"] = {"type": "object", "properties": {"detail": {"type": "string", "description": parameter}}}
    return {"definition": body}


def act(  # noqa: PLR0913 -- one argument a column of the table
    id_: str,
    title: str,
    severity: Severity,
    confidence: Confidence,
    frames: str,
    *,
    why: str,
    maps: str,
    fires: str,
    leaves: str,
    honest: str = "",
    quotable: bool = False,
    negatable: bool = False,
    only_in: frozenset[Role] = frozenset(),
    parameters: tuple[str, str] = ("", ""),
) -> Act:
    """One row: the rule, its frames a line each, and what makes it honest."""
    rule = Rule(
        id_,
        title,
        why,
        severity,
        confidence,
        tuple(maps.split()),
        _tool(fires, parameters[0]),
        _tool(leaves, parameters[1]),
    )
    rows = tuple(frame(line) for line in frames.splitlines() if line.strip())
    return Act(rule, rows, words(honest), quotable, negatable, only_in)


LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL
WEAK, FAIR, SURE = Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH
