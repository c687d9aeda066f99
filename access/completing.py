"""What a new grant completes: a toxic flow of its holder. Who knows tools says so; here only the question is known.

`access` cannot know tools, so the app that does registers how it judges, once, when it is loaded.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from access.models import Grant


class Completed(Struct, frozen=True):
    """A flow that a grant completes, by the canonical names of its tools, and for how many principals it does."""

    untrusted: str
    private: str
    out: str
    principals: int


Judge = Callable[["Grant"], Completed | None]


def _nothing(_grant: "Grant") -> None:
    """Nobody knows any tools."""


_judges: list[Judge] = [_nothing]


def judge_grants_by(judge: Judge) -> None:
    """From now on `judge` says what a grant completes."""
    _judges[:] = [judge]


def completed_by(grant: "Grant") -> Completed | None:
    """What the grant, which is in the table already, completes for its holder."""
    return _judges[0](grant)
