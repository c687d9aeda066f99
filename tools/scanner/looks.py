"""How many places of one definition are looked at closely: beginning and end of a text first. Pure module.

Honest definitions never come near the limits. Where one is reached, the scan is incomplete, which a person sees.
"""

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

LOOKS_MAX: Final = 400  # of one definition
SPOTS_MAX: Final = 12  # of one sign at either end of one text

_SHORT: Final = 300  # characters that are looked at as a whole


class Looks:
    """How many are left. `is_cut`: there was more to look at."""

    def __init__(self, left: int = LOOKS_MAX) -> None:
        self.left = left
        self.is_cut = False

    def take(self) -> bool:
        """Take one, if there is one left."""
        self.left -= 1
        self.is_cut = self.is_cut or self.left < 0
        return self.left >= 0


def spots(text: str, signs: Iterable[str], looks: Looks) -> Iterator[int]:
    """Where any of `signs` stands, in order; of very many of one those next to the beginning and the end."""
    return heapq.merge(*(_spots(text, sign, looks) for sign in signs if sign in text))


def _spots(text: str, sign: str, looks: Looks) -> list[int]:
    found: list[int] = []
    at = text.find(sign)
    while at >= 0 and len(found) < SPOTS_MAX:
        found.append(at)
        at = text.find(sign, at + len(sign))
    if at < 0:
        return found
    last: list[int] = []
    end = text.rfind(sign)
    while end >= at and len(last) < SPOTS_MAX:
        last.append(end)
        end = text.rfind(sign, 0, end)
    looks.is_cut = looks.is_cut or end >= at
    return found + last[::-1]


def stretches(found: Iterable[int], before: int, after: int) -> Iterator[tuple[int, int]]:
    """What lies so far before and after each, what overlaps in one."""
    begin = end = -1
    for at in found:
        if at - before > end:
            if end >= 0:
                yield max(begin, 0), end
            begin = at - before
        end = at + after
    if end >= 0:
        yield max(begin, 0), end


def holds_any(text: str, words: tuple[str, ...]) -> bool:
    """Whether any of `words` is in `text`."""
    for word in words:  # noqa: SIM110 -- a generator takes three times as long, and this is asked of every string
        if word in text:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Sought:
    """What is sought near its signs only: `reach` characters before and after one. None is found without a sign."""

    expression: re.Pattern[str]  # in small letters
    signs: tuple[str, ...]
    reach: tuple[int, int]

    def first(self, lower: str, looks: Looks) -> re.Match[str] | None:
        """Where it stands first, or None. Signs that stand close to each other are looked at together."""
        if not holds_any(lower, self.signs):
            return None
        if len(lower) <= _SHORT:
            return self.expression.search(lower) if looks.take() else None
        for begin, end in stretches(spots(lower, self.signs, looks), *self.reach):
            if not looks.take():
                return None
            if match := self.expression.search(lower, begin, end):
                return match
        return None
