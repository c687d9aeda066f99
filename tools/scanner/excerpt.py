"""What is read of an answer: its strings from the beginning, where they are too many some from the end. Pure module.

No more is looked at than is read, so that the length of an answer costs nothing beyond that.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from audit.secret_scan import is_secret_name
from tools.scanner.fields import Fields, Place, Role, below

HEAD_MAX: Final = 48 * 1024  # characters
TAIL_MAX: Final = 16 * 1024
_STEPS_MAX: Final = (6_000, 2_000)  # members and items that are looked at from either end
_SHORTEST: Final = 8  # characters of a text that can say something
_BINARY: Final = frozenset({"data", "blob"})
NAME_MAX: Final = 24  # characters of a key; a longer one is no name any more
_FEW: Final = 400  # members and items of a short answer
_BRANCHES: Final = (dict, list)


def short(result: Mapping[str, Any], most: int) -> tuple[str, set[str]] | None:
    """What an answer says, a line each, and the names of its members; the long ones are among what it says, too.

    Together they are at least what `excerpt` reads of it. None where it says more than `most` characters, or very much.
    """
    texts: list[str] = []
    names: set[str] = set()
    waiting: list[Any] = [dict(result)]
    for value in waiting:  # it grows meanwhile
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, _BRANCHES):
            if len(waiting) + len(value) > _FEW:
                return None
            if isinstance(value, dict):
                names.update(value)
                waiting += value.values()
            else:
                waiting += value
    texts += [name for name in names if len(name) >= NAME_MAX]
    return ("\n".join(texts), names) if sum(map(len, texts)) <= most else None


def excerpt(result: Mapping[str, Any]) -> Fields:
    """The strings from the beginning, and where they are too many some from the end."""
    head = _Budget(HEAD_MAX, _STEPS_MAX[0])
    found = list(_within(head, result))
    places = [place for place, _ in found]
    if not head.is_spent:
        return Fields(tuple(places), 0)
    last, unread = (found[-1][0], found[-1][1] - len(found[-1][0].text)) if found else (None, 0)
    tail = _Budget(TAIL_MAX, _STEPS_MAX[1], from_end=True)
    for place, _ in _within(tail, result):
        if last is not None and (place.pointer, place.role) == (last.pointer, last.role):
            rest = place.text[-unread:] if unread else ""  # where the head stopped: what follows was not read yet
            places += [Place(place.pointer, place.role, rest, place.parameter)] if rest else []
            break
        places.append(place)
    return Fields(tuple(places), 1)


class _Budget:
    """How much may still be read."""

    def __init__(self, characters: int, steps: int, *, from_end: bool = False) -> None:
        self.characters = characters
        self.steps = steps
        self.from_end = from_end
        self.is_spent = False

    def step(self) -> bool:
        """Take one step, if there is one left."""
        self.steps -= 1
        self.is_spent = self.is_spent or self.steps < 0 or self.characters <= 0
        return not self.is_spent

    def part(self, text: str) -> str:
        """As much of `text` as may be read."""
        left = self.characters
        if len(text) > left:
            text, self.is_spent = (text[-left:] if self.from_end else text[:left]), True
        self.characters = left - len(text)
        return text


_Child = tuple[str, str, Any]  # pointer, key, value


def _within(budget: _Budget, result: Mapping[str, Any]) -> Iterator[tuple[Place, int]]:
    """The strings in `result`, from the budget's end, each with the length that it had. Nothing recurses."""
    waiting = _members("", dict(result), budget)
    while waiting:
        pointer, key, value = waiting.pop()
        if not budget.step():
            return
        if len(key) >= NAME_MAX:
            yield Place(pointer, Role.KEYWORD, budget.part(key)), len(key)
        if isinstance(value, str):
            if len(value) >= _SHORTEST or is_secret_name(key):
                yield Place(pointer, Role.TEXT, budget.part(value), key[:NAME_MAX]), len(value)
        elif isinstance(value, dict):
            waiting += _members(pointer, value, budget)
        elif isinstance(value, list):
            waiting += _items(pointer, value, budget)


# Of one with many, no more than can be looked at; the first to look at is the last of the list.
def _members(pointer: str, value: dict[str, Any], budget: _Budget) -> list[_Child]:
    members: Iterable[tuple[str, Any]] = value.items()
    if len(value) > budget.steps:
        members = islice(reversed(value.items()) if budget.from_end else members, budget.steps + 1)
    found = [(below(pointer, key), key, each) for key, each in members if key not in _BINARY or not _binary(value, key)]
    if not budget.from_end or len(value) > budget.steps:
        found.reverse()
    return found


def _items(pointer: str, value: list[Any], budget: _Budget) -> list[_Child]:
    numbers = range(len(value)) if budget.from_end else range(len(value) - 1, -1, -1)
    return [(f"{pointer}/{at}", "", value[at]) for at in numbers[-budget.steps - 1 :]]


def _binary(value: Mapping[str, Any], key: str) -> bool:
    """Pictures, sounds and files, which no model reads as text."""
    if key == "data":
        return value.get("type") in ("image", "audio")
    return "uri" in value
