"""What a rule is, and what it hands to the engine. Pure module."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from tools.scanner.fields import Place
from tools.scanner.findings import Confidence, Severity

_PARTS: Final = re.compile(r"[A-Z]?[a-z]{1,40}|[A-Z]{1,40}(?![a-z])")
_WEIGHTS = {
    (Severity.CRITICAL, Confidence.HIGH): 0.95,
    (Severity.CRITICAL, Confidence.MEDIUM): 0.9,
    (Severity.CRITICAL, Confidence.LOW): 0.78,
    (Severity.HIGH, Confidence.HIGH): 0.85,
    (Severity.HIGH, Confidence.MEDIUM): 0.78,
    (Severity.HIGH, Confidence.LOW): 0.6,
    (Severity.MEDIUM, Confidence.HIGH): 0.55,
    (Severity.MEDIUM, Confidence.MEDIUM): 0.45,
    (Severity.MEDIUM, Confidence.LOW): 0.41,
    (Severity.LOW, Confidence.HIGH): 0.3,
    (Severity.LOW, Confidence.MEDIUM): 0.22,
    (Severity.LOW, Confidence.LOW): 0.15,
}


def parts_of(name: str) -> list[str]:
    """The words of a name or text as they are written, without digits; signs and capitals part them."""
    return _PARTS.findall(name)


def words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `fires` and `leaves` are items as `scan --batch` reads them: one that it finds, one that it must not.

    `maps`: OWASP MCP Top 10 (2025) and SAFE-MCP technique ids.
    """

    id: str
    title: str
    why: str
    severity: Severity
    confidence: Confidence
    maps: tuple[str, ...]
    fires: Mapping[str, Any]
    leaves: Mapping[str, Any]

    @property
    def weight(self) -> float:
        """How much it counts where nothing speaks for or against it: 0 to 1."""
        return _WEIGHTS[self.severity, self.confidence]


class Hit(Struct, frozen=True):
    """A rule found something. `weight` is what remains of the rule's after all that speaks for and against it."""

    rule: str
    weight: float
    place: Place
    start: int = 0
    end: int = 0
    evidence: str = ""  # where the original text does not show it
