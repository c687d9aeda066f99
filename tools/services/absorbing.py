"""Taking one observation in: what it says of the server, and, if it is complete, what it changes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from access.services import bump_revision, server_part
from audit.events import Event
from core.actor import Actor
from servers.days import note_look
from servers.models import Observation, Server
from servers.recording import note_server
from servers.rules import POLLED, Environment, Era, ServerState
from servers.surface import ObservationProblem, Problem, Surface
from tools.look import UNREACHABLE, Look, take
from tools.rules import NAMES_KEPT, POLLER
from tools.services.checking import check_server
from tools.services.comparing import Compared, compare, surface_unchanged

PAUSE_MAX: Final = 300  # seconds between looks at a server that keeps failing, unless its own interval is longer
FAILURES_COUNTED: Final = 12
OBSERVATIONS_KEPT: Final = 100  # of one server from one vantage
_UNAUTHENTICATED: Final = ObservationProblem(
    Problem.UNAUTHENTICATED_PRODUCTION,
    "The server asks for no authentication, which is refused in production; register it for another environment.",
)
_TOO_MANY_NAMES: Final = ObservationProblem(
    Problem.TOO_MANY,
    f"The server has shown more than {NAMES_KEPT} names by now. What is known of it is compared as ever; more names "
    "are neither kept nor served.",
)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What came of a poll. `stale`: somebody else polls the server now, or it may not be polled; nothing was stored."""

    complete: bool
    definitions: int
    reviews_opened: int
    error: str | None = None
    error_class: str = ""
    stale: bool = False


def absorb(*, server: Server, surface: Surface, actor: Actor, lease_token: UUID | None = None) -> PollResult:
    """Compare `surface` with what is approved and hold back what differs, in one transaction.

    The server's row stays locked meanwhile. With `lease_token`, the result of a lease that was lost is dropped.
    An incomplete surface changes nothing but what is known of the server's health.
    """
    look = take(surface)
    with transaction.atomic():
        locked = Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=server.pk)
        if lease_token is not None and locked.lease_token != lease_token:
            return _dropped("Somebody else looked at the server meanwhile; their result counts.")
        if locked.state not in POLLED:
            return _dropped(f"The server is {locked.state}.")
        return _absorbed(locked, surface, _judged(look, locked, surface), actor)


def _dropped(sentence: str) -> PollResult:
    return PollResult(complete=False, definitions=0, reviews_opened=0, error=sentence, stale=True)


def _judged(look: Look, server: Server, surface: Surface) -> Look:
    open_in_production = server.environment == Environment.PRODUCTION.value and not surface.asked_for_authentication
    return Look(problem=_UNAUTHENTICATED) if look.problem is None and open_in_production else look


def _absorbed(server: Server, surface: Surface, look: Look, actor: Actor) -> PollResult:
    now = timezone.now()
    unchanged = look.problem is None and surface_unchanged(server, surface.vantage, look, now)
    # What is back after looks that failed is noted again, so that those are no longer the last ones.
    recovered = unchanged and surface.vantage == POLLER and bool(server.last_error_class)
    if recovered or not (unchanged or _goes_on(server, look)):
        keep_observation(server, surface, look, now)
    if surface.vantage != POLLER:
        return _result(look, opened=0)
    before = (server.state, server.last_error_class)
    news = not (unchanged or _goes_on(server, look)) or server.state == ServerState.REGISTERED.value
    compared = Compared()
    if look.problem is None and not unchanged:
        compared = compare(server=server, look=look, actor=actor, now=now)
        look = replace(look, problem=_TOO_MANY_NAMES) if compared.unkept else look
    _note_health(server, surface, look, actor, now)
    _note_state(server, look, actor, before)
    if news:
        check_server(server, surface, complete=look.problem is None)
    if compared.served_changed or before[0] != server.state:
        bump_revision(server_part(server.slug))
    return _result(look, compared.opened)


def _result(look: Look, opened: int) -> PollResult:
    return PollResult(
        complete=look.problem is None,
        definitions=len(look.seen),
        reviews_opened=opened,
        error=look.problem.sentence if look.problem else None,
        error_class=look.problem.cls.value if look.problem else "",
    )


def _goes_on(server: Server, look: Look) -> bool:
    """The same problem again is the same observation lasting; health samples tell how long."""
    return look.problem is not None and server.last_error_class == look.problem.cls.value


def keep_observation(
    server: Server, surface: Surface, look: Look, now: datetime, *, kept: int = OBSERVATIONS_KEPT
) -> None:
    """Keep the observation, and of its vantage the last `kept`; a complete surface seen before is that row again."""
    if look.problem is None and _seen_again(server, surface, look, now):
        return
    problem = look.problem
    Observation.objects.create(
        server=server,
        vantage=surface.vantage[:100],
        time=now,
        since=now,
        complete=problem is None,
        error_class=problem.cls.value if problem else "",
        error=problem.sentence[:500] if problem else "",
        surface_digest=look.surface_digest,
        items=look.listed,
        protocol_version=_printable(surface.protocol_version),
        duration_ms=max(0, surface.duration_ms),
    )
    _keep_few(server, surface.vantage[:100], kept)


def _seen_again(server: Server, surface: Surface, look: Look, now: datetime) -> int:
    same = Observation.objects.filter(
        server=server, vantage=surface.vantage[:100], surface_digest=look.surface_digest, complete=True
    )
    return same.update(time=now, times=F("times") + 1, duration_ms=max(0, surface.duration_ms))


def _keep_few(server: Server, vantage: str, kept: int) -> None:
    """Definitions and versions hold what was seen; of the looks themselves the last ones are enough."""
    rows = Observation.objects.filter(server=server, vantage=vantage).order_by("-time", "-id")
    last = rows.values_list("time", flat=True)[kept - 1 : kept].first()
    if last is not None:
        Observation.objects.filter(server=server, vantage=vantage, time__lt=last).delete()


def _note_health(server: Server, surface: Surface, look: Look, actor: Actor, now: datetime) -> None:
    problem = look.problem
    answered = problem is None or problem.cls not in UNREACHABLE
    took, error_class = max(0, surface.duration_ms), problem.cls.value if problem else ""
    note_look(server, time=now, latency_ms=took, error_class=error_class)
    if server.reachable is not False and not answered:
        after = {"error_class": problem.cls.value if problem else "", "error": problem.sentence if problem else ""}
        note_server(Event.SERVER_BECAME_UNREACHABLE, server=server, actor=actor, after=after)
    if server.reachable is False and answered:
        note_server(Event.SERVER_BECAME_REACHABLE, server=server, actor=actor)
    server.reachable = answered
    server.last_polled_at = now
    server.last_error_class = problem.cls.value if problem else ""
    server.last_error = problem.sentence[:500] if problem else ""
    server.failures = 0 if problem is None else min(server.failures + 1, FAILURES_COUNTED)
    server.next_poll_at = now + _pause(server)
    server.lease_until, server.lease_token = None, None
    if problem is None:
        server.last_complete_at = now
        server.protocol_version = _printable(surface.protocol_version)
        server.protocol_era = surface.era if surface.era in {era.value for era in Era} else Era.UNKNOWN.value


def _pause(server: Server) -> timedelta:
    """Until the next look. What fails again and again is looked at less often, so that others need not wait."""
    longest = max(server.poll_interval, PAUSE_MAX)
    return timedelta(seconds=min(server.poll_interval * 2 ** max(server.failures - 1, 0), longest))


def _note_state(server: Server, look: Look, actor: Actor, before: tuple[str, str]) -> None:
    """Follow the observation with the server's state, and record an incomplete one once per class of problem."""
    old_state, old_error = before
    problem = look.problem
    if problem is None:
        server.state = ServerState.ACTIVE.value
    elif problem.cls is Problem.NEEDS_CREDENTIALS:
        server.state = ServerState.NEEDS_CREDENTIALS.value
    elif problem.cls is Problem.UNAUTHENTICATED_PRODUCTION:
        server.state = ServerState.REGISTERED.value
    server.save(update_fields=[
        "state", "failures", "reachable", "last_polled_at", "last_complete_at", "last_error_class", "last_error",
        "next_poll_at", "lease_until", "lease_token", "protocol_version", "protocol_era",
    ])  # fmt: skip
    states = ({"state": old_state}, {"state": server.state})
    if problem is not None and (problem.cls.value != old_error or old_state != server.state):
        after = {"error_class": problem.cls.value, "error": problem.sentence, **states[1]}
        note_server(Event.SERVER_POLLED_INCOMPLETELY, server=server, actor=actor, before=states[0], after=after)
    if problem is None and old_error:
        note_server(Event.SERVER_POLLED_COMPLETELY, server=server, actor=actor, before={"error_class": old_error})
    if problem is None and old_state != server.state:
        note_server(Event.SERVER_ACTIVATED, server=server, actor=actor, before=states[0], after=states[1])


def _printable(text: str) -> str:
    """An upstream's protocol version as it can be stored."""
    return "".join(char for char in text if char.isascii() and char.isprintable())[:20]
