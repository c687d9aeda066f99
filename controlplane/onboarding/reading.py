"""Where the onboarding of a server is. Nothing keeps it: it follows from the server, its approvals, grants, calls."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils import timezone

from access.models import Grant, Role
from audit.drafts import shard_of
from audit.events import Event
from audit.models import Record
from audit.querysets import RecordQuerySet
from core.actor import Actor
from core.permissions import Permission
from core.scopes import scope_server
from servers.models import Server
from servers.rules import POLLED, ServerState
from servers.surface import Kind
from tools.models import Pin, Review


class Step(StrEnum):
    """What comes next for a server, in this order."""

    CONNECT = "connect"
    REVIEW = "review"
    ACCESS = "access"
    CALL = "call"
    DONE = "done"


ORDER = tuple(Step)


@dataclass(frozen=True)
class Progress:
    """How far one server is, as far as `actor` sees it."""

    server: Server
    actor: Actor

    @cached_property
    def step(self) -> Step:
        """The first thing that is not done yet."""
        if self.server.state not in (ServerState.ACTIVE.value, ServerState.SUSPENDED.value):
            return Step.CONNECT
        if not self.approved:
            return Step.REVIEW
        if self.first_call is not None:
            return Step.DONE
        return Step.ACCESS if self.grants is not None and not self.grants else Step.CALL

    @property
    def is_looking(self) -> bool:
        """Whether the first look, or the first at a new address, is under way."""
        return self.server.state == ServerState.REGISTERED.value and not self.server.last_error

    @cached_property
    def waiting(self) -> int:
        """How many definitions nobody has decided on."""
        return Review.objects.visible_to(self.actor).waiting().of_server(self.server).count()

    @cached_property
    def approved(self) -> int:
        """How many definitions are approved now, the server's card aside: nobody calls a card."""
        pins = Pin.objects.in_force(timezone.now()).filter(definition__server=self.server)
        return pins.exclude(definition__kind=Kind.CARD.value).count()

    @cached_property
    def grants(self) -> list[Grant] | None:
        """Live grants that reach the server, newest first; None where the actor does not see every grant."""
        if not self.actor.may(Permission.GRANT_READ):
            return None
        found = Grant.objects.visible_to(self.actor).live().filter(role__in=roles_for(self.server.slug))
        found = found.filter(environment__in=("", self.server.environment))
        return list(found.select_related("role", "agent", "person", "team").order_by("-pk")[:20])

    @property
    def sees_log(self) -> bool:
        """Whether the actor may read of the server's calls."""
        team = self.server.owner_team_id
        return self.actor.may(Permission.AUDIT_READ, team_id=team)

    @cached_property
    def first_call(self) -> Record | None:
        """The outcome of the first call that was let through since the server was registered."""
        return self._calls(Event.CALL_COMPLETED).order_by("shard", "id").first()

    @cached_property
    def last_refusal(self) -> Record | None:
        """The newest call that was refused since then."""
        return self._calls(Event.CALL_DENIED).newest_first().first()

    def _calls(self, event: Event) -> RecordQuerySet:
        since: datetime = self.server.registered_at
        found = Record.objects.visible_to(self.actor).on_server(self.server.slug).of_event(event.value)
        return found.filter(shard__gte=shard_of(since), time__gte=since).defer("body")


def roles_for(slug: str) -> "QuerySet[Role]":
    """Roles with any scope of one server."""
    # Names in scopes are percent-encoded, so this is found nowhere but at the beginning of a scope.
    joined = Func(F("scopes"), Value(" "), function="array_to_string", output_field=TextField())
    return Role.objects.alias(joined=Cast(joined, TextField())).filter(joined__contains=f"mcp:{slug}:").order_by()


def unfinished(actor: Actor, among: Iterable[Server] | None = None) -> dict[str, Step]:
    """Of these servers, else of all that `actor` sees, those that nobody can call yet, by slug, with what comes next.

    Two or three queries, however many servers.
    """
    servers = list(Server.objects.visible_to(actor).filter(state__in=POLLED) if among is None else among)
    pins = Pin.objects.in_force(timezone.now()).exclude(definition__kind=Kind.CARD.value)
    if among is not None:
        pins = pins.filter(definition__server__in=[server.pk for server in servers])
    approved = set(pins.order_by().values_list("definition__server_id", flat=True).distinct())
    granted = _granted() if actor.may(Permission.GRANT_READ) else None
    found = {server.slug: _next(server, server.pk in approved, granted) for server in servers}
    return {slug: step for slug, step in found.items() if step is not Step.DONE}


def _next(server: Server, is_approved: bool, granted: set[tuple[str, str]] | None) -> Step:  # noqa: FBT001 -- a fact of two
    if server.state not in POLLED:
        return Step.DONE
    if server.state != ServerState.ACTIVE.value:
        return Step.CONNECT
    if not is_approved:
        return Step.REVIEW
    reached = granted is None or {(server.slug, ""), (server.slug, server.environment)} & granted
    return Step.DONE if reached else Step.ACCESS


def _granted() -> set[tuple[str, str]]:
    """Slug and environment of everything that live grants reach."""
    rows = Grant.objects.live().order_by().values_list("role__scopes", "environment").distinct()
    return {(slug, environment) for scopes, environment in rows for slug in _slugs(scopes)}


def _slugs(scopes: Iterable[str]) -> set[str]:
    return {slug for scope in scopes if (slug := scope_server(scope))}
