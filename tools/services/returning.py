"""Taking an approval back, and going back to an earlier one.

Neither waits for the server: what agents are served changes with the pin. The database asks the same again
(`tools_pin_guard` in `migrations/0004_guards.py`); here it gets its sentences.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from access.models import Person
from access.services import bump_revision, server_part
from audit.events import Event, RecordType
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict
from servers.models import Server
from tools.classify import ChangeClass
from tools.models import Definition, Pin, Review
from tools.rules import GlassEnd, PinEnd, ReviewState, Verdict
from tools.services.closing import agreeing, approved_until, end_glass, needed
from tools.services.groundwork import (
    given_reason,
    locked_definition,
    person_who_may,
    refuse_password_alone,
    refuse_retired,
)
from tools.services.recording import note_definition
from tools.services.settling import settle_definition


@audited_denials
def withdraw_approval(
    *, definition_id: UUID, digest: str, reason: str, actor: Actor, batch_id: UUID | None = None
) -> Definition:
    """Take back the approval of exactly `digest`; an emergency ends with it. One person is enough: it only holds back.

    Raises `NotFound`, `Invalid` (reason), `PermissionDenied`, and `Conflict` when another version or none is approved.
    """
    why, now = given_reason(reason), timezone.now()
    server, definition = locked_definition(definition_id, actor)
    person = person_who_may(actor, server, definition)
    pin = _live_pin(definition)
    if pin is None:
        raise Conflict("Nothing of this definition is approved now.", field="digest")
    if pin.version.digest != digest:
        raise Conflict("Another version than this is approved by now.", field="digest")
    _end(pin, PinEnd.WITHDRAWN, now, by=person, why=why)
    end_glass(definition, GlassEnd.WITHDRAWN, server=server, actor=actor, now=now, by=person, reason=why)
    about: Mapping[str, Any] = {
        "before": {"digest": digest},
        "after": {"ended": PinEnd.WITHDRAWN.value},
        "batch_id": batch_id,
    }
    _note(Event.PIN_ENDED, server, definition, actor, digest, why, about)
    # Where the server shows something else than what was approved, the text itself says what there is to decide.
    is_shown = pin.version_id == definition.observed_id
    settle_definition(definition, server=server, actor=actor, cause=ChangeClass.WITHDRAWN if is_shown else None)
    bump_revision(server_part(server.slug))
    return definition


@audited_denials
def return_to_version(*, definition_id: UUID, digest: str, expected_pin: str, reason: str, actor: Actor) -> Pin:
    """Pin an earlier approved version again, by its approvals of then, which have to count today; ends an emergency.

    `expected_pin` is the digest that was shown as approved, or empty. Raises `NotFound`, `Invalid` (reason),
    `PermissionDenied`, and `Conflict` when the pin has moved or the approvals are no longer good for this.
    """
    why, now = given_reason(reason), timezone.now()
    server, definition = locked_definition(definition_id, actor)
    person = person_who_may(actor, server, definition)
    refuse_password_alone(actor, server, definition)
    refuse_retired(server)
    live = _live_pin(definition)
    before = live.version.digest if live else ""
    if before != expected_pin:
        raise Conflict("Another version than the one shown is approved by now.", field="expected_pin")
    review = _approved_review(definition, digest)
    _refuse_used_up(server, review, live)
    until = _refuse_expired(review, now)
    if live is not None:
        _end(live, PinEnd.REPLACED, now)
    pin = Pin.objects.create(
        definition=definition,
        version=review.version,
        review=review,
        set_at=now,
        expires_at=until,
        returned_by=person,
        returned_why=why,
    )
    end_glass(definition, GlassEnd.DECIDED, server=server, actor=actor, now=now, by=person, reason=why)
    settle_definition(definition, server=server, actor=actor)
    _note_return(server, definition, actor, pin, why, before)
    bump_revision(server_part(server.slug))
    return pin


def _live_pin(definition: Definition) -> Pin | None:
    return Pin.objects.live().filter(definition=definition).select_related("version").first()


def _end(pin: Pin, reason: PinEnd, now: datetime, *, by: Person | None = None, why: str = "") -> None:
    pin.ended_at, pin.ended_reason, pin.ended_by, pin.ended_why = now, reason.value, by, why
    pin.save(update_fields=["ended_at", "ended_reason", "ended_by", "ended_why"])


def _approved_review(definition: Definition, digest: str) -> Review:
    """The newest review that approved this version."""
    reviews = Review.objects.filter(definition=definition, version__digest=digest)
    approved = reviews.filter(state=ReviewState.APPROVED.value).select_related("version").order_by("-pk").first()
    if approved is None:
        raise Conflict("This version was never approved; approve it in its review.", field="digest")
    return approved


def _refuse_used_up(server: Server, review: Review, live: Pin | None) -> None:
    if live is not None and live.version_id == review.version_id:
        raise Conflict("This version is approved already.", field="digest")
    if review.closed_at is None or review.closed_at < server.registered_at:
        raise Conflict("The server was retired since; its approvals of before ended with that.", field="digest")
    ended = Pin.objects.filter(version=review.version, review__gte=review.pk)
    if ended.exclude(ended_reason=PinEnd.REPLACED.value).exists():
        raise Conflict("The approval of this version was withdrawn since.", field="digest")
    rejected = Review.objects.filter(version=review.version, pk__gt=review.pk, state=ReviewState.REJECTED.value)
    if rejected.exists():
        raise Conflict("This version was rejected since.", field="digest")
    if agreeing(server, review, Verdict.APPROVE) < needed(server, review):
        raise Conflict(
            "Its approvals are no longer enough: the server asks for two people by now, and whoever registered it or "
            "changed its endpoint does not count.",
            field="digest",
        )


def _refuse_expired(review: Review, now: datetime) -> datetime | None:
    until = approved_until(review)
    if until is not None and until <= now:
        raise Conflict("The approval of this version has run out; approve it anew in a review.", field="digest")
    return until


def _note_return(server: Server, definition: Definition, actor: Actor, pin: Pin, why: str, before: str) -> None:
    waits = Review.objects.waiting().filter(definition=definition).exists()
    after = {
        "review": str(pin.review.public_id),
        "returned": True,
        "until": pin.expires_at.isoformat() if pin.expires_at else None,
        # What waits now: the server shows something else than what was returned to.
        "state": ReviewState.WAITING.value if waits else ReviewState.APPROVED.value,
    }
    about: Mapping[str, Any] = {"before": {"digest": before}, "after": after}
    _note(Event.PIN_SET, server, definition, actor, pin.version.digest, why, about)


def _note(
    event: Event, server: Server, definition: Definition, actor: Actor, digest: str, why: str, about: Mapping[str, Any]
) -> None:
    note_definition(
        event,
        type=RecordType.REVIEW,
        server=server,
        kind=definition.kind,
        name=definition.name,
        actor=actor,
        digest=digest,
        reason=why,
        before=about["before"],
        after=about["after"],
        batch_id=about.get("batch_id"),
    )
