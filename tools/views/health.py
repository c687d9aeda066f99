"""How a server did: its looks by day, and how long its newest calls took."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import quantiles
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.utils import timezone

from audit.drafts import shard_of
from audit.events import Event
from audit.models import Record
from core.actor import Actor
from core.permissions import Permission
from servers.models import HealthSample, Server
from servers.surface import Kind
from tools.models import Definition

DAYS: Final = 90
CALLS_EACH: Final = 100  # newest calls of a tool in a month; a log of millions is not read for a page


@dataclass(frozen=True, slots=True)
class Day:
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
class Durations:
    """Of so many calls, in milliseconds."""

    calls: int
    p50: float
    p95: float


def days_of(server: Server) -> list[Day]:
    """The last 90 days, the oldest first."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    rows = HealthSample.objects.by_day(server, datetime.combine(first, time(), UTC))
    known = {row["day"]: Day(**row) for row in rows}
    return [known.get(day, Day(day)) for day in (first + timedelta(days=number) for number in range(DAYS))]


def durations_of(server: Server, actor: Actor) -> Durations | None:
    """Of the newest calls of each tool, in this month and the last; None without any, or for who may not read them."""
    if not actor.may(Permission.AUDIT_READ, team_id=server.owner_team_id):
        return None
    now = timezone.now()
    last_month = now.replace(day=1) - timedelta(days=1)
    tools = Definition.objects.visible_to(actor).filter(server=server, kind=Kind.TOOL.value, present=True).order_by()
    months = {f"in_{shard}": _newest(server, shard, actor) for shard in (shard_of(now), shard_of(last_month))}
    found = tools.annotate(**months).values_list(*months)
    values = [value for row in found for month in row for value in month]
    if not values:
        return None
    parts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else [values[0]] * 19
    return Durations(len(values), parts[9], parts[18])


def _newest(server: Server, shard: int, actor: Actor) -> ArraySubquery:
    ended = Record.objects.visible_to(actor).filter(
        server=server.slug, tool=OuterRef("name"), shard=shard, event=Event.CALL_COMPLETED, latency_ms__isnull=False
    )
    return ArraySubquery(ended.order_by("-id").values("latency_ms")[:CALLS_EACH])
