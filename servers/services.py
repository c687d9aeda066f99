"""Commands on servers: register, edit, suspend, resume, retire.

Ending a retired server's pins is the work of `tools.services`, which calls `retire_server`; this module knows
nothing of pins. Each command is one transaction with one audit record and one revision of the server's part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

import access.services as access
from access.intentions import NOT_NEEDED, IntentionNeeded
from access.models import Person, Team
from access.services import bump_revision, keep_protected_resource, refuse_leaving, server_part
from audit.events import Event
from audit.permit import audited_denials, refuse_unless
from audit.redaction import capture_of, plain
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid, NotFound, SecondFactorNeeded
from core.names import SLUG_MAX, is_slug, subject
from core.permissions import Permission
from core.queue import enqueue
from servers.limits import DEFAULTS, LIMITS, CallLimits, misfits
from servers.models import CallDay, HealthDay, HealthSample, Server
from servers.recording import note_server
from servers.rules import (
    REFUSED_TRANSPORTS,
    RESERVED_SLUGS,
    Answers,
    DriftMode,
    Environment,
    Era,
    ServerState,
    Transport,
    endpoint_key,
    may_become,
)
from servers.tags import tags_of

POLL_INTERVAL: Final = (5, 86_400)  # seconds
SAMPLES_KEPT: Final = timedelta(days=91)  # one more than the 90 days that trends look back
_URL_MAX: Final = 2000
CHECK: Final = "tools.check_server"  # how it is reached is judged there


@dataclass(frozen=True, slots=True)
class Registration:
    """What a person says of a server. `team` is a team's slug; intervals are in seconds; limits as in `CallLimits`."""

    slug: str
    name: str
    url: str
    environment: str
    transport: str = Transport.STREAMABLE_HTTP.value
    required_approvals: int = 1
    poll_interval: int = 300
    capture: Mapping[str, Any] = field(default_factory=dict)
    drift_mode: str = DriftMode.BLOCK.value
    intention: str = NOT_NEEDED
    answers: str = Answers.RECORD.value
    tags: Sequence[str] = ()
    team: str | None = None
    connect_seconds: int = DEFAULTS.connect_seconds
    first_byte_seconds: int = DEFAULTS.first_byte_seconds
    idle_seconds: int = DEFAULTS.idle_seconds
    total_seconds: int = DEFAULTS.total_seconds
    stream_seconds: int = DEFAULTS.stream_seconds
    answer_bytes: int = DEFAULTS.answer_bytes
    concurrent_calls: int = DEFAULTS.concurrent_calls
    concurrent_streams: int = DEFAULTS.concurrent_streams


@audited_denials
def register_server(*, registration: Registration, actor: Actor) -> Server:
    """Register a server, or revive a retired one under its own slug. Nothing of it is callable before approval.

    Raises `Invalid`, `Conflict` (the slug is taken), `PermissionDenied`.
    """
    _check_slug(registration.slug)
    _transport(registration.transport)  # first: what speaks another transport may have no URL at all
    said = {name: getattr(registration, name) for name in EDITABLE}
    values = _checked(said | {"transport": registration.transport}) | _limits(said, DEFAULTS)
    team = values["owner_team"]
    _may(actor, Permission.SERVER_REGISTER, registration.slug, team.pk if team else None)
    server = Server.objects.select_for_update(of=("self",)).filter(slug=registration.slug).first()
    if server is not None and server.state != ServerState.RETIRED.value:
        raise Conflict(f"The slug '{registration.slug}' is taken by another server.", field="slug")
    if server is not None:
        # Its definitions and reviews come back with the row, so whoever revives it must reach the old owner's things.
        _may(actor, Permission.SERVER_REGISTER, registration.slug, server.owner_team_id)
        _refuse_to_leave(server, values)
    server = server or Server(slug=registration.slug)
    _assign(server, values)
    _start_over(server)
    server.registered_by, server.endpoint_changed_by = _person(actor), None
    server.registered_at = timezone.now()
    server.save()
    keep_protected_resource(server_slug=server.slug, active=True)
    _recorded(Event.SERVER_REGISTERED, server, actor, after=_facts(server))
    enqueue(CHECK, slug=server.slug)
    return server


@audited_denials
def edit_server(*, slug: str, changes: Mapping[str, Any], actor: Actor, reason: str = "") -> Server:
    """Change what a person may change. A new URL or environment starts observation over; a new URL is reviewed too.

    `changes` holds names of `EDITABLE`. Raises `Invalid`, `NotFound`, `PermissionDenied`, `Conflict`.
    """
    unknown = sorted(set(changes) - set(EDITABLE))
    if unknown:
        raise Invalid("This cannot be changed.", field=unknown[0])
    server = Server.objects.visible_to(actor).locked(slug)
    _may(actor, Permission.SERVER_EDIT, slug, server.owner_team_id)
    if server.state == ServerState.RETIRED.value:
        raise Conflict("A retired server cannot be changed; register its slug again.")
    before, old = _facts(server), (server.url, server.environment)
    values = _checked(dict(changes)) | _limits(changes, server.limits)
    _refuse_to_gain(server, values, actor)
    _refuse_to_leave(server, values)
    _assign(server, values)
    moved, elsewhere = server.url != old[0], server.environment != old[1]
    if moved or elsewhere:
        # Another environment asks for other things of a server: it serves once it was looked at again.
        _start_over(server, suspended=server.state == ServerState.SUSPENDED.value)
    if moved:
        server.endpoint_changed_by = _person(actor)
    if elsewhere:
        server.environment_changed_at = timezone.now()
    server.save()
    _recorded(Event.SERVER_EDITED, server, actor, reason=reason, before=before, after=_facts(server))
    enqueue(CHECK, slug=server.slug)
    return server


@audited_denials
def suspend_server(*, slug: str, actor: Actor, reason: str) -> Server:
    """Stop every call to a server at once. Raises `Invalid` (no reason), `NotFound`, `PermissionDenied`, `Conflict`."""
    return _move(slug, ServerState.SUSPENDED, Permission.SERVER_SUSPEND, Event.SERVER_SUSPENDED, actor, reason)


@audited_denials
def resume_server(*, slug: str, actor: Actor, reason: str) -> Server:
    """Observe a suspended server again; it serves once an observation is complete."""
    return _move(slug, ServerState.REGISTERED, Permission.SERVER_SUSPEND, Event.SERVER_RESUMED, actor, reason)


@audited_denials
def retire_server(*, slug: str, actor: Actor, reason: str) -> Server:
    """Take a server out of use for good; its slug stays its own. Pins are ended by `tools.services.retire`."""
    server = _move(slug, ServerState.RETIRED, Permission.SERVER_RETIRE, Event.SERVER_RETIRED, actor, reason)
    keep_protected_resource(server_slug=slug, active=False)
    return server


@audited_denials
def name_introspector(*, slug: str, client_id: str, actor: Actor, reason: str) -> str | None:
    """Name the agent that asks what tokens for a server are worth (RFC 7662); empty: nobody. Answers who it is now.

    Raises `NotFound`, `Invalid` (no reason, an agent without a secret), `PermissionDenied`.
    """
    server = Server.objects.visible_to(actor).by_slug(slug)
    agent = access.name_introspector(
        server_slug=slug, owner_team_id=server.owner_team_id, client_id=client_id, actor=actor, reason=reason
    ).introspector
    return agent.client_id if agent else None


def forget_old_samples() -> int:
    """Delete health samples older than `SAMPLES_KEPT`; answers how many. They are measurements, not evidence.

    The days that they were counted with go with them.
    """
    since = timezone.now() - SAMPLES_KEPT
    HealthDay.objects.filter(day__lt=since.astimezone(UTC).date()).delete()
    CallDay.objects.filter(day__lt=since.astimezone(UTC).date()).delete()
    deleted, _ = HealthSample.objects.filter(time__lt=since).delete()
    return deleted


EDITABLE: Final = (
    "name",
    "url",
    "environment",
    "required_approvals",
    "poll_interval",
    "capture",
    "drift_mode",
    "intention",
    "answers",
    "tags",
    "team",
    *LIMITS,
)


def _move(slug: str, wanted: ServerState, permission: Permission, event: Event, actor: Actor, reason: str) -> Server:
    if not reason.strip():
        raise Invalid("Say why; the reason is kept in the audit log.", field="reason")
    server = Server.objects.visible_to(actor).locked(slug)
    _may(actor, permission, slug, server.owner_team_id)
    resumes_another = wanted is ServerState.REGISTERED and server.state != ServerState.SUSPENDED.value
    if resumes_another or not may_become(server.state, wanted):
        raise Conflict(f"A server that is {server.state} cannot become {wanted.value}.")
    before = {"state": server.state}
    server.state = wanted.value
    if wanted is ServerState.REGISTERED:
        server.next_poll_at = timezone.now()
    server.save(update_fields=["state", "next_poll_at"])
    _recorded(event, server, actor, reason=reason.strip(), before=before, after={"state": server.state})
    return server


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Field names and values of the model, from what a person said. Raises `Invalid` naming the field."""
    checked = {name: _CHECKS[name](value) for name, value in values.items() if name in _CHECKS}
    if "team" in values:
        checked["owner_team"] = _team(values["team"])
    return checked


def _check_slug(slug: str) -> None:
    if not is_slug(slug):
        raise Invalid(
            f"A slug is small letters and digits in groups joined by single hyphens, at most {SLUG_MAX} characters.",
            field="slug",
        )
    if slug in RESERVED_SLUGS:
        raise Invalid(f"'{slug}' is a page of the console; choose another slug.", field="slug")


def _name(value: Any) -> str:
    name = str(value).strip()
    if not name or len(name) > 200 or not name.isprintable():
        raise Invalid("A name has 1 to 200 printable characters.", field="name")
    return name


def _url(value: Any) -> str:
    url = str(value).strip()
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > _URL_MAX:
        raise Invalid("Give the URL in plain ASCII without spaces; international names in punycode.", field="url")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid(f"This is not a URL: {error}.", field="url") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("Give the http or https URL of the server's MCP endpoint.", field="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("A URL must hold no user, password or fragment; credentials do not belong in it.", field="url")
    if parts.scheme == "http" and not settings.OUTBOUND_ALLOW:
        raise Invalid("Only https is allowed here (OUTBOUND_ALLOW names no network).", field="url")
    return url


def _transport(value: Any) -> str:
    if value in REFUSED_TRANSPORTS:
        raise Invalid(REFUSED_TRANSPORTS[value], field="transport")
    return _one_of(Transport, value, "transport")


def _environment(value: Any) -> str:
    return _one_of(Environment, value, "environment")


def _drift_mode(value: Any) -> str:
    return _one_of(DriftMode, value, "drift_mode")


def _intention(value: Any) -> str:
    return _one_of(IntentionNeeded, value, "intention")


def _answers(value: Any) -> str:
    return _one_of(Answers, value, "answers")


def _one_of(choices: type[StrEnum], value: Any, field: str) -> str:
    accepted = [member.value for member in choices]
    if value not in accepted:
        raise Invalid(f"Must be one of: {', '.join(accepted)}.", field=field)
    return str(value)


def _approvals(value: Any) -> int:
    if value not in (1, 2) or isinstance(value, bool):
        raise Invalid("One or two approvals can be required.", field="required_approvals")
    return int(value)


def _interval(value: Any) -> int:
    low, high = POLL_INTERVAL
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Invalid(f"The poll interval is {low} to {high} seconds.", field="poll_interval")
    return value


def _capture(value: Any) -> dict[str, Any]:
    try:
        return plain(capture_of(value))
    except ValueError as error:
        raise Invalid(str(error), field="capture") from error


def _limits(values: Mapping[str, Any], standing: CallLimits) -> dict[str, int]:
    """The limits among `values`, judged together with those that stay. Raises `Invalid` naming every field."""
    given = {name: values[name] for name in LIMITS if name in values}
    wrong = misfits(asdict(standing) | given) if given else {}
    if wrong:
        raise Invalid("; ".join(f"{name}: {sentence}" for name, sentence in wrong.items()), details=wrong)
    return given


def _team(value: Any) -> Team | None:
    if value in (None, ""):
        return None
    found = Team.objects.filter(slug=value).first()
    if found is None:
        raise Invalid(f"There is no team '{value}'.", field="team")
    return found


_CHECKS: Final = {
    "name": _name,
    "url": _url,
    "transport": _transport,
    "environment": _environment,
    "required_approvals": _approvals,
    "poll_interval": _interval,
    "capture": _capture,
    "drift_mode": _drift_mode,
    "intention": _intention,
    "answers": _answers,
    "tags": tags_of,
}


def _assign(server: Server, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(server, name, value)
    server.endpoint_key = endpoint_key(server.url)


def _start_over(server: Server, *, suspended: bool = False) -> None:
    """Forget what polls found; a worker that still holds the lease of the old endpoint can no longer write."""
    server.state = ServerState.SUSPENDED.value if suspended else ServerState.REGISTERED.value
    server.protocol_era, server.protocol_version = Era.UNKNOWN.value, ""
    server.reachable, server.last_error_class, server.last_error, server.failures = None, "", "", 0
    server.lease_until, server.lease_token = None, None
    server.next_poll_at = timezone.now()


def _may(actor: Actor, permission: Permission, slug: str, team_id: int | None) -> None:
    refuse_unless(
        actor.may(permission, team_id=team_id), actor=actor, permission=permission, subject=subject("server", slug)
    )


def _refuse_to_gain(server: Server, values: Mapping[str, Any], actor: Actor) -> None:
    """Nobody edits four eyes or production away, nor a server into the reach of what they hold for own teams only."""
    production, environment = Environment.PRODUCTION.value, values.get("environment", server.environment)
    asks_fewer = values.get("required_approvals", server.required_approvals) < server.required_approvals
    if asks_fewer or (server.environment == production and environment != production):
        # Asking for less, as production does not, is as much as retiring the server and beginning anew.
        _may(actor, Permission.SERVER_RETIRE, server.slug, server.owner_team_id)
        if server.environment == production and actor.lacks_second_factor:
            # Or whoever may not decide there would decide elsewhere, and move the server back.
            raise SecondFactorNeeded(subject=subject("server", server.slug))
    team = values.get("owner_team")
    if team is None or team.pk == server.owner_team_id:
        return
    _may(actor, Permission.SERVER_EDIT, server.slug, team.pk)
    for permission in sorted(actor.own_team_permissions if team.pk in actor.team_ids else ()):
        _may(actor, Permission(permission), server.slug, server.owner_team_id)


def _refuse_to_leave(server: Server, values: Mapping[str, Any]) -> None:
    """Nobody edits a server out of the reach of the kill switch that holds its team."""
    if values.get("owner_team", server.owner_team) != server.owner_team:
        refuse_leaving(server.owner_team, field="team")


def _person(actor: Actor) -> Person | None:
    if actor.kind is not ActorKind.PERSON:
        return None
    found = get_user_model().objects.filter(public_id=actor.id).first()
    if found is None:
        raise NotFound("The acting person is not known.")
    return found


def _facts(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "url": server.url,
        "transport": server.transport,
        "environment": server.environment,
        "team": server.owner_team.slug if server.owner_team else None,
        "required_approvals": server.required_approvals,
        "poll_interval": server.poll_interval,
        "capture": server.capture,
        "drift_mode": server.drift_mode,
        "intention": server.intention,
        "answers": server.answers,
        "tags": server.tags,
        **asdict(server.limits),
        "state": server.state,
    }


def _recorded(
    event: Event,
    server: Server,
    actor: Actor,
    *,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    note_server(event, server=server, actor=actor, reason=reason, before=before, after=after)
    bump_revision(server_part(server.slug))
