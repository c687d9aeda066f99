"""What a rule gives. Pure module."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EVIDENCE_MAX: Final = 300  # characters


class Severity(StrEnum):
    """How bad it is, if it is what it looks like."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Confidence(StrEnum):
    """How sure the rule is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Found:
    """One finding. `field` is a JSON pointer (RFC 6901); `evidence` is ASCII, everything else escaped."""

    rule: str
    severity: Severity
    confidence: Confidence
    field: str
    evidence: str


def as_evidence(text: str) -> str:
    """`text` as ASCII with everything else escaped, cut to what is stored."""
    shown = text.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00")
    return shown if len(shown) <= EVIDENCE_MAX else shown[: EVIDENCE_MAX - 3] + "..."
