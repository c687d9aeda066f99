"""What durable records cost a call: the commits that it waits for, by the gateway's own metrics before and after."""

import re
from dataclasses import dataclass

import httpx2

from benchmarks.load import Plan
from benchmarks.measuring import measure
from benchmarks.report import verdict

_VALUE = re.compile(r"^(?P<name>holdfast_audit_commit_seconds_(?:count|sum)) (?P<value>\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Commits:
    """Of calls that came one after the other: commits for each, and milliseconds that one took."""

    per_call: float
    ms: float


def of_one_caller(python: str, plan: Plan, metrics_url: str) -> Commits:
    """Calls of one caller, all of whose records are committed singly. Raises `measuring.Failed`."""
    before = _read(metrics_url)
    measured = measure(python, plan, 1)
    after = _read(metrics_url)
    count, seconds = (after[name] - before[name] for name in ("count", "sum"))
    calls = measured.requests * (1 + plan.warm / plan.seconds)  # the metrics counted those of the warming up as well
    return Commits(count / calls, seconds / count * 1000)


def verdicts(commits: Commits) -> list[str]:
    """The issue's figure with its target; calls are counted to a few in a thousand."""
    text = f"commits that a call of one caller waits for, of {commits.ms:.2f} ms each"
    return [verdict(text, round(commits.per_call, 1), 2)]


def _read(url: str) -> dict[str, float]:
    answer = httpx2.get(url, timeout=10)
    answer.raise_for_status()
    found = {match["name"].rpartition("_")[2]: float(match["value"]) for match in _VALUE.finditer(answer.text)}
    return {"count": found["count"], "sum": found["sum"]}
