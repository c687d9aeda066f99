"""The list of reviews as somebody asks for it: narrowed, in order, and what stands before and after one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Count, F, IntegerField, Q, Value, When
from django.utils import timezone

from core.actor import Actor
from tools.classify import Risk
from tools.models import Review
from tools.querysets import ReviewQuerySet
from tools.rules import ReviewState
from tools.whys import Why

WAITING: Final = ReviewState.WAITING.value
SNOOZED: Final = "snoozed"
OPEN: Final = "open"  # what waits, whether it is put off or not
UNDECIDED: Final = (WAITING, SNOOZED, OPEN)
ME: Final = "me"
NOBODY: Final = "nobody"
_RISK_ORDER: Final = Case(
    *(When(risk=risk.value, then=Value(rank)) for rank, risk in enumerate((Risk.HIGH, Risk.MEDIUM, Risk.LOW))),
    default=Value(0),
    output_field=IntegerField(),
)
_NARROWING: Final[Mapping[str, Callable[[ReviewQuerySet, Any], ReviewQuerySet]]] = {
    "server": lambda found, slug: found.filter(definition__server__slug=slug),
    "kind": lambda found, kind: found.filter(definition__kind=kind),
    "risk": lambda found, risk: found.filter(risk=risk),
    "why": lambda found, why: found.because_of(Why(why)),
    "finding": lambda found, severity: found.found_at_least(severity),
    "overdue": lambda found, _: found.overdue(timezone.now()),
    "digest": lambda found, digest: found.filter(version__digest=digest),
}


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The reviews before and after one, in the order of a list. None: it begins or ends there."""

    before: Review | None = None
    after: Review | None = None


def listed(actor: Actor, wanted: Mapping[str, Any]) -> ReviewQuerySet:
    """What `actor` may see of what is `wanted` (the cleaned values of the filters), in order.

    What waits comes riskiest and oldest first, what is closed newest first. A query that only looks for keys.
    """
    found = _narrowed(Review.objects.visible_to(actor), wanted, me=actor.name)
    if (wanted.get("state") or WAITING) in UNDECIDED:
        return found.annotate(rank=_RISK_ORDER).order_by("rank", "opened_at", "pk")
    return found.order_by("-closed_at", "-pk")


def _narrowed(found: ReviewQuerySet, wanted: Mapping[str, Any], *, me: str) -> ReviewQuerySet:
    found = _in_state(found, wanted.get("state") or WAITING)
    for name, narrow in _NARROWING.items():
        if wanted.get(name):
            found = narrow(found, wanted[name])
    if wanted.get("assignee"):
        given = {ME: me, NOBODY: ""}
        found = found.assigned_to(given.get(wanted["assignee"], wanted["assignee"]))
    return found


def _in_state(found: ReviewQuerySet, state: str) -> ReviewQuerySet:
    if state not in UNDECIDED:
        return found.filter(state=state)
    waiting, now = found.waiting(), timezone.now()
    if state == OPEN:
        return waiting
    return waiting.snoozed(now) if state == SNOOZED else waiting.awake(now)


def neighbours(review: Review, actor: Actor, wanted: Mapping[str, Any]) -> Neighbours:
    """What stands beside a review in a list; where it no longer stands there itself, beside the place where it did."""
    found = listed(actor, wanted).exclude(pk=review.pk)
    if (wanted.get("state") or WAITING) in UNDECIDED:
        place = {"rank": _rank(review), "opened_at": review.opened_at, "pk": review.pk}
        before, after = _beyond(place, "lt"), _beyond(place, "gt")
    elif review.closed_at is None:
        return Neighbours()
    else:
        place = {"closed_at": review.closed_at, "pk": review.pk}
        before, after = _beyond(place, "gt"), _beyond(place, "lt")
    shown = found.only("public_id")
    return Neighbours(shown.filter(before).reverse().first(), shown.filter(after).first())


def _rank(review: Review) -> int:
    ranks = {risk.value: rank for rank, risk in enumerate((Risk.HIGH, Risk.MEDIUM, Risk.LOW))}
    return ranks.get(review.risk, 0)


def _beyond(place: Mapping[str, Any], way: str) -> Q:
    """Rows beyond a place in the order of its columns, one after the other."""
    beyond, equal = Q(), Q()
    for name, value in place.items():
        beyond |= equal & Q(**{f"{name}__{way}": value})
        equal &= Q(**{name: value})
    return beyond


def twins(reviews: Sequence[Review], actor: Actor) -> dict[str, int]:
    """How many reviews wait for each digest of `reviews` that several wait for, as far as `actor` sees."""
    digests = {review.version.digest for review in reviews}
    waiting = Review.objects.visible_to(actor).waiting().filter(version__digest__in=digests)
    counted = waiting.order_by().values(digest=F("version__digest")).annotate(n=Count("pk")).filter(n__gt=1)
    return {row["digest"]: row["n"] for row in counted}
