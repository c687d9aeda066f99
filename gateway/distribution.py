"""A histogram for one writing thread: a few list operations per observation, no lock, and text in milliseconds.

The client library's own takes several locks for each value and tens of microseconds for each line of text, which would
be most of what metrics cost a call, and would keep the interpreter from calls while somebody scrapes (docs/telemetry.md
has figures). Written in the event loop's thread, read in any: a reader may miss the newest value.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.utils import floatToGoString

SERIES_MAX: Final = 2000  # label sets of one distribution
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Key = tuple[str, ...]  # one value for each label


class _Tally:
    """One label set: how many values lie in each bucket (the last has no upper bound), and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class Distribution:
    """Values by label set. Label sets past `SERIES_MAX` share the one whose labels are all `other`."""

    def __init__(self, name: str, text: str, labels: Key, bounds: tuple[float, ...], *, other: str) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._bounds = bounds
        self._written = [floatToGoString(bound) for bound in (*bounds, float("inf"))]
        self._other = (other,) * len(labels)
        self._tallies: dict[Key, _Tally] = {}
        if not labels:
            self._new(())  # what has no labels is there from the start, with zeros

    def observe(self, key: Key, value: float) -> None:
        """Count one value, in the unit that the name says."""
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._new(key)
        tally.counts[bisect_left(self._bounds, value)] += 1
        tally.total += value

    def exposition(self) -> str:
        """Lines as Prometheus reads them, alike in its text format and in OpenMetrics 1.0."""
        lines = [f"# HELP {self._name} {self._text}\n# TYPE {self._name} histogram\n"]
        for key, tally in list(self._tallies.items()):
            lines += self._series(key, tally.counts.copy(), tally.total)
        return "".join(lines)

    def _series(self, key: Key, counts: list[int], total: float) -> Iterator[str]:
        pairs = zip(self._labels, key, strict=True)
        inner = ",".join(f'{label}="{value.translate(_ESCAPES)}"' for label, value in pairs)
        start, outer = (f"{inner}," if inner else ""), (f"{{{inner}}}" if inner else "")
        for bound, reached in zip(self._written, accumulate(counts), strict=True):
            yield f'{self._name}_bucket{{{start}le="{bound}"}} {reached}\n'
        yield f"{self._name}_count{outer} {sum(counts)}\n{self._name}_sum{outer} {total!r}\n"

    def _new(self, key: Key) -> _Tally:
        if len(self._tallies) >= SERIES_MAX:
            key = self._other
        return self._tallies.setdefault(key, _Tally(len(self._bounds) + 1))
