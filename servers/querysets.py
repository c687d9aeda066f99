"""Reads of servers. Every list starts from `visible_to`."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models.functions import JSONObject

from core.actor import Actor
from core.errors import NotFound
from core.names import is_slug
from core.permissions import Permission
from servers.rules import POLLED, ServerState
from servers.tags import plain_tag

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

    def tagged(self, tag: str) -> Self:
        """Those that are marked with this tag, in any case of its letters."""
        return self.filter(tags__contains=[plain_tag(tag)])

    def by_slug(self, slug: str) -> "Server":
        """The server with this slug. Raises `NotFound`."""
        found = self.filter(slug=slug).first() if is_slug(slug) else None
        if found is None:
            raise NotFound(f"There is no server '{slug}'.")
        return found

    def locked(self, slug: str) -> "Server":
        """`by_slug` with the row locked until the transaction ends."""
        return self.select_for_update(of=("self",)).by_slug(slug)

    def same_endpoint_as(self, server: "Server") -> Self:
        """Other servers at the endpoint of `server`, retired ones included, by slug.

        Of every team on purpose: one installation is one organisation, and what was decided about an endpoint has to
        meet whoever registers it again. Callers show slugs, states and verdicts, not what visibility is about.
        """
        others = self.filter(endpoint_key=server.endpoint_key).exclude(pk=server.pk)
        return others.exclude(endpoint_key="").order_by("slug")

    def with_same_endpoint(self) -> Self:
        """With the slugs and states of `same_endpoint_as` (20 at most) as `same_endpoint`, in the same query."""
        everywhere = self.model._default_manager.exclude(endpoint_key="")  # noqa: SLF001 -- a public name in Django
        others = everywhere.filter(endpoint_key=models.OuterRef("endpoint_key")).exclude(pk=models.OuterRef("pk"))
        others = others.order_by("slug")
        return self.annotate(same_endpoint=ArraySubquery(others.values(of=JSONObject(slug="slug", state="state"))[:20]))

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

    def standing(self, server: "Server") -> Self:
        """Per vantage the last complete look, by which approvals stand, and incomplete ones since, without items."""
        of_vantage = self.filter(server=server, vantage=models.OuterRef("vantage"), complete=True)
        last = of_vantage.order_by("-time", "-id").values("time")[:1]
        looks = self.filter(server=server).annotate(last_complete=models.Subquery(last))
        wanted = models.Q(complete=True, time=models.F("last_complete")) | models.Q(
            models.Q(last_complete__isnull=True) | models.Q(time__gt=models.F("last_complete")), complete=False
        )
        return looks.filter(wanted).defer("items").order_by("vantage", "-time", "-id")
