"""What came of scanning a file, for people and programs: each target with its report. Pure module."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from core.canonical import canonical_bytes
from servers.surface import Kind
from tools.fingerprint import Unfit, digest
from tools.scanner.definitions import Target
from tools.scanner.engine import Report
from tools.scanner.findings import Found
from tools.scanner.guarded import is_complete, look

RISKS: Final = ("none", "low", "medium", "high", "critical")
_KINDS: Final = {"tool": Kind.TOOL, "prompt": Kind.PROMPT, "resource": Kind.RESOURCE}


@dataclass(frozen=True)
class Outcome:
    """A target and what the rules found in it."""

    target: Target
    report: Report

    @cached_property
    def digest(self) -> str:
        """The digest that a pin of this definition names; of anything else, that of its canonical form."""
        body, surface = self.target.item.body, self.target.item.surface
        kind = Kind.TEMPLATE if "uriTemplate" in body and surface == "resource" else _KINDS.get(surface)
        try:
            return digest(kind, body) if kind else f"sha256:{hashlib.sha256(canonical_bytes(body)).hexdigest()}"
        except (Unfit, ValueError, RecursionError):
            return "none"

    @property
    def is_complete(self) -> bool:
        """Whether all rules have seen all of it."""
        return is_complete(self.report)

    @property
    def tool(self) -> str:
        """What the finding is about, below the server: nothing for the server itself."""
        return "" if self.target.item.surface == "server" else self.target.name

    def fingerprint(self, found: Found) -> str:
        """The same for the same finding in the same definition, wherever its file is."""
        parts = (self.target.item.server, self.tool, found.rule, found.field, self.digest)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def outcomes(targets: Iterable[Target]) -> tuple[Outcome, ...]:
    """Each target, looked at."""
    return tuple(Outcome(target, look(target.item)) for target in targets)


def reaches(found: Iterable[Outcome], risk: str) -> bool:
    """Whether anything is of that risk or above."""
    return any(RISKS.index(outcome.report.risk) >= RISKS.index(risk) for outcome in found)


def counted(found: Sequence[Outcome]) -> dict[str, int]:
    """How many there are of each risk, the worst first."""
    counts = Counter(outcome.report.risk for outcome in found)
    return {risk: counts[risk] for risk in reversed(RISKS)}


def as_json(found: Sequence[Outcome]) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "items": [_item(outcome) for outcome in found],
        "summary": {
            "items": len(found),
            "risks": counted(found),
            "incomplete": sum(not outcome.is_complete for outcome in found),
        },
    }


def _item(outcome: Outcome) -> Mapping[str, Any]:
    target, report = outcome.target, outcome.report
    return {
        "path": target.path,
        "line": target.line,
        "surface": target.item.surface,
        "server": target.item.server,
        "name": target.name,
        "digest": outcome.digest,
        "score": report.score,
        "risk": report.risk,
        "complete": outcome.is_complete,
        "findings": [
            {
                "rule": found.rule,
                "severity": found.severity.value,
                "confidence": found.confidence.value,
                "field": found.field,
                "evidence": found.evidence,
                "start": found.start,
                "end": found.end,
            }
            for found in report.findings
        ],
    }
