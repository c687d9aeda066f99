"""What findings come to: one word for a definition, and one for a server. Pure module.

Medium and above asks for a person. A scan that did not finish is no threat and no word of its own here: it is said
beside the word, and holds what it is about all the same.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from tools.scanner.engine import MEDIUM_FROM, risk_of
from tools.scanner.findings import Severity
from tools.scanner.rules import NOT_SCANNED

LEVELS: Final = ("none", *(each.value for each in Severity))
ALARMING: Final = tuple(each.value for each in Severity if each is not Severity.LOW)
ALARMING_FROM: Final = MEDIUM_FROM
INCOMPLETE: Final = NOT_SCANNED.rule


class Threat(Protocol):
    """A finding."""

    @property
    def rule(self) -> str:
        """The rule's id."""
        ...

    @property
    def severity(self) -> str:
        """How bad it is."""
        ...


class Judged(Threat, Protocol):
    """A finding with what is said of it: suppressed until when, if it is."""

    @property
    def suppressed_until(self) -> datetime | None:
        """Until when it does not count."""
        ...


class Placed(Threat, Protocol):
    """A finding with where it is and what was seen there."""

    @property
    def field(self) -> str:
        """A JSON pointer."""
        ...

    @property
    def evidence(self) -> str:
        """What was seen there, with a little of what is around it."""
        ...


@dataclass(frozen=True, slots=True)
class Together:
    """What a server and all its definitions come to. `levels`: how many of each; `incomplete`: not scanned whole."""

    level: str
    levels: Mapping[str, int]
    incomplete: int


def together(shown: Iterable[tuple[float | None, Sequence[Judged]]], own: Iterable[Judged] = ()) -> Together:
    """The risk of everything that is shown, given score and findings of each, and the findings of the server itself."""
    pairs, of_server = list(shown), list(own)
    counts = Counter(level(score, findings) for score, findings in pairs)
    incomplete = sum(is_incomplete(findings) for _, findings in (*pairs, (None, of_server)))
    return Together(worst((*counts, level(None, of_server))), {name: counts[name] for name in LEVELS}, incomplete)


def level(score: float | None, findings: Sequence[Judged]) -> str:
    """The word for a version. While nothing is suppressed it is its score's, else that of the worst open finding."""
    threats = [each for each in findings if each.rule != INCOMPLETE]
    open_ones = [each for each in threats if each.suppressed_until is None]
    if score is not None and len(open_ones) == len(threats):
        return risk_of(score)
    return worst(each.severity for each in open_ones)


def is_known(finding: Placed, accepted: Iterable[Placed]) -> bool:
    """Whether what people approved had the very same finding, which they were shown.

    That something was not scanned is never known: nobody was shown what is in it.
    """
    told = (finding.rule, finding.severity, finding.field, finding.evidence)
    return finding.rule != INCOMPLETE and any(
        told == (each.rule, each.severity, each.field, each.evidence) for each in accepted
    )


def is_alarming(finding: Threat) -> bool:
    """Whether a person has to look: a threat of medium severity or more, or a scan that did not finish."""
    return finding.severity in ALARMING or finding.rule == INCOMPLETE


def is_incomplete(findings: Iterable[Threat]) -> bool:
    """Whether the scan did not finish."""
    return any(each.rule == INCOMPLETE for each in findings)


def worst(levels: Iterable[str]) -> str:
    """The worst of these words; none of them is `none`."""
    return max(levels, key=LEVELS.index, default=LEVELS[0])
