"""Sharing the work: giving a review to somebody, putting it off, taking that back, saying something about it.

None of it is a decision: what waits is withheld all the same, and counts as waiting wherever that is asked.
"""

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from access.models import Person
from access.services import actor_for
from access.services.lookups import person_named
from audit.events import Event
from audit.permit import audited_denials
from audit.subjects import pseudonym_for
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.permissions import Permission
from servers.models import Server
from tools.models import Review, ReviewComment, Triage
from tools.rules import COMMENT_MAX, SNOOZE_MAX, ReviewState
from tools.services.groundwork import locked_review, person_who_may
from tools.services.recording import note_review


@audited_denials
def assign_review(*, review_id: UUID, assignee: str, actor: Actor, batch_id: UUID | None = None) -> Review:
    """Give a waiting review to the person of this user name, or to nobody where it is empty.

    Raises `NotFound`, `PermissionDenied`, `Invalid` (assignee: no such person, or one who may not decide it), and
    `Conflict` unless it waits.
    """
    server, review, _ = _waiting(review_id, actor)
    person = _may_be_given_to(assignee, server) if assignee else None
    triage, _ = Triage.objects.select_related("assignee").get_or_create(review=review)
    before = triage.assignee
    if before == person:
        return review
    triage.assignee = person
    triage.save(update_fields=["assignee"])
    note_review(
        Event.REVIEW_ASSIGNED,
        review,
        server=server,
        actor=actor,
        batch_id=batch_id,
        before={"assignee": _shown(before)},
        after={"review": str(review.public_id), "assignee": _shown(person)},
    )
    return review


@audited_denials
def snooze_review(*, review_id: UUID, until: datetime | None, actor: Actor, batch_id: UUID | None = None) -> Review:
    """Put a waiting review off until `until`, an aware datetime, or with None until it changes again.

    It is no decision, and a change ends it before its time. Raises `NotFound`, `PermissionDenied`, `Invalid` (until),
    and `Conflict` unless it waits.
    """
    now = timezone.now()
    if until is not None and not now < until <= now + SNOOZE_MAX:
        raise Invalid(f"A review is put off into the future, and for {SNOOZE_MAX.days} days at most.", field="until")
    server, review, person = _waiting(review_id, actor)
    Triage.objects.update_or_create(
        review=review, defaults={"snoozed_at": now, "snoozed_until": until, "snoozed_by": person}
    )
    note_review(
        Event.REVIEW_SNOOZED,
        review,
        server=server,
        actor=actor,
        batch_id=batch_id,
        after={"review": str(review.public_id), "until": until.isoformat() if until else None},
    )
    return review


@audited_denials
def wake_review(*, review_id: UUID, actor: Actor, batch_id: UUID | None = None) -> Review:
    """Take a snooze back. Raises `NotFound`, `PermissionDenied`, and `Conflict` unless it waits and is put off."""
    server, review, _ = _waiting(review_id, actor)
    if not Triage.objects.wake([review]):
        raise Conflict("This review is not put off.")
    after = {"review": str(review.public_id)}
    note_review(Event.REVIEW_WOKEN, review, server=server, actor=actor, batch_id=batch_id, after=after)
    return review


@audited_denials
def comment_on_review(*, review_id: UUID, text: str, actor: Actor) -> ReviewComment:
    """Say something about a review, decided or not; it stays as it is said. The record names the comment, not its text.

    Raises `NotFound`, `PermissionDenied`, `Invalid` (text).
    """
    said = text.strip()
    if not said or len(said) > COMMENT_MAX or "\0" in said:
        raise Invalid(f"A comment is 1 to {COMMENT_MAX} characters.", field="text")
    server, review = locked_review(review_id, actor)
    person = person_who_may(actor, server, review.definition, permission=Permission.REVIEW_COMMENT)
    comment = ReviewComment.objects.create(review=review, person=person, text=said)
    after = {"review": str(review.public_id), "comment": str(comment.public_id)}
    note_review(Event.REVIEW_COMMENTED, review, server=server, actor=actor, after=after)
    return comment


def _waiting(review_id: UUID, actor: Actor) -> tuple[Server, Review, Person]:
    server, review = locked_review(review_id, actor)
    person = person_who_may(actor, server, review.definition)
    if review.state != ReviewState.WAITING.value:
        raise Conflict(f"This review is {review.state}; nothing waits in it.")
    return server, review, person


def _may_be_given_to(username: str, server: Server) -> Person:
    person = person_named(username, field="assignee")
    if not actor_for(person).may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id):
        raise Invalid("This person may not decide this server's reviews.", field="assignee")
    return person


def _shown(person: Person | None) -> str | None:
    """People stand in records under their pseudonyms."""
    return f"person:{pseudonym_for(public_id=person.public_id, name=person.username)}" if person else None
