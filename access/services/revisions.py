"""Revisions: how gateways learn that a part of what they know has changed."""

import functools
import logging

import redis
from django.conf import settings
from django.db import connection, transaction

from access.services.digests import keep_digests, touched_setting

logger = logging.getLogger(__name__)

ACCESS_PART = "access"
CHANNEL = "holdfast:revisions"
_TIMEOUT = 0.5  # seconds; a slow messenger must not hold up the person who made the change


def server_part(slug: str) -> str:
    """The part that holds what the gateway knows of one server."""
    return f"server:{slug}"


def bump_revision(part: str) -> None:
    """Count `part` up in the current transaction, keep its digests, and tell gateways after the commit.

    Last of all that is changed. The row stays locked until the end, so that no reader can take a new number for an old
    state, and of two changes the second finds what the first left.
    Raises `TransactionManagementError` outside a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a revision is bumped by the transaction that made the change")
    notes = touched_setting(part)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_revision (part, n) VALUES (%s, 1) "
            "ON CONFLICT (part) DO UPDATE SET n = access_revision.n + 1 "
            "RETURNING n, coalesce(current_setting(%s, true), ''), set_config(%s, '', true)",
            [part, notes, notes],
        )
        n, noted, _ = cursor.fetchone()
    keep_digests(part, n, noted)
    transaction.on_commit(functools.partial(_publish, part))


def _publish(part: str) -> None:
    try:
        _messenger().publish(CHANNEL, part)
    except redis.RedisError:
        logger.warning("messenger away, gateways see the change of %s at their next look", part)


@functools.cache
def _messenger() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
