"""All rules, in the order of their ids. Pure module."""

from typing import Final

from tools.scanner.acts import ACTS
from tools.scanner.changes import CHANGES
from tools.scanner.contradictions import CONTRADICTIONS
from tools.scanner.findings import Confidence, Found, Severity
from tools.scanner.marks import MARKS
from tools.scanner.names import NAMES
from tools.scanner.parameters import PARAMETERS
from tools.scanner.rule import Rule

RULES: Final[tuple[Rule, ...]] = tuple(
    sorted(
        (*MARKS, *(act.rule for act in ACTS), *PARAMETERS, *NAMES, *CONTRADICTIONS, *CHANGES), key=lambda rule: rule.id
    )
)
NOT_SCANNED: Final = Found("HF-000", Severity.HIGH, Confidence.HIGH, "", "the scan did not finish")
