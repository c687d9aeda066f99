"""Reads of what leaves the log: its receivers, and how far each is."""

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission

if TYPE_CHECKING:
    from audit.models import ExportCursor, Sink  # noqa: F401 -- type arguments below


class SinkQuerySet(models.QuerySet["Sink"]):
    """Receivers of records."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them to who manages sinks; a sink belongs to the installation, not to a team."""
        return self.all() if actor.may(Permission.SINK_MANAGE) else self.none()

    def locked(self, sink_id: UUID) -> "Sink":
        """The sink, its row locked for this transaction. Raises `NotFound`."""
        sink = self.select_for_update().filter(public_id=sink_id).first()
        if sink is None:
            raise NotFound("There is no such sink.")
        return sink


class ExportCursorQuerySet(models.QuerySet["ExportCursor"]):
    """How far sinks are."""

    def due(self, now: datetime) -> Self:
        """Of active sinks whose time has come and on whom nobody holds a lease."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return self.filter(free, sink__state="active", next_attempt_at__lte=now)

    def held(self, token: UUID, now: datetime) -> Self:
        """The one whose lease this is, while it lasts."""
        return self.filter(lease_token=token, lease_until__gte=now, sink__state="active")
