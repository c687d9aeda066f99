"""Sending records to sinks: in the log's order, each at least once, and the cursor moves only after that.

One process feeds all sinks side by side, so that a slow receiver slows nobody else; it is a process of its own, so that
receivers that hang hold up neither the log nor its alerts. A lease decides who feeds a sink: whoever lost it can still
send, but moves no cursor. Nothing is kept in memory beyond one batch a sink: what a receiver does not take stays in the
log. A receiver tells repetitions by the record's id.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.formats.kinds import SinkKind
from audit.formats.ocsf import Chain
from audit.formats.writing import Format, Lines
from audit.models import ExportCursor, Leaf, Sink
from audit.services.sinks import sink_secret, stop_sink
from audit.sinks.posts import LIMITS, OtlpTransport, WebhookTransport
from audit.sinks.source import Found, window
from audit.sinks.stream import SyslogTransport
from audit.sinks.transport import SendFailed, Transport, Written
from core.actor import system_actor
from core.envelope import CannotOpen
from core.outbound import outbound_client, policy_from_settings
from core.stopping import is_stopping

logger = logging.getLogger(__name__)
SYSTEM: Final = system_actor("exports")
_T = TypeVar("_T")
_SYSLOG_PORT: Final = 6514
_LONGEST_PAUSE: Final = 300


class Pace(NamedTuple):
    """Seconds: of a run, between two looks for records, of a lease, until syslog counts as arrived; and a batch."""

    run: float = 60.0
    idle: float = 1.0
    lease: float = 90.0
    settle: float = 30.0
    batch: int = 100


class LeaseLost(Exception):
    """Somebody else feeds this sink now, or nobody may."""


class OutOfTurn(Exception):
    """The place that is next is not in the log, or stands there twice."""


@dataclass(slots=True)
class Feed:
    """One sink as its sender holds it. `index` and `chain` are where sending is, ahead of the cursor."""

    sink: Sink
    token: UUID
    index: int
    chain: Chain
    unconfirmed: deque[tuple[float, int, Chain]] = field(default_factory=deque)


def send_exports(pace: Pace | None = None) -> int:
    """Feed every sink that is due for the length of a run; answers how many were fed."""
    return async_to_sync(_feed_all)(pace or Pace())


async def _feed_all(pace: Pace) -> int:
    deadline = time.monotonic() + pace.run
    feeding: dict[int, asyncio.Task[None]] = {}
    count = 0
    while time.monotonic() < deadline and not is_stopping():
        for feed in await _in_database(lambda: _claim(pace)):
            feeding[feed.sink.pk] = asyncio.create_task(_fed(feed, deadline, pace))
            count += 1
        await asyncio.sleep(min(pace.idle, max(deadline - time.monotonic(), 0)))
    for ended in await asyncio.gather(*feeding.values(), return_exceptions=True):
        if isinstance(ended, Exception):
            logger.error("a sender ended; its sink is taken up again when its lease is over", exc_info=ended)
    return count


async def _fed(feed: Feed, deadline: float, pace: Pace) -> None:
    """Feed one sink, and note how that ended."""
    try:
        async with AsyncExitStack() as stack:
            await _feed(feed, await _transport(feed.sink, stack, pace), deadline, pace)
        await _in_database(lambda: _release(feed))
    except LeaseLost:
        logger.info("another sender has sink %s", feed.sink.public_id)
    except SendFailed as error:
        failure = error
        await _in_database(lambda: _failed(feed, failure))
    except CannotOpen:
        await _in_database(lambda: _failed(feed, SendFailed("The sink's secret cannot be opened.")))


async def _feed(feed: Feed, transport: Transport, deadline: float, pace: Pace) -> None:
    renewed, begun = time.monotonic(), False
    while True:
        await transport.check()
        now = time.monotonic()
        if now - renewed > pace.lease / 3:
            await _in_database(lambda: _renew(feed, pace))
            renewed = now
        settled = [sent for sent in feed.unconfirmed if now - sent[0] >= transport.settle]
        if settled:
            await _in_database(partial(_confirm, feed, *settled[-1][1:], pace))
            for _ in settled:
                feed.unconfirmed.popleft()
        # However late it is: who holds a lease sends something by it.
        is_time = (now < deadline or not begun) and not is_stopping()
        batch = await _in_database(partial(_batch, feed, pace.batch)) if is_time else []
        begun = True
        if batch:
            await transport.send(batch)
            feed.unconfirmed.append((time.monotonic(), feed.index, feed.chain))
        elif is_stopping() or (now >= deadline and not feed.unconfirmed):
            return  # what is not confirmed by then is sent again
        elif not settled:
            await asyncio.sleep(pace.idle)


def _batch(feed: Feed, size: int) -> list[Written]:
    """The next records, written. Raises `LeaseLost` where the first of them cannot be: then the sink is stopped."""
    lines = Lines(Format(feed.sink.format), chain=feed.chain)
    batch: list[Written] = []
    for found in _next(feed.index, size):
        try:
            _is_in_turn(found, feed.index + 1)
            record = found.placed()
            batch.append(Written(record, lines.line(record)))
        except Exception as error:
            if batch or feed.unconfirmed:
                break  # what is before it goes out first
            _stop(feed, feed.index + 1, error)
            raise LeaseLost from error
        feed.index, feed.chain = found.index, lines.chain
    return batch


def _next(index: int, size: int) -> list[Found]:
    """The places behind `index`. Where none is near, the next there is: so a gap of any size is seen."""
    near = window(index + 1, index + 1 + size)
    if near:
        return near
    far = Leaf.objects.after(index).values_list("index", flat=True).first()
    return [] if far is None else window(far, far + 1)


def _is_in_turn(found: Found, index: int) -> None:
    if found.index != index:
        raise OutOfTurn(f"the log goes on with record {found.index} where record {index} belongs")


def _claim(pace: Pace) -> list[Feed]:
    """The sinks that are due, leased to us."""
    now, feeds = timezone.now(), []
    with transaction.atomic():
        due = ExportCursor.objects.due(now).select_related("sink").select_for_update(skip_locked=True, of=("self",))
        for cursor in due:
            cursor.lease_token, cursor.lease_until = uuid4(), now + timedelta(seconds=pace.lease)
            cursor.save(update_fields=["lease_token", "lease_until"])
            chain = Chain(str(cursor.sink.public_id), settings.INSTALLATION_ID, cursor.chain)
            feeds.append(Feed(cursor.sink, cursor.lease_token, cursor.index, chain))
    return feeds


def _renew(feed: Feed, pace: Pace) -> None:
    now = timezone.now()
    until = now + timedelta(seconds=pace.lease)
    if not ExportCursor.objects.held(feed.token, now).update(lease_until=until):
        raise LeaseLost


def _confirm(feed: Feed, index: int, chain: Chain, pace: Pace) -> None:
    """Move the cursor, under the lease by which it was sent."""
    now = timezone.now()
    moved = ExportCursor.objects.held(feed.token, now).update(
        index=index, chain=chain.last, failures=0, failing_since=None, last_error="", last_sent_at=now,
        lease_until=now + timedelta(seconds=pace.lease),
    )  # fmt: skip
    if not moved:
        raise LeaseLost


def _release(feed: Feed) -> None:
    ExportCursor.objects.filter(lease_token=feed.token).update(lease_token=None, lease_until=None)


def _failed(feed: Feed, failure: SendFailed) -> None:
    """Try again later: the more failures in a row, the later."""
    with transaction.atomic():
        cursor = ExportCursor.objects.select_for_update().filter(lease_token=feed.token).first()
        if cursor is None:
            return
        now = timezone.now()
        pause = min(2**cursor.failures, _LONGEST_PAUSE) * (0.8 + 0.4 * random.random())  # noqa: S311 -- spreads retries
        cursor.failures = min(cursor.failures + 1, 16)
        cursor.next_attempt_at = now + timedelta(seconds=max(pause, failure.wait))
        cursor.failing_since, cursor.last_error = cursor.failing_since or now, failure.sentence
        cursor.lease_token = cursor.lease_until = None
        cursor.save()


def _stop(feed: Feed, index: int, error: Exception) -> None:
    logger.error("record %s cannot be sent to sink %s", index, feed.sink.public_id, exc_info=error)
    cannot = f"record {index} cannot be written as {feed.sink.format}: {type(error).__name__}"
    reason = str(error) if isinstance(error, OutOfTurn) else cannot
    with transaction.atomic():
        sink = Sink.objects.select_for_update().filter(pk=feed.sink.pk, cursor__lease_token=feed.token).first()
        if sink is not None:
            stop_sink(sink, index=index, reason=reason, actor=SYSTEM)
            _release(feed)


async def _transport(sink: Sink, stack: AsyncExitStack, pace: Pace) -> Transport:
    policy, parts = policy_from_settings(), urlsplit(sink.endpoint)
    if sink.kind == SinkKind.SYSLOG_TLS.value:
        host, port = parts.hostname or "", parts.port or _SYSLOG_PORT
        transport = SyslogTransport(policy, host, port, installation=settings.INSTALLATION_ID, settle=pace.settle)
        stack.push_async_callback(transport.aclose)
        return transport
    secret = sink_secret(sink)
    client = await stack.enter_async_context(outbound_client(policy, LIMITS))
    if sink.kind == SinkKind.OTLP.value:
        return OtlpTransport(client, sink.endpoint, installation=settings.INSTALLATION_ID, authorization=secret)
    return WebhookTransport(client, sink.endpoint, sink=sink.public_id.hex, secret=secret)


def _in_database(ask: Callable[[], _T]) -> Awaitable[_T]:
    answer: Awaitable[Any] = sync_to_async(ask)()
    return answer
