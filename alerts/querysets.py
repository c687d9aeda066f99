"""Reads of alerts and channels. Every list starts from `visible_to(actor)`."""

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q, Window
from django.db.models.functions import RowNumber

from alerts.rules import AlertState, ChannelState, DeliveryState
from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission

if TYPE_CHECKING:
    from alerts.models import Alert, Channel, Delivery  # noqa: F401 -- type arguments below


class AlertQuerySet(models.QuerySet["Alert"]):
    """Alerts."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, or those of own teams' servers where the right reaches no further."""
        if actor.may(Permission.ALERT_READ):
            return self.all()
        if actor.may_somewhere(Permission.ALERT_READ):
            return self.filter(owner_team__in=actor.team_slugs)
        return self.none()

    def live(self) -> Self:
        """Open or acknowledged."""
        return self.exclude(state=AlertState.RESOLVED.value)

    def open(self) -> Self:
        """Nobody looks after these yet."""
        return self.filter(state=AlertState.OPEN.value)

    def newest_first(self) -> Self:
        """By what happened last."""
        return self.order_by("-last_time", "-id")

    def locked(self, alert_id: UUID) -> "Alert":
        """The alert, its row locked for this transaction. Raises `NotFound`."""
        alert = self.select_for_update().filter(public_id=alert_id).first()
        if alert is None:
            raise NotFound("There is no such alert.")
        return alert


class ChannelQuerySet(models.QuerySet["Channel"]):
    """Channels."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them to who manages channels; a channel belongs to the installation, not to a team."""
        return self.all() if actor.may(Permission.CHANNEL_MANAGE) else self.none()

    def receiving(self, kind: str) -> Self:
        """Active channels that want alerts of this kind; an empty list of kinds wants all."""
        return self.filter(Q(kinds=[]) | Q(kinds__contains=[kind]), state=ChannelState.ACTIVE.value)

    def locked(self, channel_id: UUID) -> "Channel":
        """The channel, its row locked for this transaction. Raises `NotFound`."""
        channel = self.select_for_update().filter(public_id=channel_id).first()
        if channel is None:
            raise NotFound("There is no such channel.")
        return channel


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Deliveries."""

    def due(self, now: datetime) -> Self:
        """Waiting, their time has come, and nobody holds a lease on them."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return self.filter(free, state=DeliveryState.PENDING.value, next_attempt_at__lte=now).order_by(
            "next_attempt_at", "id"
        )

    def in_turns(self, per_channel: int) -> Self:
        """The first few of each channel."""
        turn = Window(RowNumber(), partition_by=["channel_id"], order_by=["next_attempt_at", "id"])
        return self.annotate(turn=turn).filter(turn__lte=per_channel)
