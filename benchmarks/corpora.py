"""The corpora of real definitions and real attacks, each row with the scanner's score, and what is counted of them.

They are not part of the project: `CORPORA` names their folder. Some sources are set aside: no rule was written with
their rows in view, and nothing but totals is told of them.
"""

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.scanner.batch import item_of
from tools.scanner.guarded import look

FILES = ("benign.jsonl", "malicious.jsonl")
ABSENT: Final = "CORPORA names no folder with benign.jsonl and malicious.jsonl"
SET_ASIDE: Final = (
    "safe-agentic-framework/safe-mcp",
    "invariantlabs-ai/mcp-scan",
    "slowmist/MasterMCP",
    "gensecaihq/mcp-poisoning-poc",
    "jnMetaCode/shellward",
)
ASIDE_BELOW: Final = 102  # of 256: benign servers by the first byte of their name's hash
HEADLINE_TIERS: Final = ("benchmark", "poc")
NOT_IN_HEADLINE: Final = "harmful_capability"  # nothing in the text gives it away


@dataclass(frozen=True, slots=True)
class Scored:
    """A row of the corpora and the score of its definition."""

    row: Mapping[str, Any]
    score: float
    micros: float  # processor time

    def get(self, key: str) -> str:
        """A member as text; the id stands in for a template that nothing else came of."""
        return str(self.row.get(key) or (self.row["id"] if key == "family" else "-"))

    @property
    def is_aside(self) -> bool:
        if self.row["label"] == "malicious":
            return any(source in self.get("source_repo") for source in SET_ASIDE)
        return hashlib.sha256(str(self.row["server_ref"]).encode()).digest()[0] < ASIDE_BELOW


def corpora() -> Path | None:
    """The folder, where there is one with both files."""
    named = os.environ.get("CORPORA")
    folder = Path(named) if named else None
    return folder if folder and all((folder / name).is_file() for name in FILES) else None


def scored(folder: Path) -> list[Scored]:
    """Every row, scanned once the rules are warm."""
    rows = [json.loads(line) for name in FILES for line in (folder / name).read_text("utf-8").splitlines() if line]
    for row in rows[:50]:
        look(item_of(row))
    return [_scored(row) for row in rows]


def _scored(row: Mapping[str, Any]) -> Scored:
    item = item_of(row)
    began = time.process_time_ns()
    score = look(item).score
    return Scored(row, score, (time.process_time_ns() - began) / 1000)


# What is counted. Each takes all rows and gives those that a figure is about.


def bad(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in rows if each.row["label"] == "malicious"]


def tiered(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in bad(rows) if each.get("tier") in HEADLINE_TIERS]


def headline(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in tiered(rows) if each.get("kind") != NOT_IN_HEADLINE]


def fields(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in bad(rows) if each.get("kind") == "field_coverage"]


def good(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in rows if each.row["label"] == "benign"]


def real(rows: Iterable[Scored]) -> list[Scored]:
    return [e for e in good(rows) if e.get("kind") == "benign" and e.get("group") != "synthetic_hard_negative"]


def hard(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in good(rows) if each.row.get("hard_negative")]


def beside(context: str) -> Callable[[Iterable[Scored]], list[Scored]]:
    return lambda rows: [each for each in good(rows) if each.get("context_kind") == context]


def updates(rows: Iterable[Scored]) -> list[Scored]:
    return [each for each in good(rows) if each.get("kind") == "benign_update"]


COUNTED: Final[tuple[tuple[str, Callable[[Iterable[Scored]], list[Scored]]], ...]] = (
    ("attacks found: headline (benchmarks and proofs of concept)", headline),
    ("attacks found: all rows, fragments and mutations included", bad),
    ("attacks found: one payload in 17 places", fields),
    ("false alarms: real definitions", real),
    ("false alarms: hard negatives (imperative but honest)", hard),
    ("false alarms: beside other servers' tools", beside("fleet")),
    ("false alarms: beside a harmless namesake", beside("same_name")),
    ("false alarms: harmless updates", updates),
)


def share(rows: Sequence[Scored], least: float) -> float:
    """The part of `rows` that score at least so much; 0 of none."""
    return sum(each.score >= least for each in rows) / len(rows) if rows else 0.0


def grouped(rows: Iterable[Scored], key: str) -> dict[str, list[Scored]]:
    found: dict[str, list[Scored]] = {}
    for each in rows:
        found.setdefault(each.get(key), []).append(each)
    return dict(sorted(found.items(), key=lambda group: (-len(group[1]), group[0])))


def mean_by(rows: Iterable[Scored], key: str, least: float, *, rows_least: int = 1) -> float:
    """The mean of the groups' shares, so that no large group carries the figure."""
    shares = [share(group, least) for group in grouped(rows, key).values() if len(group) >= rows_least]
    return statistics.fmean(shares) if shares else 0.0
