"""Breaking the glass: one person lets what waits through for a day at most, and others hear of it at once.

The pin stays and the review goes on waiting. It ends by itself: the gateway compares the time at each call, and
`end_run_out` notes it a few seconds later. The alert that it raises is another person's to look after.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from access.models import Person
from access.services import bump_revision, people_who_may, server_part
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor, system_actor
from core.errors import Conflict, Invalid
from core.permissions import Permission
from servers.models import Server
from tools.models import BreakGlass, Definition, Review, Sighting
from tools.rules import BREAK_GLASS_MAX, POLLER, GlassEnd
from tools.services.closing import end_glass
from tools.services.groundwork import (
    given_reason,
    locked_definition,
    locked_review,
    person_who_may,
    refuse_password_alone,
    refuse_retired,
    refuse_stale,
)
from tools.services.recording import note_review

UPKEEP: Final = system_actor("upkeep")
_HOURS: Final = int(BREAK_GLASS_MAX.total_seconds() // 3600)


@audited_denials
def break_glass(*, review_id: UUID, digest: str, reason: str, until: datetime, actor: Actor) -> BreakGlass:
    """Serve exactly `digest` until `until`, whoever else would have to approve it. `until` is an aware datetime.

    Raises `NotFound`, `PermissionDenied`, `Invalid` (reason, until), and `Conflict` when this is not what everybody is
    shown and waits, when there is nobody to tell, or when the person did it for this version before.
    """
    why, now = given_reason(reason), timezone.now()
    if not now < until <= now + BREAK_GLASS_MAX:
        raise Invalid(f"An emergency ends in the future, and within {_HOURS} hours.", field="until")
    server, review = locked_review(review_id, actor)
    person = person_who_may(actor, server, review.definition, permission=Permission.REVIEW_BREAK_GLASS)
    refuse_password_alone(actor, server, review.definition)
    refuse_stale(review, digest)
    refuse_retired(server)
    _refuse_misplaced(review)
    told = people_who_may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id) - {person.pk}
    if not told:
        raise Conflict("Nobody else could be told: no other active person may decide reviews of this server.")
    _make_room(server, review, person, actor, why, now)
    glass = BreakGlass.objects.create(
        definition=review.definition,
        version=review.version,
        review=review,
        person=person,
        reason=why,
        set_at=now,
        expires_at=until,
    )
    _note_broken(server, glass, actor, told=len(told))
    bump_revision(server_part(server.slug))
    return glass


@audited_denials
def end_glass_now(*, definition_id: UUID, reason: str, actor: Actor) -> Definition:
    """End an emergency before its time. Raises `NotFound`, `Invalid` (reason), `PermissionDenied`, `Conflict`."""
    why = given_reason(reason)
    server, definition = locked_definition(definition_id, actor)
    person = person_who_may(actor, server, definition)
    now = timezone.now()
    if not end_glass(definition, GlassEnd.WITHDRAWN, server=server, actor=actor, now=now, by=person, reason=why):
        raise Conflict("No emergency is in force for this definition.")
    bump_revision(server_part(server.slug))
    return definition


def end_run_out() -> int:
    """Note the end of every emergency whose time has passed; answers how many. One transaction each."""
    over = BreakGlass.objects.run_out(timezone.now()).values_list("pk", "definition__server_id")
    return sum(_end_run_out(glass_id, server_id) for glass_id, server_id in over)


def _end_run_out(glass_id: int, server_id: int) -> bool:
    with transaction.atomic():
        server = Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=server_id)
        now = timezone.now()
        glass = BreakGlass.objects.run_out(now).select_related("definition").filter(pk=glass_id).first()
        if glass is None:
            return False
        end_glass(glass.definition, GlassEnd.EXPIRED, server=server, actor=UPKEEP, now=now)
        bump_revision(server_part(server.slug))
        return True


def _refuse_misplaced(review: Review) -> None:
    if review.vantage != POLLER:
        raise Conflict("Only some principals were shown this; an emergency serves what everybody is shown.")
    if Sighting.objects.withholding().filter(definition=review.definition).exists():
        raise Conflict("Some principals were shown something else than this, so it is withheld in an emergency too.")


def _make_room(server: Server, review: Review, person: Person, actor: Actor, why: str, now: datetime) -> None:
    """One emergency at a time, once per person and version. One for what the server no longer shows gives way."""
    before = BreakGlass.objects.filter(version=review.version, person=person)
    if before.exists():
        raise Conflict("You broke the glass for this version before; another person may, or it has to be decided.")
    live = BreakGlass.objects.live().filter(definition=review.definition).select_related("version").first()
    if live is None:
        return
    if live.expires_at > now and live.version_id == review.version_id:
        raise Conflict("The glass is broken for this version already.")
    if live.expires_at <= now:
        end_glass(review.definition, GlassEnd.EXPIRED, server=server, actor=UPKEEP, now=now)
    else:
        end_glass(review.definition, GlassEnd.WITHDRAWN, server=server, actor=actor, now=now, by=person, reason=why)


def _note_broken(server: Server, glass: BreakGlass, actor: Actor, *, told: int) -> None:
    note_review(
        Event.GLASS_BROKEN,
        glass.review,
        server=server,
        actor=actor,
        reason=glass.reason,
        after={
            "glass": str(glass.public_id),
            "review": str(glass.review.public_id),
            "until": glass.expires_at.isoformat(),
            "told": told,
        },
    )
