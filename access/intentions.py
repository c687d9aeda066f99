"""Why a call is made: where a caller says it, and which calls must (docs/access.md, "Saying why"). Pure module."""

from enum import StrEnum
from typing import Final

KEY: Final = "holdfast/intention"  # member of a request's `_meta`
BYTES_MAX: Final = 2000  # of UTF-8

# Of a call that said why, or none at all: typing ahead, listening, and what becomes of a task.
_FOLLOWING: Final = frozenset({
    "completion/complete", "resources/subscribe", "resources/unsubscribe", "tasks/cancel", "tasks/get", "tasks/result",
    "tasks/update",
})  # fmt: skip


class IntentionNeeded(StrEnum):
    """Which calls of a server must say why."""

    NONE = "none"
    SENSITIVE = "sensitive"  # of what is marked sensitive
    ALL = "all"


NOT_NEEDED: Final = IntentionNeeded.NONE.value  # a plain text: it is compared with for every call


def fits(value: object) -> bool:
    """Whether a value can be an intention: a text that is not too long."""
    if not isinstance(value, str) or len(value) > BYTES_MAX:
        return False
    return value.isascii() or len(value.encode("utf-8", "surrogatepass")) <= BYTES_MAX


def says_something(intention: str) -> bool:
    """Whether a text can be a reason at all: one without any letter or digit gives none."""
    return any(map(str.isalnum, intention))


def is_needed(needed: str, method: str, *, sensitive: bool) -> bool:
    """Whether a call must say why. What a later release may ask for is not known, and is asked of every call."""
    if needed == NOT_NEEDED or method in _FOLLOWING:
        return False
    return sensitive or needed != IntentionNeeded.SENSITIVE
