"""How long a server's calls took: by day, and the newest."""

from dataclasses import dataclass
from datetime import timedelta
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
from servers.days import Calls, calls_of
from servers.models import Server
from servers.surface import Kind
from tools.models import Definition

CALLS_EACH: Final = 100  # newest calls of a tool in a month; a log of millions is not read for a page


@dataclass(frozen=True, slots=True)
class Durations:
    """Of so many calls, in milliseconds."""

    calls: int
    p50: float
    p95: float


def calls_by_day(server: Server, actor: Actor) -> list[Calls]:
    """The last 30 days, the oldest first; nothing where no call was answered, or for who may not read them."""
    if not actor.may(Permission.AUDIT_READ, team_id=server.owner_team_id):
        return []
    found = calls_of(server)
    return found if any(day.calls for day in found) else []


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
