"""Revisions: how gateways learn that a part of what they know has changed."""

import functools
import logging

import redis
from django.conf import settings
from django.db import connection, transaction

logger = logging.getLogger(__name__)

ACCESS_PART = "access"
CHANNEL = "holdfast:revisions"
_TIMEOUT = 0.5  # seconds; a slow messenger must not hold up the person who made the change


def server_part(slug: str) -> str:
    """The part that holds what the gateway knows of one server."""
    return f"server:{slug}"


def bump_revision(part: str) -> None:
    """Count `part` up in the current transaction, and tell gateways after the commit.

    The row stays locked until then, so that no reader can take a new number for an old state.
    Raises `TransactionManagementError` outside a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a revision is bumped by the transaction that made the change")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_revision (part, n) VALUES (%s, 1) "
            "ON CONFLICT (part) DO UPDATE SET n = access_revision.n + 1",
            [part],
        )
    transaction.on_commit(functools.partial(_publish, part))


def _publish(part: str) -> None:
    try:
        _messenger().publish(CHANNEL, part)
    except redis.RedisError:
        logger.warning("messenger away, gateways see the change of %s at their next look", part)


@functools.cache
def _messenger() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
