"""States of a review, who may decide it, and what "held" means. Pure module."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from access.counted import Counted
from tools.classify import ChangeClass

REASON_MAX: Final = 2000  # characters of the reason of a decision
BREAK_GLASS_MAX: Final = timedelta(hours=24)
COMMENT_MAX: Final = 4000  # characters of a comment on a review
SNOOZE_MAX: Final = timedelta(days=90)
POLLER: Final = "poller"  # the vantage that says what a server shows; other vantages may only speak against it
VANTAGE_MAX: Final = 100  # characters
NAME_MAX_BYTES: Final = 2048  # UTF-8 bytes of a definition's name; PostgreSQL indexes no more than about 2,700

MOVES_LOUD: Final = 16  # changes of one definition in a day, of which each has records of its own
NAMES_KEPT: Final = 20_000  # definitions of one server, those that are gone included
VERSIONS_A_DAY: Final = 48  # new forms of one definition in a day that are kept
TEXTS_KEPT: Final = 10  # texts of one definition that nobody ever decided about

_VERSION: Final = "(SELECT v.digest FROM tools_definitionversion v WHERE v.id = t.version_id)"
_OF_SERVER: Final = (
    "t.definition_id IN (SELECT d.id FROM tools_definition d JOIN servers_server s ON s.id = d.server_id "
    "WHERE s.slug = %s)"
)
_SERVED: Final = ("id", "definition_id", "version_id", _VERSION, "expires_at")
POLICY_ROWS: Final = (
    Counted("tools_breakglass", _SERVED, "t.ended_at IS NULL", _OF_SERVER, "definition_id"),
    Counted(
        "tools_definition",
        ("id", "kind", "name"),
        "t.sensitive",
        "t.server_id = (SELECT s.id FROM servers_server s WHERE s.slug = %s)",
    ),
    Counted("tools_pin", _SERVED, "t.ended_at IS NULL", _OF_SERVER, "definition_id"),
)


class ReviewState(StrEnum):
    """A review waits until it is decided or something newer takes its place, which may go away again.

    `dismissed` ends a review about what only some principals were shown: it is explained, and the pin stands.
    """

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    DISMISSED = "dismissed"
    SUPERSEDED = "superseded"


class Verdict(StrEnum):
    """What one person, or a written policy, decides. The review closes once enough people agree."""

    APPROVE = "approve"
    REJECT = "reject"
    DISMISS = "dismiss"


class DefinitionState(StrEnum):
    """Derived, never stored: gone from the server, approved as it is now, or held back from agents."""

    HELD = "held"
    APPROVED = "approved"
    GONE = "gone"


class Because(StrEnum):
    """Why agents get a definition, or why they do not. Derived, never stored."""

    PIN = "pin"
    BREAK_GLASS = "break_glass"
    DRIFT_MODE = "drift_mode"
    GONE = "gone"
    CONTRADICTED = "contradicted"
    NOT_APPROVED = "not_approved"
    CHANGED = "changed"
    EXPIRED = "expired"


class PinEnd(StrEnum):
    """Why a pin ended."""

    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    SERVER_RETIRED = "server_retired"


class GlassEnd(StrEnum):
    """Why a broken glass stopped serving."""

    EXPIRED = "expired"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"
    SERVER_RETIRED = "server_retired"


TRANSITIONS: Final[Mapping[ReviewState, frozenset[ReviewState]]] = {
    ReviewState.WAITING: frozenset(
        {ReviewState.APPROVED, ReviewState.REJECTED, ReviewState.DISMISSED, ReviewState.SUPERSEDED}
    ),
    ReviewState.APPROVED: frozenset(),
    ReviewState.REJECTED: frozenset(),  # opening it again is a new review that names this one
    ReviewState.DISMISSED: frozenset(),
    ReviewState.SUPERSEDED: frozenset({ReviewState.WAITING}),  # the server went back: the same review waits again
}
# What may change upstream while agents go on with the approved text (`DriftMode.SERVE_PINNED`): words and pictures
# that they never get to see, and schemas that still take and give what was approved. Whatever says something of what a
# call does (hints, `_meta`, defaults, arguments that are no longer taken) is left out; `docs/pinning.md` says why.
HARMLESS_WHILE_WAITING: Final = frozenset({
    ChangeClass.ICONS, ChangeClass.INPUT_SCHEMA_EQUIVALENT, ChangeClass.OUTPUT_SCHEMA_EQUIVALENT,
    ChangeClass.OUTPUT_SCHEMA_NARROWED, ChangeClass.TITLE, ChangeClass.WORDING,
})  # fmt: skip


def due_at(risk: str, opened_at: datetime, hours: Mapping[str, int]) -> datetime:
    """Until when a review should be decided: `hours` after it opened, by its risk; one of no known risk at once."""
    return opened_at + timedelta(hours=hours.get(risk, 0))


def approvals_needed(*, review: int, server: int) -> int:
    """The stricter of what was asked when the review opened and what the server asks now."""
    return max(review, server)


def may_count(person_id: int, *, needed: int, registered_by: int | None, endpoint_changed_by: int | None) -> bool:
    """Whether this person's approval counts: where two are asked, never the registrant's or endpoint changer's."""
    return needed < 2 or person_id not in (registered_by, endpoint_changed_by)


def because(row: Any) -> Because:
    """Why agents get a definition or not, of a row as `DefinitionQuerySet.for_list` reads it."""
    if not row.present:
        return Because.GONE
    if row.served:
        return Because.BREAK_GLASS if row.on_glass else Because.PIN if row.approved else Because.DRIFT_MODE
    if row.is_contradicted:
        return Because.CONTRADICTED
    if not row.pin_digest:
        return Because.NOT_APPROVED
    shown = row.observed.digest if row.observed else ""
    return Because.CHANGED if row.pin_digest != shown else Because.EXPIRED


def vantage_of_agent(client_id: str) -> str:
    """The class of principals that come through one agent. Ids that only a digest can tell apart stay apart."""
    whole = f"agent:{client_id}"
    if len(whole) <= VANTAGE_MAX:
        return whole
    return f"{whole[: VANTAGE_MAX - 33]}~{hashlib.sha256(client_id.encode()).hexdigest()[:32]}"


def is_quiet(moves: int) -> bool:
    """Whether a definition changes so often that a record of every change would only fill the log."""
    return moves > MOVES_LOUD


def says_flapping(moves: int) -> bool:
    """Whether this change of a quiet definition is one that is recorded: the first, and every doubling."""
    return moves == MOVES_LOUD + 1 or (is_quiet(moves) and moves & (moves - 1) == 0)
