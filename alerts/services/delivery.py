"""Sending what is due: claim by lease, send through the guarded client, note the outcome under the same lease.

A lost worker's lease runs out and another sends again with the same `webhook-id`, by which a receiver tells a
repetition. Nothing the receiver answers is kept or shown but its status.
"""

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import httpx2
from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from alerts.backoff import DISABLE_AFTER, next_attempt, parse_retry_after
from alerts.models import Channel, Delivery
from alerts.rules import ChannelState, DeliveryState
from alerts.services.channels import channel_secret, stop_channel
from core.actor import system_actor
from core.envelope import CannotOpen
from core.outbound import OutboundLimits, classify, outbound_client, policy_from_settings
from core.webhooks import message_headers

logger = logging.getLogger(__name__)
SYSTEM: Final = system_actor("alerts")
LEASE: Final = timedelta(seconds=60)
_BATCH: Final = 20
_PER_CHANNEL: Final = 4  # concurrent requests that a receiver has to bear
_LIMITS: Final = OutboundLimits(connect_seconds=5.0, head_seconds=15.0, total_seconds=20.0, body_bytes=64 * 1024)


@dataclass(frozen=True, slots=True)
class Message:
    """One attempt, ready to be sent."""

    delivery_id: int
    token: UUID
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: an HTTP status, or a class of failure and None."""

    status: int | None
    error: str = ""
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        """Standard Webhooks: 2xx and nothing else."""
        return self.status is not None and 200 <= self.status < 300


def deliver_due(*, seconds: float = 20.0) -> int:
    """Send what is due, batch by batch, beginning none after `seconds`; answers how many were delivered."""
    deadline = time.monotonic() + seconds
    delivered = 0
    while time.monotonic() < deadline:
        claimed = _claim()
        if not claimed:
            break
        delivered += _deliver(claimed)
    return delivered


def _deliver(claimed: list[Delivery]) -> int:
    messages = []
    for delivery in claimed:
        try:
            messages.append(_signed(delivery))
        except CannotOpen:
            logger.error("the secret of channel %s cannot be opened", delivery.channel.public_id)  # noqa: TRY400
            _note(delivery.pk, delivery.lease_token, Answer(None, "the channel's secret cannot be opened"))
    answers = asyncio.run(_send_all(messages)) if messages else []
    for sent, answer in zip(messages, answers, strict=True):
        _note(sent.delivery_id, sent.token, answer)
    return sum(answer.is_success for answer in answers)


def _claim() -> list[Delivery]:
    """The deliveries of the next batch, leased to us; few per channel, so that none fills the batch."""
    now = timezone.now()
    token = uuid4()
    due = Delivery.objects.due(now).filter(channel__state=ChannelState.ACTIVE.value)
    with transaction.atomic():
        # Two steps, because PostgreSQL locks no rows of a query with a window function.
        candidates = list(due.in_turns(_PER_CHANNEL).values_list("pk", flat=True)[:_BATCH])
        free = due.filter(pk__in=candidates).select_for_update(skip_locked=True, of=("self",))
        ids = list(free.values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=ids).update(lease_until=now + LEASE, lease_token=token)
    return list(Delivery.objects.filter(pk__in=ids, lease_token=token).select_related("channel").order_by("pk"))


def _signed(delivery: Delivery) -> Message:
    signing = Webhook(channel_secret(delivery.channel))
    signed = message_headers(signing, f"msg_{delivery.public_id.hex}", delivery.body)
    headers = {"user-agent": "Holdfast", **signed}
    token = delivery.lease_token or uuid4()
    return Message(delivery.pk, token, delivery.channel.url, headers, delivery.body.encode())


async def _send_all(messages: list[Message]) -> list[Answer]:
    async with outbound_client(policy_from_settings(), _LIMITS) as client:
        return list(await asyncio.gather(*(_send(client, message) for message in messages)))


async def _send(client: httpx2.AsyncClient, message: Message) -> Answer:
    try:
        async with client.stream("POST", message.url, content=message.body, headers=message.headers) as response:
            return Answer(response.status_code, retry_after=response.headers.get("retry-after"))
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
        return Answer(None, classify(error).sentence)


def _note(delivery_id: int, token: UUID | None, answer: Answer) -> None:
    """Write down what came of an attempt, unless the lease was lost meanwhile."""
    with transaction.atomic():
        # The channel first, always: disabling a channel locks in the same order.
        channel = Channel.objects.select_for_update(of=("self",)).filter(deliveries=delivery_id).get()
        held = Delivery.objects.select_for_update().filter(pk=delivery_id, lease_token=token)
        delivery = held.filter(state=DeliveryState.PENDING.value).first()
        if delivery is None:
            return
        delivery.attempts += 1
        delivery.lease_until = delivery.lease_token = None
        delivery.last_status, delivery.last_error = answer.status, answer.error
        if answer.is_success:
            _succeeded(channel, delivery)
        else:
            _failed(channel, delivery, answer)


def _succeeded(channel: Channel, delivery: Delivery) -> None:
    now = timezone.now()
    delivery.state, delivery.delivered_at = DeliveryState.DELIVERED.value, now
    delivery.save()
    channel.failing_since, channel.last_delivered_at, channel.last_error = None, now, ""
    channel.save(update_fields=["failing_since", "last_delivered_at", "last_error"])


def _failed(channel: Channel, delivery: Delivery, answer: Answer) -> None:
    now = timezone.now()
    again = next_attempt(
        delivery.attempts,
        now=now,
        chance=random.random(),  # noqa: S311 -- spreads retries, guards nothing
        retry_after=parse_retry_after(answer.retry_after, now=now),
    )
    if again is None:
        delivery.state = DeliveryState.FAILED.value
    else:
        delivery.next_attempt_at = again
    delivery.save()
    channel.failing_since = channel.failing_since or now
    channel.last_error = answer.error or f"answered {answer.status}"
    channel.save(update_fields=["failing_since", "last_error"])
    # Standard Webhooks: 410 means gone for good. Otherwise long failure without a success in between disables.
    if answer.status == httpx2.codes.GONE or now - channel.failing_since >= DISABLE_AFTER:
        stop_channel(channel, actor=SYSTEM, reason=f"deliveries failed: {channel.last_error}")
