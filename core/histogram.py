"""How long many things took, as counts: what is kept of millions of durations to tell their median. Pure module.

Each millisecond below 16 has a count of its own, and above each octave has eight of equal width: what is read from them
is off by less than an eighth, and most often by far less.
"""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

SIZE: Final = 160
LONGEST: Final = (1 << 22) - 1  # milliseconds, 70 minutes; what took longer counts as that
_EXACT: Final = 16
_OCTAVE: Final = 4  # the first that is parted: 16 is two to the fourth
_PARTS: Final = 8


def place_of(milliseconds: int) -> int:
    """The count, 0 to 159, that a duration belongs to."""
    value = min(max(milliseconds, 0), LONGEST)
    if value < _EXACT:
        return value
    octave = value.bit_length() - 1
    return _EXACT + (octave - _OCTAVE) * _PARTS + (value >> (octave - 3)) - _PARTS


def counted(durations: Iterable[int]) -> list[int]:
    """The counts of durations in milliseconds."""
    counts = [0] * SIZE
    for milliseconds in durations:
        counts[place_of(milliseconds)] += 1
    return counts


def percentile(counts: Sequence[int], fraction: float) -> float | None:
    """About the milliseconds within which so much of all ended, `fraction` between 0 and 1; None of nothing."""
    rank, before = max(ceil(fraction * sum(counts)), 1), 0
    for place, count in enumerate(counts):
        if rank <= before + count:
            least, width = _span(place)
            # As if those of a count lay evenly in it.
            return least + (width - 1) * (rank - before - 1) / max(count - 1, 1)
        before += count
    return None


def _span(place: int) -> tuple[int, int]:
    """The least duration of a count, and how many milliseconds belong to it."""
    if place < _EXACT:
        return place, 1
    octave, part = divmod(place - _EXACT, _PARTS)
    width = 1 << (octave + _OCTAVE - 3)
    return (_PARTS + part) * width, width
