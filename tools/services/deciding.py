"""Deciding a review: which digest, by whom, how many people, why.

The database checks the same rules again (`migrations/0002_triggers.py`); here they get their sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from access.models import Person
from access.services import bump_revision, server_part
from audit.events import Event, RecordType
from audit.permit import audited_denials, refuse_unless
from core.actor import Actor, ActorKind
from core.errors import Conflict, DomainError, Invalid, NotFound, PermissionDenied
from core.ids import new_id
from core.names import subject
from core.permissions import Permission
from servers.models import Server
from servers.rules import ServerState
from tools.models import Definition, Pin, Review, ReviewDecision
from tools.rules import REASON_MAX, PinEnd, ReviewState, Verdict, approvals_needed, may_count
from tools.scanner import Severity
from tools.services.recording import note_definition

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
    """Approve or reject exactly `digest`. The review is approved, and the version pinned, once enough people agree.

    Raises `NotFound`; `Invalid` (verdict, reason, approve_until); `PermissionDenied`, four-eyes included; `Conflict`
    when the review is closed, waits for another digest, the server shows another one by now, or the person has
    decided already.
    """
    wanted, why = _checked(verdict, reason, approve_until)
    server, review = _locked(review_id, actor)
    person = _decider(server, review, actor)
    _refuse_stale(review, digest)
    _refuse_four_eyes(server, review, person, wanted)
    if batch_id is not None and wanted is Verdict.APPROVE:
        _refuse_critical(review)
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
    _close(server, review, wanted, now)
    _record(server, review, wanted, why, actor, batch_id)
    return review


def decide_reviews(*, choices: Sequence[Choice], verdict: str, reason: str, actor: Actor) -> list[ItemResult]:
    """Decide several reviews with one reason: one transaction, record and result per item, one batch id.

    What has a critical finding is never approved this way. Raises `Invalid` for what concerns all of them.
    """
    _checked(verdict, reason, None)
    if len(choices) > BULK_MAX:
        raise Invalid(f"At most {BULK_MAX} reviews can be decided at once.", field="reviews")
    batch = new_id()
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
    why = reason.strip()
    if not why or len(why) > REASON_MAX or "\0" in why:
        raise Invalid(f"Say why, in 1 to {REASON_MAX} characters; the reason is kept for ever.", field="reason")
    if approve_until is not None and (verdict != Verdict.APPROVE or approve_until <= timezone.now()):
        raise Invalid("Only an approval can end, and only in the future.", field="approve_until")
    return Verdict(verdict), why


def _locked(review_id: UUID, actor: Actor) -> tuple[Server, Review]:
    """The review with its definition and server locked, in the order in which observations lock them."""
    found = Review.objects.visible_to(actor).select_related("definition").by_id(review_id)
    server = (
        Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=found.definition.server_id)
    )
    Definition.objects.select_for_update().get(pk=found.definition_id)
    review = Review.objects.select_for_update(of=("self",)).select_related("version", "definition__observed")
    return server, review.get(pk=found.pk)


def _decider(server: Server, review: Review, actor: Actor) -> Person:
    refuse_unless(
        actor.kind is ActorKind.PERSON and actor.may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id),
        actor=actor,
        permission=Permission.REVIEW_DECIDE,
        subject=subject(review.definition.kind, server.slug, review.definition.name),
    )
    person = Person.objects.filter(public_id=actor.id, is_active=True).first()
    if person is None:
        raise NotFound("The deciding person is not known.")
    return person


def _refuse_stale(review: Review, digest: str) -> None:
    definition = review.definition
    observed = definition.observed.digest if definition.observed else ""
    if review.state != ReviewState.WAITING.value:
        raise Conflict(f"This review is {review.state}; nothing waits in it.", field="digest")
    if digest != review.version.digest:
        raise Conflict("This review waits for another digest than the one given.", field="digest")
    if not definition.present or observed != digest:
        raise Conflict("The server shows something else by now; look at the newer review.", field="digest")


def _refuse_four_eyes(server: Server, review: Review, person: Person, verdict: Verdict) -> None:
    if server.state == ServerState.RETIRED.value:
        raise Conflict("The server is retired.")
    if ReviewDecision.objects.filter(review=review, person=person).exists():
        raise Conflict("You have decided this review already; another person has to.")
    if verdict is Verdict.APPROVE and not counts(server, person.pk, needed=_needed(server, review)):
        raise PermissionDenied(
            "Two people have to approve here, and neither may be whoever registered the server or changed its endpoint."
        )


def _refuse_critical(review: Review) -> None:
    if review.version.findings.filter(severity=Severity.CRITICAL.value).exists():
        raise Conflict("A critical finding is never approved in bulk; open this review by itself.")


def _needed(server: Server, review: Review) -> int:
    return approvals_needed(review=review.required_approvals, server=server.required_approvals)


def counts(server: Server, person_id: int, *, needed: int) -> bool:
    """Whether an approval by this person counts where `needed` are asked for `server`."""
    return may_count(
        person_id,
        needed=needed,
        registered_by=server.registered_by_id,
        endpoint_changed_by=server.endpoint_changed_by_id,
    )


def _close(server: Server, review: Review, verdict: Verdict, now: datetime) -> None:
    """Close the review if the last decision settles it, and set the pin if that was an approval."""
    if verdict is Verdict.REJECT:
        review.state = ReviewState.REJECTED.value
    elif _approvals(server, review) >= _needed(server, review):
        review.state = ReviewState.APPROVED.value
    else:
        return
    review.closed_at = now
    review.save(update_fields=["state", "closed_at"])
    if review.state == ReviewState.APPROVED.value:
        _set_pin(review, now)
    bump_revision(server_part(server.slug))


def _approvals(server: Server, review: Review) -> int:
    people = review.decisions.filter(verdict=Verdict.APPROVE.value).values_list("person_id", flat=True)
    needed = _needed(server, review)
    return sum(counts(server, person, needed=needed) for person in people)


def _set_pin(review: Review, now: datetime) -> None:
    live = Pin.objects.live().filter(definition_id=review.definition_id)
    live.update(ended_at=now, ended_reason=PinEnd.REPLACED.value)
    limits = review.decisions.filter(approve_until__isnull=False).order_by("approve_until")
    Pin.objects.create(
        definition_id=review.definition_id,
        version_id=review.version_id,
        review=review,
        set_at=now,
        expires_at=limits.values_list("approve_until", flat=True).first(),
    )


def _record(server: Server, review: Review, verdict: Verdict, reason: str, actor: Actor, batch_id: UUID | None) -> None:
    note_definition(
        Event.REVIEW_DECIDED,
        type=RecordType.REVIEW,
        server=server,
        kind=review.definition.kind,
        name=review.definition.name,
        actor=actor,
        digest=review.version.digest,
        reason=reason,
        batch_id=batch_id,
        before={"state": ReviewState.WAITING.value},
        after={
            "review": str(review.public_id),
            "verdict": verdict.value,
            "state": review.state,
            "approvals": _approvals(server, review),
            "needed": _needed(server, review),
        },
    )
