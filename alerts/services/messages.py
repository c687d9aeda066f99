"""Turning an alert into messages for channels: one delivery per channel that wants its kind.

The body follows Standard Webhooks: `type`, `timestamp`, `data`, below 20 KB. Texts of servers are data in JSON and
nothing else.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from alerts.models import Alert, Channel, Delivery
from alerts.rules import DeliveryState
from audit.models import Record
from core.canonical import canonical_bytes
from core.queue import enqueue

BODY_MAX: Final = 20_000  # bytes
DELIVER: Final = "alerts.deliver_due"  # a hint that there is something to do; beat sends it anyway


def announce(
    alert: Alert, record: Record, *, not_before: datetime | None = None, except_to: Collection[int] = ()
) -> None:
    """Queue the news of `alert`, brought about by `record`, for every channel that wants it.

    It is held until `not_before`, so that `take_back` can stop it; `except_to` are keys of channels.
    """
    channels = list(Channel.objects.receiving(alert.kind).exclude(pk__in=except_to))
    if not channels:
        return
    body = message(record.event, _data(alert, record), record.time)
    due = not_before or timezone.now()
    Delivery.objects.bulk_create(
        [
            Delivery(channel=channel, alert=alert, event=record.event, body=body, next_attempt_at=due)
            for channel in channels
        ]
    )
    if not_before is None:
        enqueue(DELIVER)


def take_back(alert: Alert) -> set[int]:
    """Delete what is held about `alert` and was never sent; answers the keys of the channels that hear nothing."""
    held = alert.deliveries.filter(state=DeliveryState.PENDING.value, attempts=0, next_attempt_at__gt=timezone.now())
    channels = set(held.values_list("channel_id", flat=True))
    # Channels first, always: who disables one locks in the same order.
    list(Channel.objects.filter(pk__in=channels).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    taken = list(held.filter(lease_until=None).select_for_update().values_list("pk", "channel_id"))
    Delivery.objects.filter(pk__in=[pk for pk, _ in taken]).delete()
    return {channel for _, channel in taken}


def message(event: str, data: dict[str, Any], time: datetime | None = None) -> str:
    """The JSON text that is signed and sent."""
    moment = (time or timezone.now()).astimezone(UTC)
    body = {"type": event, "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "data": data}
    text = canonical_bytes(body)
    if len(text) >= BODY_MAX:
        data = {name: value for name, value in data.items() if name in ("alert_id", "kind", "state", "server", "url")}
        text = canonical_bytes({**body, "data": {**data, "cut": True}})
    return text.decode()


def _data(alert: Alert, record: Record) -> dict[str, Any]:
    return {
        "alert_id": str(alert.public_id),
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "subject": alert.subject,
        "server": alert.server,
        "environment": alert.environment,
        "team": alert.owner_team,
        "digest": alert.digest,
        "reason": record.reason[:1000],
        "count": alert.count,
        "record_id": str(record.id),
        "installation": settings.INSTALLATION_ID,
        "url": f"{settings.PUBLIC_URL}/alerts/",
    }
