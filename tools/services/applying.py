"""Letting written policies approve what they are written for.

Only what a look at the server put to review is judged, at that moment. What waits because of somebody's decision (an
approval withdrawn, a rejection opened again, going back to an earlier version) is people's, and so is what waited
before a policy came into force. Whatever fails leaves the review waiting.
"""

import logging
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from django.db import transaction

from access.services import people_who_may
from audit.events import Event
from core.actor import Actor, system_actor
from core.permissions import Permission
from servers.models import Server
from tools.classify import Budget
from tools.models import ChangePolicy, PolicyRevision, Review, ReviewDecision
from tools.policies import Approves, judge, objection
from tools.rules import REASON_MAX, ReviewState, Verdict
from tools.services.closing import close_if_decided, counts, needed
from tools.services.judging import Case, cases, measured, rule_of
from tools.services.recording import note_review

logger = logging.getLogger(__name__)
POLICY: Final[Actor] = system_actor("policy")
_AT_ONCE: Final = 50  # decisions in one savepoint
_SECONDS: Final = 20.0  # for all changes of one look together; what is left waits for people


def apply_policies(*, server: Server, reviews: Sequence[Review], now: datetime) -> int:
    """Approve those of `reviews`, just put to review by a look, that a policy in force is for; answers how many.

    The caller holds the lock on the server's row and has recorded that the reviews were opened.
    """
    policies = list(ChangePolicy.objects.in_force()) if reviews else []
    if not policies:
        return 0
    try:
        with transaction.atomic():
            budget = Budget(_SECONDS)
            chunks = _chunks(_judged(server, reviews, policies, now, budget))
            deciders = people_who_may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id)
            return sum(_all_decided(server, chunk, policies, deciders, now) for chunk in chunks if not budget.is_spent)
    except Exception:
        # The look itself must not fail with it: then what changed would not even be held. Nothing is approved.
        logger.exception("policies could not be applied to %s", server.slug)
        return 0


def _judged(
    server: Server, reviews: Sequence[Review], policies: Sequence[ChangePolicy], now: datetime, budget: Budget
) -> list[Case]:
    """The cases that some policy may approve, with their texts compared."""
    rules = [rule_of(_revision(policy)) for policy in policies]
    for review in reviews:
        review.definition.server = server  # at hand; asking for it would be a query for each
    found = cases(reviews, now=now)
    worth = [case for case in found if any(objection(rule, case.candidate) is None for rule in rules)]
    return list(measured(worth, budget))


def _chunks(found: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """Together, because each savepoint locks the policy's row anew: hundreds in one transaction take quadratic time."""
    return (found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE))


def _all_decided(
    server: Server, found: Sequence[Case], policies: Sequence[ChangePolicy], deciders: AbstractSet[int], now: datetime
) -> int:
    """Decide `found`; if one of them fails, each by itself, so that it does not take the others along."""
    try:
        with transaction.atomic():
            return sum(_decided(server, case, policies, deciders, now) for case in found)
    except Exception:
        if len(found) == 1:
            logger.exception("no policy could decide review %s", found[0].review.public_id)
            return 0
    return sum(_all_decided(server, [case], policies, deciders, now) for case in found)


def _decided(
    server: Server, case: Case, policies: Sequence[ChangePolicy], deciders: AbstractSet[int], now: datetime
) -> bool:
    """Let the first policy that approves decide; whether one did."""
    for policy in policies:
        revision = _revision(policy)
        verdict = judge(rule_of(revision), case.candidate)
        if isinstance(verdict, Approves) and _may_decide(server, case.review, revision, deciders):
            _approve(server, case, policy, verdict, now)
            return True
    return False


def _may_decide(server: Server, review: Review, revision: PolicyRevision, deciders: AbstractSet[int]) -> bool:
    """Whether the people who signed the revision are as many as the server asks for, and their voices count.

    Nothing is decided in the name of somebody who has left, or who may not decide reviews of the server any more.
    """
    asked = needed(server, review)
    people = deciders & {revision.written_by_id, revision.confirmed_by_id}
    return sum(counts(server, person, needed=asked) for person in people) >= asked


def _approve(server: Server, case: Case, policy: ChangePolicy, verdict: Approves, now: datetime) -> None:
    review, revision = case.review, _revision(policy)
    reason = _reason(policy, revision, case, verdict)
    ReviewDecision.objects.create(
        review=review,
        policy=revision,
        verdict=Verdict.APPROVE.value,
        digest=review.version.digest,
        reason=reason,
        approve_until=case.until,  # what people approved for a time does not outlive it by a small change
        time=now,
    )
    if not close_if_decided(server, review, Verdict.APPROVE, actor=POLICY, now=now):
        raise RuntimeError("a policy decided without the voices that the server asks for")
    note_review(
        Event.REVIEW_DECIDED,
        review,
        server=server,
        actor=POLICY,
        reason=reason,
        before={"state": ReviewState.WAITING.value},
        after={
            "review": str(review.public_id),
            "vantage": review.vantage,
            "verdict": Verdict.APPROVE.value,
            "state": review.state,
            "policy": policy.name,
            "revision": revision.n,
        },
    )


def _reason(policy: ChangePolicy, revision: PolicyRevision, case: Case, verdict: Approves) -> str:
    classes = ", ".join(sorted(case.candidate.change))
    text = f"{verdict.characters} of {revision.text_max} characters of text" if verdict.characters else "no text"
    return f"policy {policy.name} revision {revision.n}: {classes}; {text} changed"[:REASON_MAX]


def _revision(policy: ChangePolicy) -> PolicyRevision:
    if policy.in_force is None:
        raise ValueError("a policy that is not in force decides nothing")
    return policy.in_force
