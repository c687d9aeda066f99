"""What is known elsewhere that bears on a review or a server: relatives, earlier decisions, the same endpoint.

One installation is one organisation: whoever may read a review reads here also what was decided about its relatives
on servers of other teams, or a rejected definition would pass by moving house. Of these servers nothing else is shown,
and a link leads only where the reader may go (`may_open`, for those who name an actor).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from servers.rules import ServerState
from tools.models import Definition, Pin, Resemblance, Review, ReviewDecision
from tools.rules import PinEnd, ReviewState, Verdict


class Relation(StrEnum):
    """What the new definition would be to a known one. Derived when it is shown, because the known one lives on."""

    RENAMED = "renamed"
    COPY = "copy"
    CLONE = "clone"
    REHOMED = "rehomed"


class KnownState(StrEnum):
    """What people decided about the known version."""

    REJECTED = "rejected"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    APPROVED_ONCE = "approved_once"
    HELD = "held"


class Ground(StrEnum):
    """Why an earlier decision bears on a review."""

    SAME_VERSION = "same_version"
    SAME_DEFINITION = "same_definition"
    SAME_ENDPOINT = "same_endpoint"


@dataclass(frozen=True, slots=True)
class Relative:
    """A known definition that a new one resembles; `reason` says why it was rejected or the approval withdrawn.

    `review_id` names the newest review of exactly the version that it resembles.
    """

    resemblance: Resemblance
    relation: Relation
    state: KnownState
    reason: str
    review_id: Any
    may_open: bool

    @property
    def definition(self) -> Definition:
        """The known definition."""
        return self.resemblance.known.definition


@dataclass(frozen=True, slots=True)
class Precedent:
    """An earlier decision that bears on a review."""

    review: Review
    decisions: list[ReviewDecision]
    withdrawn_because: str
    ground: Ground
    may_open: bool


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another server at the same endpoint, and how many reviews of its definitions ended which way."""

    server: Server
    approvals: int
    rejections: int
    may_open: bool


def relatives_of(review: Review, actor: Actor | None = None) -> list[Relative]:
    """What the version of `review` resembles, rejected ones first, then the most like."""
    home = review.definition.server_id
    return [
        Relative(
            resemblance=row,
            relation=_relation(row.known.definition, home),
            state=_state(row),
            reason=_reason(row),
            review_id=row.known_review,
            may_open=row.known_review is not None and _may_open(actor, row.known.definition.server),
        )
        for row in _resemblances(review)
    ]


def precedents_of(review: Review, actor: Actor | None = None) -> list[Precedent]:
    """Earlier decisions that bear on `review`, rejections first."""
    return [
        Precedent(
            review=row,
            decisions=list(row.decisions.all()),
            withdrawn_because=row.withdrawn_because or "",
            ground=_ground(row, review),
            may_open=_may_open(actor, row.definition.server),
        )
        for row in _precedents(review)
    ]


def neighbours_of(server: Server, actor: Actor) -> list[Neighbour]:
    """Other servers at the endpoint of `server`, of any team and retired ones too."""
    servers = list(Server.objects.same_endpoint_as(server)[:20])
    closed = Review.objects.filter(definition__server__in=servers).order_by().values_list("definition__server")
    counts = {pk: (approved, rejected) for pk, approved, rejected in closed.annotate(**_closed_as())}
    return [
        Neighbour(other, *counts.get(other.pk, (0, 0)), actor.may(Permission.SERVER_READ, team_id=other.owner_team_id))
        for other in servers
    ]


def _precedents(review: Review) -> Iterable[Any]:
    """With what `precedents` annotates, which the model's type does not have."""
    return Review.objects.precedents(review)


def _resemblances(review: Review) -> QuerySet[Any]:
    """With what became of each known version, and without texts, in one query."""
    of_known = Review.objects.filter(version=OuterRef("known")).order_by("-pk")
    pins = Pin.objects.filter(version=OuterRef("known")).order_by("-pk")
    withdrawn = pins.filter(ended_reason=PinEnd.WITHDRAWN.value).values("ended_why")
    said_no = ReviewDecision.objects.filter(
        review__in=Review.objects.standing_rejections().filter(version=OuterRef(OuterRef("known"))),
        verdict=Verdict.REJECT.value,
    ).order_by("-pk")
    rows = Resemblance.objects.filter(review=review).select_related("known__definition__server").defer("known__text")
    return rows.annotate(
        known_review=Subquery(of_known.values("public_id")[:1]),
        rejected=Exists(of_known.standing_rejections()),
        rejected_because=Subquery(said_no.values("reason")[:1]),
        pinned=Exists(pins.live()),
        ever_pinned=Exists(pins),
        withdrawn_because=Subquery(withdrawn[:1]),
    ).order_by("-rejected", "-likeness", "pk")


def _closed_as() -> dict[str, Count]:
    states = (ReviewState.APPROVED, ReviewState.REJECTED)
    return {f"{state.value}_ones": Count("pk", filter=Q(state=state.value)) for state in states}


def _may_open(actor: Actor | None, server: Server) -> bool:
    return actor is not None and actor.may(Permission.REVIEW_READ, team_id=server.owner_team_id)


def _relation(known: Definition, home: int) -> Relation:
    if known.server_id == home:
        return Relation.COPY if known.present else Relation.RENAMED
    return Relation.REHOMED if known.server.state == ServerState.RETIRED.value else Relation.CLONE


def _state(row: Any) -> KnownState:
    """A standing no comes before everything else; the rest is what became of the approval."""
    if row.rejected:
        return KnownState.REJECTED
    if row.pinned:
        return KnownState.APPROVED
    if row.withdrawn_because:
        return KnownState.WITHDRAWN
    return KnownState.APPROVED_ONCE if row.ever_pinned else KnownState.HELD


def _reason(row: Any) -> str:
    state = _state(row)
    if state is KnownState.REJECTED:
        return row.rejected_because or ""
    return row.withdrawn_because if state is KnownState.WITHDRAWN else ""


def _ground(earlier: Review, review: Review) -> Ground:
    if earlier.version.digest == review.version.digest:
        return Ground.SAME_VERSION
    return Ground.SAME_DEFINITION if earlier.definition_id == review.definition_id else Ground.SAME_ENDPOINT
