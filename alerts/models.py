"""Tables of the alerts. They copy text from audit records and hold no key into other apps."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from alerts.querysets import AlertQuerySet, ChannelQuerySet, DeliveryQuerySet
from alerts.rules import SEVERITIES, AlertKind, AlertState, ChannelState, DeliveryState
from core.ids import new_id


class Cursor(models.Model):
    """How far a follower has read the audit log: the last `Leaf.index` whose consequences are committed."""

    name = models.TextField(unique=True)
    index = models.BigIntegerField(default=-1)

    class Meta:
        db_table = "alerts_cursor"

    def __str__(self) -> str:
        return f"{self.name} at {self.index}"


class Alert(models.Model):
    """Something a person should look at. At most one that is not resolved per `key`; repetitions are counted."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    kind = models.TextField()
    severity = models.TextField()
    key = models.TextField()
    subject = models.TextField()
    server = models.TextField(default="", blank=True)
    owner_team = models.TextField(default="", blank=True)
    environment = models.TextField(default="", blank=True)
    digest = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True)
    caused_by = models.TextField(default="", blank=True, help_text="the actor of the record that raised it")
    state = models.TextField(default=AlertState.OPEN.value)
    count = models.IntegerField(default=1)
    time = models.DateTimeField()
    last_time = models.DateTimeField()
    reopened_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="when it was opened again last, and channels were told"
    )
    record_id = models.UUIDField()
    handled_by = models.TextField(default="", blank=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_reason = models.TextField(default="", blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        db_table = "alerts_alert"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in AlertKind]), name="alerts_alert_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in AlertState]), name="alerts_alert_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(severity__in=list(SEVERITIES)), name="alerts_alert_severity_known"
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=~models.Q(state=AlertState.RESOLVED.value),
                name="alerts_alert_one_live_per_key",
            ),
        ]
        indexes = [
            models.Index(fields=["-last_time", "-id"], name="alerts_alert_newest"),
            models.Index(fields=["server", "kind"], name="alerts_alert_server"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Channel(models.Model):
    """Where alerts are sent: a webhook with a secret of its own, sealed at rest. No `kinds` means all."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.TextField(unique=True)
    url = models.TextField()
    secret = models.BinaryField()
    kinds = ArrayField(models.TextField(), default=list, blank=True)
    state = models.TextField(default=ChannelState.ACTIVE.value)
    created_at = models.DateTimeField(default=timezone.now)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_delivered_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(default="", blank=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        db_table = "alerts_channel"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in ChannelState]), name="alerts_channel_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message to one channel. `public_id` is its `webhook-id`, the same on every attempt; so is `body`."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="deliveries")
    event = models.TextField()
    body = models.TextField()
    state = models.TextField(default=DeliveryState.PENDING.value)
    attempts = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_status = models.IntegerField(null=True, blank=True)
    last_error = models.TextField(default="", blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        db_table = "alerts_delivery"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in DeliveryState]),
                name="alerts_delivery_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(lease_until__isnull=True, lease_token__isnull=True)
                | models.Q(lease_until__isnull=False, lease_token__isnull=False),
                name="alerts_delivery_lease_whole",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state=DeliveryState.PENDING.value),
                name="alerts_delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.channel_id}"
