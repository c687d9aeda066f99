"""The list of reviews as somebody asks for it: narrowed, in order, and what stands before and after one of them.

What waits is folded: the same change at several servers is one row (`folded`). The decisions stay one of each review.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    DecimalField,
    F,
    Func,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Collate, Extract
from django.utils import timezone

from core.actor import Actor
from tools.classify import Risk
from tools.models import DefinitionVersion, Review
from tools.querysets import ReviewQuerySet
from tools.rules import ReviewState
from tools.whys import Why

WAITING: Final = ReviewState.WAITING.value
SNOOZED: Final = "snoozed"
OPEN: Final = "open"  # what waits, whether it is put off or not
UNDECIDED: Final = (WAITING, SNOOZED, OPEN)
ME: Final = "me"
NOBODY: Final = "nobody"
# What two reviews have in common that are about the same change; a digest names kind, name and text.
_DIGEST: Final = "version__digest"
SAME: Final = (_DIGEST, "base__digest")
# What those have in common that came to wait after the same look at a server: a look is taken in at one moment.
LOOK: Final = ("definition__server", "opened_at")
NAMED: Final = 3  # servers of a folded row that are named
_Key = tuple[Any, ...]  # values of such columns
_RISK_ORDER: Final = Case(
    *(When(risk=risk.value, then=Value(rank)) for rank, risk in enumerate((Risk.HIGH, Risk.MEDIUM, Risk.LOW))),
    default=Value(0),
    output_field=IntegerField(),
)
# The same order as one value, so that the least of a group says where the group stands: rank, microseconds, key.
_PLACE: Final = Func(
    Cast(_RISK_ORDER, BigIntegerField()),
    Cast(Extract("opened_at", "epoch", output_field=DecimalField()) * 1_000_000, BigIntegerField()),
    "pk",
    template="ARRAY[%(expressions)s]",
    output_field=ArrayField(BigIntegerField()),
)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The reviews before and after one, in the order of a list. None: it begins or ends there."""

    before: Review | None = None
    after: Review | None = None


def listed(actor: Actor, wanted: Mapping[str, Any]) -> ReviewQuerySet:
    """What `actor` may see of what is `wanted` (the cleaned values of the filters), in order.

    What waits comes riskiest and oldest first, what is closed newest first. A query that only looks for keys.
    """
    found = _narrowed(Review.objects.visible_to(actor), wanted, actor)
    if (wanted.get("state") or WAITING) in UNDECIDED:
        return found.annotate(rank=_RISK_ORDER).order_by("rank", "opened_at", "pk")
    return found.order_by("-closed_at", "-pk")


def _narrowed(found: ReviewQuerySet, wanted: Mapping[str, Any], actor: Actor) -> ReviewQuerySet:
    found = _in_state(found, wanted.get("state") or WAITING)
    for name, narrow in _NARROWING.items():
        if wanted.get(name):
            found = narrow(found, wanted[name], actor)
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


def folded(actor: Actor, wanted: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The same as `listed`, what waits of it: the same change at several servers together, where its first stands.

    Of each the primary key of that first review and how many there are. No server shows the same definition twice, so
    they are as many as its servers. One query for all pages: to count the rows is to make them.
    """
    return list(_folds(_narrowed(Review.objects.visible_to(actor), wanted, actor)).values_list("first", "n"))


def _folds(found: ReviewQuerySet) -> QuerySet[Any, Any]:
    """Groups of one change in order. Digests are read by key and compared as bytes, which takes a third of joining."""
    keyed: QuerySet[Any, Any] = found.order_by().annotate(shown=_digest_of("version"), was=_digest_of("base"))
    groups: QuerySet[Any, Any] = keyed.values("shown", "was").annotate(place=Min(_PLACE), n=Count("pk"))
    placed: QuerySet[Any, Any] = groups.annotate(first=F("place__2")).order_by("place")
    return placed


def _digest_of(version: str) -> Collate:
    found = DefinitionVersion.objects.order_by().filter(pk=OuterRef(version))
    return Collate(Subquery(found.values("digest")), "C")


def servers_of(firsts: Sequence[Review], actor: Actor, wanted: Mapping[str, Any]) -> dict[int, list[str]]:
    """Of rows of `folded`, by the primary key of their first review, the slugs of some of their servers."""
    found = _narrowed(Review.objects.visible_to(actor), wanted, actor)
    groups = _folds(found.filter(version__digest__in={review.version.digest for review in firsts}))
    named = groups.annotate(slugs=ArrayAgg("definition__server__slug", order_by=("opened_at", "pk")))
    return {first: slugs[:NAMED] for first, slugs in named.values_list("first", "slugs")}


def is_folded(wanted: Mapping[str, Any]) -> bool:
    """Whether a list shows the same change once: where it waits, and nobody asked for each of its servers."""
    return (wanted.get("state") or WAITING) in UNDECIDED and not wanted.get("identical_to")


def members(review_ids: Collection[UUID], actor: Actor, wanted: Mapping[str, Any]) -> dict[UUID, list[UUID]]:
    """For each of these reviews, those of the list that are about the same change (public ids), itself first.

    Of one that the actor does not see, or that has left the list, it is still there: what is done says what is wrong.
    """
    leading = Review.objects.visible_to(actor).filter(public_id__in=review_ids).values_list("public_id", *SAME)
    keys = {public_id: tuple(values) for public_id, *values in leading}
    digests = {digest for digest, _was in keys.values()}
    found: dict[_Key, list[UUID]] = {}
    for public_id, *values in listed(actor, wanted).filter(version__digest__in=digests).values_list("public_id", *SAME):
        found.setdefault(tuple(values), []).append(public_id)
    return {one: list(dict.fromkeys([one, *found.get(keys.get(one, ()), ())])) for one in review_ids}


def identical(reviews: Sequence[Review], actor: Actor) -> dict[int, int]:
    """By the primary key of each review, how many wait for its very change, as far as `actor` sees."""
    keys = {each.pk: (each.version.digest, each.base.digest if each.base else None) for each in reviews}
    waiting = Review.objects.visible_to(actor).waiting()
    counted = _counted(waiting.filter(version__digest__in={each.version.digest for each in reviews}), SAME)
    return {pk: counted.get(key, 0) for pk, key in keys.items()}


def of_look(reviews: Sequence[Review], actor: Actor) -> dict[int, int]:
    """By the primary key of each review, how many wait that the same look at its server brought."""
    keys = {each.pk: (each.definition.server_id, each.opened_at) for each in reviews}
    waiting = (
        Review.objects.visible_to(actor)
        .waiting()
        .filter(
            definition__server__in={server for server, _ in keys.values()},
            opened_at__in={time for _, time in keys.values()},
        )
    )
    counted = _counted(waiting, LOOK)
    return {pk: counted.get(key, 0) for pk, key in keys.items()}


def _counted(found: ReviewQuerySet, names: Sequence[str]) -> dict[_Key, int]:
    rows = found.order_by().values_list(*names).annotate(n=Count("pk"))
    return {tuple(values): n for *values, n in rows}


def _like(names: Sequence[str]) -> Callable[[ReviewQuerySet, UUID, Actor], ReviewQuerySet]:
    """Narrowing to what has these columns in common with one review; to nothing where the actor does not see it."""

    def narrow(found: ReviewQuerySet, review_id: UUID, actor: Actor) -> ReviewQuerySet:
        values = Review.objects.visible_to(actor).filter(public_id=review_id).values(*names).first()
        if values is None:
            return found.none()
        nothing = {f"{name}__isnull": True for name, value in values.items() if value is None}
        return found.filter(**nothing, **{name: value for name, value in values.items() if value is not None})

    return narrow


like_change: Final = _like(SAME)
like_look: Final = _like(LOOK)
# What a narrowing takes: the reviews, the value that is wanted, and who asks.
_NARROWING: Final[Mapping[str, Callable[[ReviewQuerySet, Any, Actor], ReviewQuerySet]]] = {
    "server": lambda found, slug, _: found.filter(definition__server__slug=slug),
    "tag": lambda found, tag, _: found.tagged(tag),
    "kind": lambda found, kind, _: found.filter(definition__kind=kind),
    "risk": lambda found, risk, _: found.filter(risk=risk),
    "why": lambda found, why, _: found.because_of(Why(why)),
    "finding": lambda found, severity, _: found.found_at_least(severity),
    "overdue": lambda found, *_: found.overdue(timezone.now()),
    "digest": lambda found, digest, _: found.filter(version__digest=digest),
    "assignee": lambda found, name, actor: found.assigned_to({ME: actor.name, NOBODY: ""}.get(name, name)),
    "identical_to": like_change,
    "look": like_look,
}
