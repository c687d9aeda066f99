"""The rules, one row each. Pure module.

They look at every string that a model or a client can read, keys included, after nothing but JSON decoding.
Patterns have no nested repetition, so hostile text costs linear time. An absence of findings proves nothing;
it approves nothing either.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.scanner.findings import Confidence, Found, Severity, as_evidence
from tools.visible import hidden_ascii, mixed_words, unseen

Check = Callable[[str], str | None]
FOUND_MAX: Final = 50
FIELD_MAX: Final = 500  # characters of a JSON pointer
DEPTH_MAX: Final = 100

_PHRASES: Final = re.compile(
    r"<\s?(?:important|system|secret|hidden|instructions?)\s?>"
    r"|\b(?:ignore|disregard|forget|override)\s(?:all\s|any\s|the\s|your\s){0,2}(?:previous|prior|above|earlier|other)\b"
    r"|\b(?:do\snot|don't|never|without)\s(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|reveal"
    r"|revealing|show|showing)\s(?:this\s|it\s|that\s|anything\s){0,1}(?:to\s)?(?:the\s)?user"
    r"|\bbefore\s(?:using|calling|invoking)\s(?:this|any|other)\b[^.\n]{0,60}\b(?:read|send|call|fetch|include|pass)\b"
    r"|\b(?:you\smust|always|first)\s(?:first\s)?(?:read|send|include|pass|forward|upload)\b[^.\n]{0,60}"
    r"(?:\.ssh|id_rsa|\.env\b|credential|password|api.?key|access.?token|conversation|private\skey)",
    re.IGNORECASE,
)
# The flags of England, Scotland and Wales, the only emoji written with TAG characters (Unicode TS51, annex B).
_FLAGS: Final = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(char)) for char in name) + "\U000e007f"
    for name in ("gbeng", "gbsct", "gbwls")
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `check` gives the evidence in a string, or None."""

    id: str
    title: str
    severity: Severity
    confidence: Confidence
    check: Check


def _tag_characters(text: str) -> str | None:
    if text.isascii():
        return None
    for flag in _FLAGS:
        text = text.replace(flag, "")
    hidden = hidden_ascii(text)
    return f"hidden text: {hidden}" if hidden else None


def _unseen_characters(text: str) -> str | None:
    found = [char for char in unseen(text) if not 0xE0000 <= ord(char) <= 0xE007F and char not in "\r\u00a0\u202f"]
    return f"{len(found)} unseen: {' '.join(dict.fromkeys(found))}" if found else None


def _phrase(text: str) -> str | None:
    match = _PHRASES.search(text)
    return text[max(0, match.start() - 40) : match.end() + 80] if match else None


def _look_alikes(text: str) -> str | None:
    words = mixed_words(text)
    return ", ".join(f"{word.word} ({' and '.join(word.scripts)})" for word in words[:5]) or None


RULES: Final = (
    Rule("HF-001", "Text hidden in Unicode TAG characters", Severity.CRITICAL, Confidence.HIGH, _tag_characters),
    Rule("HF-002", "Characters that a reader does not see", Severity.HIGH, Confidence.MEDIUM, _unseen_characters),
    Rule("HF-003", "Words that instruct the model behind the user's back", Severity.HIGH, Confidence.MEDIUM, _phrase),
    Rule("HF-004", "Letters of different scripts that look alike in one word", Severity.HIGH, Confidence.MEDIUM,
         _look_alikes),
)  # fmt: skip
NOT_SCANNED: Final = Found("HF-000", Severity.HIGH, Confidence.HIGH, "", "the scan did not finish")


def scan(body: Mapping[str, Any]) -> tuple[Found, ...]:
    """The findings in one definition, at most one per rule and field, at most 50."""
    found: dict[tuple[str, str], Found] = {}
    for field, text in _strings(body, "", 0):
        for rule in RULES:
            evidence = rule.check(text)
            if evidence is not None:
                found.setdefault((rule.id, field), _found(rule, field, evidence))
        if len(found) >= FOUND_MAX:
            break
    return tuple(found.values())[:FOUND_MAX]


def _found(rule: Rule, field: str, evidence: str) -> Found:
    return Found(rule.id, rule.severity, rule.confidence, field, as_evidence(evidence))


def _strings(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every string below `value`, keys included, with a storable pointer to it."""
    if isinstance(value, str):
        yield path, value
    elif depth < DEPTH_MAX and isinstance(value, Mapping):
        for key, item in value.items():
            yield path, key
            yield from _strings(item, _below(path, key), depth + 1)
    elif depth < DEPTH_MAX and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, _below(path, str(index)), depth + 1)


def _below(path: str, key: str) -> str:
    step = key.replace("~", "~0").replace("/", "~1").encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")
    return f"{path}/{step}"[:FIELD_MAX]
