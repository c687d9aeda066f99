"""What a thousand registered tools cost: calls and lists of a server with 1,000 tools beside one with 30."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from benchmarks.load import Measured, Plan
from benchmarks.measuring import measure
from benchmarks.report import verdict

SMALL: Final = 30
LARGE: Final = 1000
METHODS: Final = ("tools/call", "tools/list")

Cell = tuple[str, str, int]  # method, place, tools


def rounds(
    python: str, plans: Mapping[tuple[str, int], Plan], count: int, seconds: float
) -> dict[Cell, list[Measured]]:
    """One caller, in turn. `plans` by place ("ours", "direct") and number of tools. Raises `measuring.Failed`."""
    found: dict[Cell, list[Measured]] = {}
    for _ in range(count):
        for method in METHODS:
            for (place, tools), plan in plans.items():
                asked = replace(plan, method=method, seconds=seconds)
                found.setdefault((method, place, tools), []).append(measure(python, asked, 1))
    return found


def table(found: Mapping[Cell, Sequence[Measured]]) -> str:
    """Medians over the rounds."""
    lines = [f"{'one caller':<20}{'tools':>8}{'':>10}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'bytes':>9}"]
    for (method, place, tools), samples in found.items():
        p50, p95, p99 = (_median(samples, figure) for figure in ("p50", "p95", "p99"))
        lines.append(f"{method:<20}{tools:>8}{place:>10}{p50:>10.2f}{p95:>10.2f}{p99:>10.2f}{samples[-1].bytes:>9}")
    return "\n".join(lines)


def verdicts(found: Mapping[Cell, Sequence[Measured]]) -> list[str]:
    """The issue's figures with their targets."""
    listed = found["tools/list", "ours", LARGE]
    pairs = zip(found["tools/call", "ours", LARGE], found["tools/call", "ours", SMALL], strict=True)
    grown = statistics.median(large.p50 / small.p50 for large, small in pairs)
    return [
        verdict(f"p50 of tools/call with {LARGE} tools, times that with {SMALL}", grown, 1.1, 1.05),
        verdict(f"ms p50 of tools/list with {LARGE} tools", _median(listed, "p50"), 5, 4),
        verdict(f"ms p95 of tools/list with {LARGE} tools", _median(listed, "p95"), 20),
    ]


def _median(samples: Sequence[Measured], figure: str) -> float:
    return float(statistics.median(getattr(sample, figure) for sample in samples))
