"""Reads of pins and emergencies."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Prefetch, Q

from core.actor import Actor
from core.permissions import Permission
from tools.querysets.shared import VOICES, narrowed, rows_of

if TYPE_CHECKING:
    from tools.models import BreakGlass, Pin  # noqa: F401 -- type arguments


class PinQuerySet(models.QuerySet["Pin"]):
    """Pins, newest first. Reach them through a definition that the actor may see."""

    def for_history(self, actor: Actor) -> Self:
        """With their versions, who went back to them or ended them, and the decisions if the actor may see those."""
        reviews = rows_of("Review").visible_to(actor).prefetch_related(*VOICES)
        related = self.select_related("version", "returned_by", "ended_by").defer("version__text")
        return related.prefetch_related(Prefetch("review", reviews))

    def live(self) -> Self:
        """Those that have not ended; they may have expired."""
        return self.filter(ended_at__isnull=True)

    def in_force(self, now: datetime) -> Self:
        """Live and not expired at `now`."""
        return self.live().filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


class BreakGlassQuerySet(models.QuerySet["BreakGlass"]):
    """Versions served in an emergency, newest first."""

    def live(self) -> Self:
        """Those that have not ended; they may have expired."""
        return self.filter(ended_at__isnull=True)

    def visible_to(self, actor: Actor) -> Self:
        """Those of definitions whose reviews the actor may read."""
        return narrowed(self, actor, Permission.REVIEW_READ, "definition__server__owner_team_id__in")

    def in_force(self, now: datetime) -> Self:
        """Live and not expired at `now`."""
        return self.live().filter(expires_at__gt=now)

    def run_out(self, now: datetime) -> Self:
        """Live, though their time has passed at `now`."""
        return self.live().filter(expires_at__lte=now)

    def for_list(self) -> Self:
        """With what a notice shows, without the text of what is served."""
        return self.select_related("definition__server", "review", "version", "person").defer("version__text")
