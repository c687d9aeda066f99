"""Looks at servers and calls of them by day: each is counted where it is noted, so that no page counts a million.

Days are those of UTC.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

from core.histogram import counted, percentile
from servers.models import CallDay, HealthDay, HealthSample, Server

DAYS: Final = 90  # that a page shows of looks
CALL_DAYS: Final = 30  # and of calls
_LOOK: Final = """
INSERT INTO servers_healthday AS kept (server_id, day, took, failed) VALUES (%s, %s, %s, %s)
ON CONFLICT (server_id, day) DO UPDATE SET
    failed = kept.failed + excluded.failed,
    took = (SELECT array_agg(was + more ORDER BY place)
            FROM unnest(kept.took, excluded.took) WITH ORDINALITY AS of (was, more, place))
"""
_CALLS: Final = """
INSERT INTO servers_callday AS kept (server_id, day, took)
SELECT id, %s, %s FROM servers_server WHERE slug = %s
ON CONFLICT (server_id, day) DO UPDATE SET
    took = (SELECT array_agg(was + more ORDER BY place)
            FROM unnest(kept.took, excluded.took) WITH ORDINALITY AS of (was, more, place))
"""


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks at a server on one day (UTC); `p50` and `p95` in milliseconds, of the complete ones."""

    day: date
    looks: int = 0
    complete: int = 0
    p50: float | None = None
    p95: float | None = None

    @property
    def share(self) -> float | None:
        """How much of the looks were complete, 0 to 1; None without one."""
        return self.complete / self.looks if self.looks else None


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a server that were answered on one day (UTC); `p50` and `p95` in milliseconds."""

    day: date
    calls: int = 0
    p50: float | None = None
    p95: float | None = None


def note_look(server: Server, *, time: datetime, latency_ms: int, error_class: str = "") -> None:
    """Keep what a look came to and count it with its day. Call it within the transaction that stores the look.

    `latency_ms` is milliseconds; `error_class` is empty for a complete look.
    """
    is_complete = not error_class
    HealthSample.objects.create(
        server=server, time=time, ok=is_complete, latency_ms=latency_ms, error_class=error_class
    )
    took = counted([latency_ms] if is_complete else ())
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [server.pk, time.astimezone(UTC).date(), took, int(not is_complete)])


def note_calls(ended: Iterable[tuple[str, datetime, int]]) -> None:
    """Count calls with their days: the server's slug, when each was answered, and in how many milliseconds.

    What names no server that there is, is passed over. The caller's transaction sees to it that no call comes twice.
    """
    durations = defaultdict[tuple[str, date], list[int]](list)
    for slug, time, latency_ms in ended:
        durations[slug, time.astimezone(UTC).date()].append(latency_ms)
    # In one order, or two that count at once could wait for each other.
    rows = [(day, counted(took), slug) for (slug, day), took in sorted(durations.items())]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_CALLS, rows)


def looks_of(server: Server, *, days: int = DAYS) -> list[Looks]:
    """The last days, today's included, the oldest first."""
    shown = _last(days)
    found = HealthDay.objects.filter(server=server, day__gte=shown[0]).values_list("day", "took", "failed")
    known = {
        day: Looks(day, sum(took) + failed, sum(took), percentile(took, 0.5), percentile(took, 0.95))
        for day, took, failed in found
    }
    return [known.get(day, Looks(day)) for day in shown]


def calls_of(server: Server, *, days: int = CALL_DAYS) -> list[Calls]:
    """The last days, today's included, the oldest first. A day without calls is among them."""
    shown = _last(days)
    found = CallDay.objects.filter(server=server, day__gte=shown[0]).values_list("day", "took")
    known = {day: Calls(day, sum(took), percentile(took, 0.5), percentile(took, 0.95)) for day, took in found}
    return [known.get(day, Calls(day)) for day in shown]


def _last(days: int) -> list[date]:
    today = timezone.now().astimezone(UTC).date()
    return [today - timedelta(days=number) for number in reversed(range(days))]
