"""Calls through every gateway in turn, round after round, and the ratios between them."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks import machine
from benchmarks.load import Measured, Plan
from benchmarks.measuring import measure
from benchmarks.peers import Target
from benchmarks.report import verdict

DIRECT: Final = "direct"
OURS: Final = ("ours, 2026-07-28", "ours, 2025-11-25")
MUST: Final = {"ContextForge": 40, "FastMCP": 8}
AIM: Final = {"ContextForge": 60, "FastMCP": 12}

Cell = tuple[str, int]  # target, connections


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: what the client saw, and CPU microseconds of the target's process for a call (0: not measured)."""

    measured: Measured
    cpu: float


def rounds(
    python: str, targets: Sequence[Target], levels: Iterable[int], count: int, seconds: float
) -> dict[Cell, list[Sample]]:
    """Samples of every target at every number of connections, in turns. Raises `measuring.Failed`."""
    found: dict[Cell, list[Sample]] = {}
    for number in range(count):
        for level in levels:
            for target in targets[:: -1 if number % 2 else 1]:
                plan = replace(target.plan, seconds=seconds)
                found.setdefault((target.name, level), []).append(_sample(python, target.pid, plan, level))
    return found


def _sample(python: str, pid: int, plan: Plan, level: int) -> Sample:
    before = machine.cpu_seconds(pid) if pid else 0.0
    measured = measure(python, plan, level)
    used = machine.cpu_seconds(pid) - before if pid else 0.0
    # What was called while warming up used CPU as well.
    calls = measured.requests * (1 + plan.warm / plan.seconds)
    return Sample(measured, used / calls * 1e6)


def table(found: Mapping[Cell, Sequence[Sample]], memory: Mapping[str, float]) -> str:
    """Medians over the rounds. `memory`: the most that each target's process ever held, in megabytes."""
    figures = "".join(f"{name:>10}" for name in ("req/s", "p50 ms", "p95 ms", "p99 ms", "CPU us", "peak MB"))
    lines = [f"{'tools/call':<20}{'callers':>8}{figures}"]
    for (name, level), samples in found.items():
        rps, p50, p95, p99 = (_median(samples, figure) for figure in ("rps", "p50", "p95", "p99"))
        cpu = statistics.median(sample.cpu for sample in samples)
        held = f"{memory[name]:10.0f}" if name in memory else ""
        lines.append(
            f"{name:<20}{level:>8}{rps:>10.0f}{p50:>10.2f}{p95:>10.2f}{p99:>10.2f}{cpu or float('nan'):>10.0f}{held}"
        )
    return "\n".join(lines)


def verdicts(found: Mapping[Cell, Sequence[Sample]]) -> list[str]:
    """The issue's figures with their targets; ratios are medians of the ratios of each round."""
    lines = []
    for ours in (name for name in OURS if (name, 16) in found):
        for peer in MUST:
            lines += _times(found, ours, peer)
        tails = [sample.measured.p99 / sample.measured.p50 for sample in found[ours, 16]]
        lines.append(verdict(f"{ours}: p99 / p50 at 16 callers", statistics.median(tails), 3, 2.5))
        if (ours, 1) in found:
            lines.append(verdict(f"{ours}: ms added to direct at one caller (p50)", added_ms(found, ours), 2, 1.5))
    return lines


def added_ms(found: Mapping[Cell, Sequence[Sample]], ours: str) -> float:
    """What is added to direct at one caller: the median over the rounds of the differences of the medians."""
    pairs = zip(found[ours, 1], found[DIRECT, 1], strict=True)
    return statistics.median(mine.measured.p50 - bare.measured.p50 for mine, bare in pairs)


def _times(found: Mapping[Cell, Sequence[Sample]], ours: str, peer: str) -> list[str]:
    """Ours by the peer at 16 callers, each with the peer's best number of callers in the same round."""
    theirs = [samples for (name, _), samples in found.items() if name == peer]
    if not theirs:
        return []
    best = [max(sample.measured.rps for sample in round_) for round_ in zip(*theirs, strict=True)]
    ratios = [mine.measured.rps / other for mine, other in zip(found[ours, 16], best, strict=True)]
    text = f"{ours}: times {peer}'s best (from {min(ratios):.1f} to {max(ratios):.1f})"
    return [verdict(text, statistics.median(ratios), MUST[peer], AIM[peer], more=True)]


def _median(samples: Sequence[Sample], figure: str) -> float:
    return float(statistics.median(getattr(sample.measured, figure) for sample in samples))
