"""Reads of servers. Every list starts from `visible_to`."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from core.actor import Actor
from core.errors import NotFound
from core.names import is_slug
from core.permissions import Permission
from servers.rules import POLLED, ServerState

if TYPE_CHECKING:
    from servers.models import Observation, Server  # noqa: F401 -- the linter does not read base classes' strings


class ServerQuerySet(models.QuerySet["Server"]):
    """Servers as an actor may see them."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, those of the actor's teams, or none."""
        if actor.may(Permission.SERVER_READ):
            return self
        if actor.may_somewhere(Permission.SERVER_READ):
            return self.filter(owner_team_id__in=actor.team_ids)
        return self.none()

    def current(self) -> Self:
        """Without the retired ones."""
        return self.exclude(state=ServerState.RETIRED.value)

    def by_slug(self, slug: str) -> "Server":
        """The server with this slug. Raises `NotFound`."""
        found = self.filter(slug=slug).first() if is_slug(slug) else None
        if found is None:
            raise NotFound(f"There is no server '{slug}'.")
        return found

    def locked(self, slug: str) -> "Server":
        """`by_slug` with the row locked until the transaction ends."""
        return self.select_for_update(of=("self",)).by_slug(slug)

    def due(self, now: datetime) -> Self:
        """Servers whose next poll is due and that no worker holds, longest waiting first."""
        free = models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=now)
        states = [state.value for state in POLLED]
        return self.filter(free, state__in=states, next_poll_at__lte=now).order_by("next_poll_at")


class ObservationQuerySet(models.QuerySet["Observation"]):
    """Observations, newest first."""

    def recent(self, server: "Server", limit: int = 20) -> Self:
        """The last looks at one server."""
        return self.filter(server=server).order_by("-time")[:limit]
