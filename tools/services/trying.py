"""Trying a rule against history: what it would have approved, and what people decided about it instead."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Invalid
from servers.surface import Kind
from tools.classify import Budget
from tools.models import Review
from tools.policies import Approves, Reason, Rule, judge
from tools.querysets import ReviewQuerySet
from tools.rules import POLLER
from tools.services.judging import cases, measured
from tools.services.policies import permit_managing, refuse_flawed

DAYS_MAX: Final = 90
REVIEWS_MAX: Final = 2_000
_SECONDS: Final = 5.0
BY_POLICY: Final = "approved_by_policy"  # beside the states of a review, whose `approved` is then by people


@dataclass(frozen=True, slots=True)
class TriedRow:
    """A change that the rule would have approved. `outcome` is what came of it: a review's state, or `BY_POLICY`."""

    review: Review
    outcome: str
    characters: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying. `changes` is how many changes of approved definitions the actor may see in the time.

    `outcomes` counts the rows; `declined` says of those that the rule's classes and places fit why it would not have
    approved them. `cut`: there were more than could be read, and only the newest were.
    """

    days: int
    changes: int
    rows: tuple[TriedRow, ...]
    outcomes: Mapping[str, int]
    declined: Mapping[Reason, int]
    cut: bool


@audited_denials
def try_policy(*, rule: Rule, days: int, actor: Actor) -> Trial:
    """Judge the changes of the last `days` by `rule`, each as it stood when it came to wait. Nothing is written.

    That an earlier approval would have moved what later changes are compared with is not played through. Takes about
    five seconds at most. Raises `PermissionDenied` (`policy:manage`), `Invalid` by field.
    """
    permit_managing(actor, "try")
    if not 1 <= days <= DAYS_MAX:
        raise Invalid(f"From 1 to {DAYS_MAX} days.", field="days")
    refuse_flawed(rule, actor)
    since = timezone.now() - timedelta(days=days)
    changes = Review.objects.visible_to(actor).filter(vantage=POLLER, base__isnull=False, opened_at__gte=since)
    return _tried(rule, days, changes)


def _tried(rule: Rule, days: int, changes: ReviewQuerySet) -> Trial:
    fitting = changes.filter(_fits(rule)).select_related("definition__server", "version").defer("version__text")
    reviews = list(fitting.prefetch_related("decisions").order_by("-pk")[: REVIEWS_MAX + 1])
    budget = Budget(_SECONDS)
    rows: list[TriedRow] = []
    declined: Counter[Reason] = Counter()
    found = cases(reviews[:REVIEWS_MAX])
    for case in measured(found, budget):
        verdict = judge(rule, case.candidate)
        if isinstance(verdict, Approves):
            rows.append(TriedRow(case.review, _outcome(case.review), verdict.characters))
        else:
            declined[verdict.reason] += 1
    outcomes = Counter(row.outcome for row in rows)
    cut = len(reviews) > REVIEWS_MAX or budget.is_spent
    return Trial(days, changes.count(), tuple(rows), dict(outcomes), dict(declined), cut)


def _fits(rule: Rule) -> Q:
    """What the rule names; the rest need not be read."""
    fits = Q(change__contained_by=[cls.value for cls in rule.classes], change__len__gt=0)
    fits &= Q(definition__server__environment__in=rule.environments)
    fits &= Q(definition__kind__in=rule.kinds or [kind.value for kind in Kind])
    return fits & Q(definition__server__slug__in=rule.servers) if rule.servers else fits


def _outcome(review: Review) -> str:
    return BY_POLICY if any(decision.policy_id for decision in review.decisions.all()) else review.state
