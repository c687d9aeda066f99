"""Deciding a review: which digest, by whom, how many people, why.

The database checks the same rules again (`migrations/0004_guards.py`); here they get their sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from access.models import Person
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict, DomainError, Invalid, PermissionDenied
from core.ids import new_id
from core.names import subject
from servers.models import Server
from tools.models import Review, ReviewDecision, Triage
from tools.rules import POLLER, ReviewState, Verdict
from tools.scanner import Severity
from tools.services.closing import agreeing, close_if_decided, counts, needed
from tools.services.groundwork import (
    given_reason,
    locked_review,
    person_who_may,
    refuse_password_alone,
    refuse_retired,
    refuse_stale,
)
from tools.services.recording import note_review

BULK_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """One review of a bulk decision, with the digest that was shown."""

    review_id: UUID
    digest: str


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item: the review's new state, or the error that kept it as it was."""

    review_id: UUID
    state: str = ""
    error: DomainError | None = None


@audited_denials
def decide_review(
    *,
    review_id: UUID,
    verdict: str,
    digest: str,
    reason: str,
    actor: Actor,
    approve_until: datetime | None = None,
    batch_id: UUID | None = None,
) -> Review:
    """Approve, reject or dismiss exactly `digest`. The review closes once enough people agree.

    Approved: the version is pinned. Dismissed: what only some principals were shown is explained, and the pin stands.

    Raises `NotFound`; `Invalid` (verdict, reason, approve_until); `PermissionDenied`, four-eyes included; `Conflict`
    when the review is closed, waits for another digest, the server shows another one by now, or the person has
    decided already.
    """
    wanted, why = _checked(verdict, reason, approve_until)
    server, review = locked_review(review_id, actor)
    person = person_who_may(actor, server, review.definition)
    refuse_password_alone(actor, server, review.definition)
    refuse_stale(review, digest)
    refuse_retired(server)
    _refuse_misplaced(review, wanted)
    _refuse_four_eyes(server, review, person, wanted)
    if batch_id is not None and wanted is not Verdict.REJECT:
        _refuse_in_bulk(review)
    now = timezone.now()
    ReviewDecision.objects.create(
        review=review,
        person=person,
        verdict=wanted.value,
        digest=digest,
        reason=why,
        approve_until=approve_until,
        time=now,
    )
    Triage.objects.wake([review])  # whoever has to decide as well should see it
    close_if_decided(server, review, wanted, actor=actor, now=now)
    _record(server, review, wanted, why, actor, batch_id)
    return review


def decide_reviews(
    *, choices: Sequence[Choice], verdict: str, reason: str, actor: Actor, batch_id: UUID | None = None
) -> list[ItemResult]:
    """Decide several reviews with one reason: one transaction, record and result per item, one batch id.

    What has a critical finding is never approved or dismissed this way. Raises `Invalid` for what concerns all of them.
    """
    _checked(verdict, reason, None)
    if len(choices) > BULK_MAX:
        raise Invalid(f"At most {BULK_MAX} reviews can be decided at once.", field="reviews")
    batch = batch_id or new_id()
    return [_decided(choice, verdict, reason, actor, batch) for choice in choices]


def _decided(choice: Choice, verdict: str, reason: str, actor: Actor, batch: UUID) -> ItemResult:
    try:
        review = decide_review(
            review_id=choice.review_id,
            verdict=verdict,
            digest=choice.digest,
            reason=reason,
            actor=actor,
            batch_id=batch,
        )
    except DomainError as error:
        return ItemResult(choice.review_id, error=error)
    return ItemResult(choice.review_id, state=review.state)


def _checked(verdict: str, reason: str, approve_until: datetime | None) -> tuple[Verdict, str]:
    if verdict not in set(Verdict):
        raise Invalid(f"Must be one of: {', '.join(Verdict)}.", field="decision")
    why = given_reason(reason)
    if approve_until is not None and (verdict != Verdict.APPROVE or approve_until <= timezone.now()):
        raise Invalid("Only an approval can end, and only in the future.", field="approve_until")
    return Verdict(verdict), why


def _refuse_misplaced(review: Review, verdict: Verdict) -> None:
    """An approval is about what everybody is shown; what only some are shown can be explained, never approved."""
    if verdict is Verdict.APPROVE and review.vantage != POLLER:
        raise Conflict("Only some principals were shown this; it can be rejected or dismissed, not approved.")
    if verdict is Verdict.DISMISS and review.vantage == POLLER:
        raise Conflict("This is what the server shows everybody; it can be approved or rejected, not dismissed.")


def _refuse_four_eyes(server: Server, review: Review, person: Person, verdict: Verdict) -> None:
    if ReviewDecision.objects.filter(review=review, person=person).exists():
        raise Conflict("You have decided this review already; another person has to.")
    if verdict is not Verdict.REJECT and not counts(server, person.pk, needed=needed(server, review)):
        raise PermissionDenied(
            "Two people have to approve here, and neither may be whoever registered the server or changed its "
            "endpoint.",
            subject=subject(review.definition.kind, server.slug, review.definition.name),
        )


def _refuse_in_bulk(review: Review) -> None:
    """What has to be read by itself: a critical finding, and what somebody said no to, here or at another server."""
    if review.version.findings.filter(severity=Severity.CRITICAL.value).exists():
        raise Conflict("A critical finding is never approved in bulk, nor dismissed; open this review by itself.")
    if Review.objects.filter(version__digest=review.version.digest, state=ReviewState.REJECTED.value).exists():
        raise Conflict("Exactly this version was rejected before, here or elsewhere; open this review by itself.")


def _record(server: Server, review: Review, verdict: Verdict, reason: str, actor: Actor, batch_id: UUID | None) -> None:
    note_review(
        Event.REVIEW_DECIDED,
        review,
        server=server,
        actor=actor,
        reason=reason,
        batch_id=batch_id,
        before={"state": ReviewState.WAITING.value},
        after={
            "review": str(review.public_id),
            "vantage": review.vantage,
            "verdict": verdict.value,
            "state": review.state,
            "approvals": agreeing(server, review, verdict),
            "needed": needed(server, review),
        },
    )
