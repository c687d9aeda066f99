"""What a new grant or a wider role completes: a toxic flow of a holder. Here only the question is known.

`access` cannot know tools, so the app that does registers how it judges, once, when it is loaded.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from access.models import Grant, Role


class Completed(Struct, frozen=True):
    """A flow that is completed, by the canonical names of its tools, and for how many principals it is."""

    untrusted: str
    private: str
    out: str
    principals: int


GrantJudge = Callable[["Grant"], Completed | None]
RoleJudge = Callable[["Role", Collection[str]], Completed | None]


def _nothing(*_asked: object) -> None:
    """Nobody knows any tools."""


_judges: list[tuple[GrantJudge, RoleJudge]] = [(_nothing, _nothing)]


def judge_by(grants: GrantJudge, roles: RoleJudge) -> None:
    """From now on these say what a grant completes, and what a role does that was changed."""
    _judges[:] = [(grants, roles)]


def completed_by(grant: "Grant") -> Completed | None:
    """What the grant, which is in the table already, completes for its holder."""
    return _judges[0][0](grant)


def completed_by_change(role: "Role", before: Collection[str]) -> Completed | None:
    """What the role, which is in the table with its new scopes already, completes beyond the scopes `before`."""
    return _judges[0][1](role, before)
