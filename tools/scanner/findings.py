"""What a rule gives. Pure module."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EVIDENCE_MAX: Final = 300  # characters
_AROUND: Final = 40  # characters of the text before and after


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
    """One finding. `field` is a JSON pointer (RFC 6901); `evidence` is ASCII, everything else escaped.

    `start` and `end` count characters of the string at `field` (of the key there, where the rule is about a name).
    """

    rule: str
    severity: Severity
    confidence: Confidence
    field: str
    evidence: str
    start: int = 0
    end: int = 0


def as_evidence(text: str) -> str:
    """`text` as ASCII with everything else escaped, cut to what is stored."""
    shown = text.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00")
    return shown if len(shown) <= EVIDENCE_MAX else shown[: EVIDENCE_MAX - 3] + "..."


def around(text: str, start: int, end: int) -> str:
    """What lies at `start` to `end` of `text`, with a little of what is around it, as evidence."""
    return as_evidence(text[max(0, start - _AROUND) : min(end, start + EVIDENCE_MAX) + _AROUND])
