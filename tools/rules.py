"""States of a review, who may decide it, and what "held" means. Pure module."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

REASON_MAX: Final = 2000  # characters of the reason of a decision
NAME_MAX_BYTES: Final = 2048  # UTF-8 bytes of a definition's name; PostgreSQL indexes no more than about 2,700


class ReviewState(StrEnum):
    """A review waits until it is decided or something newer takes its place."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class Verdict(StrEnum):
    """What one person decides. `Review` becomes approved once enough people approve."""

    APPROVE = "approve"
    REJECT = "reject"


class DefinitionState(StrEnum):
    """Derived, never stored: gone from the server, approved as it is now, or held back from agents."""

    HELD = "held"
    APPROVED = "approved"
    GONE = "gone"


class PinEnd(StrEnum):
    """Why a pin ended."""

    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    SERVER_RETIRED = "server_retired"


TRANSITIONS: Final[Mapping[ReviewState, frozenset[ReviewState]]] = {
    ReviewState.WAITING: frozenset({ReviewState.APPROVED, ReviewState.REJECTED, ReviewState.SUPERSEDED}),
    ReviewState.APPROVED: frozenset(),
    ReviewState.REJECTED: frozenset(),
    ReviewState.SUPERSEDED: frozenset(),
}


def approvals_needed(*, review: int, server: int) -> int:
    """The stricter of what was asked when the review opened and what the server asks now."""
    return max(review, server)


def may_count(person_id: int, *, needed: int, registered_by: int | None, endpoint_changed_by: int | None) -> bool:
    """Whether this person's approval counts: where two are asked, never the registrant's or endpoint changer's."""
    return needed < 2 or person_id not in (registered_by, endpoint_changed_by)
