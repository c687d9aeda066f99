"""Counting what strangers ask for, across processes."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """How often within the current window, this time included, and in how many seconds the window ends."""

    count: int
    seconds_left: int


def count_request(key: str, *, window: timedelta = MINUTE) -> Counted:
    """Count one more for `key`. The count is durable before what is counted goes on: it is a transaction of its own."""
    now = timezone.now()
    expired = "access_requestcount.window_started_at <= %(start)s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_requestcount (key, count, window_started_at) VALUES (%(key)s, 1, %(now)s) "  # noqa: S608 -- constants
            f"ON CONFLICT (key) DO UPDATE SET count = CASE WHEN {expired} THEN 1 "
            "ELSE access_requestcount.count + 1 END, "
            f"window_started_at = CASE WHEN {expired} THEN %(now)s ELSE access_requestcount.window_started_at END "
            "RETURNING count, window_started_at",
            {"key": key, "now": now, "start": now - window},
        )
        count, began = cursor.fetchone()
    return Counted(int(count), max(1, round((began + window - now).total_seconds())))
