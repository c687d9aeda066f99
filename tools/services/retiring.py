"""Retiring a server together with what was decided about its definitions."""

from django.utils import timezone

from access.services import bump_revision, server_part, withdraw_server_scopes
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from servers.models import Server
from servers.recording import note_server
from servers.services import retire_server
from tools.models import BreakGlass, Pin, Review
from tools.rules import GlassEnd, PinEnd, ReviewState


@audited_denials
def retire(*, slug: str, actor: Actor, reason: str) -> Server:
    """Retire a server: its pins end and what waits is superseded, so a revival starts with everything held.

    Raises what `servers.services.retire_server` raises.
    """
    server = retire_server(slug=slug, actor=actor, reason=reason)
    now = timezone.now()
    ended = Pin.objects.live().filter(definition__server=server)
    pins = ended.update(ended_at=now, ended_reason=PinEnd.SERVER_RETIRED.value)
    broken = BreakGlass.objects.live().filter(definition__server=server)
    emergencies = broken.update(ended_at=now, ended_reason=GlassEnd.SERVER_RETIRED.value)
    waiting = Review.objects.of_server(server).waiting()
    reviews = waiting.update(state=ReviewState.SUPERSEDED.value, closed_at=now)
    withdraw_server_scopes(slug=slug, actor=actor, reason=reason.strip())
    after = {"pins_ended": pins, "emergencies_ended": emergencies, "reviews_superseded": reviews}
    note_server(Event.PIN_ENDED, server=server, actor=actor, reason=reason.strip(), after=after)
    bump_revision(server_part(slug))
    return server
