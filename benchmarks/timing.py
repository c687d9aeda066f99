"""Alternatives measured in turn, so that what else the machine does meets them alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def paired(
    alternatives: Mapping[str, Callable[[], object]], *, rounds: int = 9, seconds: float = 0.02
) -> dict[str, float]:
    """CPU microseconds that one run of each takes: the median of `rounds`, each of about `seconds`."""
    counts = {name: _count(run, seconds) for name, run in alternatives.items()}
    took: dict[str, list[float]] = {name: [] for name in alternatives}
    gc.collect()
    for _ in range(rounds):
        for name, run in alternatives.items():
            began = time.process_time()
            for _ in range(counts[name]):
                run()
            took[name].append((time.process_time() - began) / counts[name] * 1e6)
    return {name: statistics.median(times) for name, times in took.items()}


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of `ordered` (ascending) does not exceed; NaN when there is none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _count(run: Callable[[], object], seconds: float) -> int:
    began = time.process_time()
    run()
    once = time.process_time() - began
    return max(1, min(100_000, int(seconds / max(once, 2e-7))))
