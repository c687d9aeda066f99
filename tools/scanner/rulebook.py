"""All rules for people: each by its id, and docs/rules.md. Pure module."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tools.scanner.answers import ANSWER_RULES
from tools.scanner.findings import Confidence, Severity
from tools.scanner.rule import Rule
from tools.scanner.rules import NOT_SCANNED, RULES
from tools.scanner.servers import SERVERS

INCOMPLETE: Final = Rule(
    NOT_SCANNED.rule, "Scan incomplete", "A rule failed, or there was more than is read: what was not looked at may"
    " hold anything. It is not a threat by itself, and never an all-clear.", Severity.HIGH, Confidence.HIGH, (),
    {"definition": {"description": "(more than 131,072 characters)"}}, {"definition": {"description": "Adds."}},
)  # fmt: skip
ALL: Final[tuple[Rule, ...]] = (INCOMPLETE, *RULES, *ANSWER_RULES, *SERVERS)
BY_ID: Final[Mapping[str, Rule]] = {rule.id: rule for rule in ALL}
_GROUPS: Final = (
    ("HF-0", "What shows by its form"),
    ("HF-1", "What a text asks of the model"),
    ("HF-2", "What parameters are called"),
    ("HF-3", "Names, and other servers' tools"),
    ("HF-4", "Annotations that contradict"),
    ("HF-5", "What tools can do"),
    ("HF-6", "What results hold"),
    ("HF-7", "Servers: how they are started and reached, and their tools together"),
    ("HF-8", "Flows"),
    ("HF-9", "What changed in what was approved"),
)
_SHOWN: Final = 220
_INTRODUCTION: Final = """\
# Rules of the scanner

Generated from the rules in `tools/scanner/` by `./dev manage generate_docs`; do not edit.

What the rules are run by and what a score means: [scanning.md](scanning.md). How well they do: \
[scanner-quality.md](scanner-quality.md).

A rule's severity says how bad it is if it is what it looks like, its confidence how sure the rule is; both together \
are its weight. Where it fires, the weight is less if the tool's purpose or the sentence explains it (a secret manager \
that speaks of passwords, a denial, an example), and more if the text is hidden or stands where no order belongs. \
`fires` is an item in which the rule finds something, `leaves` one in which it must not; both are tests. Ids are \
stable: a rule that goes leaves its id unused. References: OWASP MCP Top 10 (2025, MCP..) and SAFE-MCP (SAFE-T..).
"""


def document() -> str:
    """docs/rules.md."""
    parts = [_INTRODUCTION.rstrip()]
    for prefix, title in _GROUPS:
        rules = [rule for rule in ALL if rule.id.startswith(prefix)]
        if rules:
            parts += [f"\n## {title}\n", *_rows(rules)]
    return "\n".join(parts)


def _rows(rules: Iterable[Rule]) -> Iterable[str]:
    for rule in rules:
        maps = f"; {', '.join(rule.maps)}" if rule.maps else ""
        yield f"### {rule.id}: {rule.title}\n"
        yield f"{rule.severity.value}, confidence {rule.confidence.value}{maps}. {rule.why}\n"
        yield f"* fires: {_shown(rule.fires)}\n* leaves: {_shown(rule.leaves)}\n"


def _shown(item: Mapping[str, Any]) -> str:
    """An example as code: the definition, and what stands beside it."""
    text = json.dumps(item, ensure_ascii=True)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}"
