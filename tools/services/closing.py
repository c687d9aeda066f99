"""What follows when a review has all the voices that it needs: it closes, a pin is set, an emergency ends.

Callers hold the locks on the server, the definition and the review, and record what they did.
"""

from collections.abc import Iterable
from datetime import datetime

from access.models import Person
from access.services import bump_revision, server_part
from audit.events import Event, RecordType
from core.actor import Actor
from servers.models import Server
from tools.models import BreakGlass, Definition, Pin, Review, ReviewDecision, Sighting
from tools.rules import POLLER, GlassEnd, PinEnd, ReviewState, Verdict, approvals_needed, may_count
from tools.services.recording import note_definition
from tools.services.settling import settle_definition

_CLOSES_AS = {
    Verdict.APPROVE: ReviewState.APPROVED,
    Verdict.REJECT: ReviewState.REJECTED,
    Verdict.DISMISS: ReviewState.DISMISSED,
}


def needed(server: Server, review: Review) -> int:
    """How many people have to agree."""
    return approvals_needed(review=review.required_approvals, server=server.required_approvals)


def counts(server: Server, person_id: int, *, needed: int) -> bool:
    """Whether an approval by this person counts where `needed` are asked for `server`."""
    return may_count(
        person_id,
        needed=needed,
        registered_by=server.registered_by_id,
        endpoint_changed_by=server.endpoint_changed_by_id,
    )


def voices(decision: ReviewDecision) -> set[int]:
    """The people in whose name a decision was made: the one who made it, or those who signed the policy."""
    revision = decision.policy
    people = {decision.person_id} if revision is None else {revision.written_by_id, revision.confirmed_by_id}
    return {person for person in people if person is not None}


def agreeing(server: Server, review: Review, verdict: Verdict) -> int:
    """How many people whose voice counts have given `verdict`."""
    asked = needed(server, review)
    given = review.decisions.filter(verdict=verdict.value).select_related("policy")
    people: set[int] = set().union(*(voices(decision) for decision in given))
    return sum(counts(server, person, needed=asked) for person in people)


def given(review: Review, decisions: Iterable[ReviewDecision]) -> int:
    """How many people whose voice counts have approved so far, or dismissed what only some were shown.

    `review` comes with its definition and server, `decisions` with their policies: no query is made.
    """
    server = review.definition.server
    asked = needed(server, review)
    wanted = Verdict.APPROVE if review.vantage == POLLER else Verdict.DISMISS
    people: set[int] = set().union(*(voices(each) for each in decisions if each.verdict == wanted.value))
    return sum(counts(server, person, needed=asked) for person in people)


def close_if_decided(server: Server, review: Review, verdict: Verdict, *, actor: Actor, now: datetime) -> bool:
    """Close the review if the last decision settles it, with everything that follows; whether it did.

    One no is enough. The database asks the same again (`migrations/0004_guards.py`).
    """
    if verdict is not Verdict.REJECT and agreeing(server, review, verdict) < needed(server, review):
        return False
    review.state, review.closed_at = _CLOSES_AS[verdict].value, now
    review.save(update_fields=["state", "closed_at"])
    end_glass(review.definition, GlassEnd.DECIDED, server=server, actor=actor, now=now)
    if verdict is Verdict.APPROVE:
        _set_pin(review, now)
    if verdict is Verdict.DISMISS:
        shown = Sighting.objects.filter(definition_id=review.definition_id, version_id=review.version_id)
        shown.update(dismissed_id=review.version_id)
    settle_definition(review.definition, server=server, actor=actor)
    bump_revision(server_part(server.slug))
    return True


def _set_pin(review: Review, now: datetime) -> None:
    live = Pin.objects.live().filter(definition_id=review.definition_id)
    live.update(ended_at=now, ended_reason=PinEnd.REPLACED.value)
    Pin.objects.create(
        definition_id=review.definition_id,
        version_id=review.version_id,
        review=review,
        set_at=now,
        expires_at=approved_until(review),
    )


def approved_until(review: Review) -> datetime | None:
    """When the first of its approvals ends; None: never."""
    limits = review.decisions.filter(verdict=Verdict.APPROVE.value, approve_until__isnull=False)
    return limits.order_by("approve_until").values_list("approve_until", flat=True).first()


def end_glass(
    definition: Definition,
    why: GlassEnd,
    *,
    server: Server,
    actor: Actor,
    now: datetime,
    by: Person | None = None,
    reason: str = "",
) -> bool:
    """End what is served of a definition in an emergency, and record it; whether there was such a thing."""
    live = BreakGlass.objects.live().filter(definition=definition).select_related("version").first()
    if live is None:
        return False
    live.ended_at, live.ended_reason, live.ended_by = now, why.value, by
    live.save(update_fields=["ended_at", "ended_reason", "ended_by"])
    note_definition(
        Event.GLASS_ENDED,
        type=RecordType.REVIEW,
        server=server,
        kind=definition.kind,
        name=definition.name,
        actor=actor,
        digest=live.version.digest,
        reason=reason,
        after={"ended": why.value, "glass": str(live.public_id)},
    )
    return True
