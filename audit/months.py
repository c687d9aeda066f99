"""The log's months, and whether the bodies of their records are there."""

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.utils import timezone

from audit.models import Removal, Retention
from core.actor import Actor
from core.permissions import Permission

# The partitions are the months. A month's first and last place are two looks into an index; a count would read it all.
_MONTHS: Final = """
SELECT month.shard, ends.first, ends.last, to_regclass('public.audit_record_' || month.shard) IS NOT NULL
FROM (
    SELECT substring(part.relname FROM '^audit_leaf_([0-9]{6})$')::integer AS shard
    FROM pg_inherits AS branch JOIN pg_class AS part ON part.oid = branch.inhrelid
    WHERE branch.inhparent = 'public.audit_leaf'::regclass
) AS month
CROSS JOIN LATERAL (
    SELECT min(leaf.index) AS first, max(leaf.index) AS last FROM audit_leaf AS leaf WHERE leaf.shard = month.shard
) AS ends
WHERE ends.first IS NOT NULL
ORDER BY month.shard DESC
"""


@dataclass(frozen=True, slots=True)
class Month:
    """A shard. `is_due`: past the log's retention, so that two people may prune it. `asked`: one of them did."""

    shard: int
    first: int
    last: int
    has_bodies: bool
    is_due: bool
    asked: Removal | None

    @property
    def name(self) -> str:
        """As people write it: 2026-11."""
        return f"{self.shard // 100}-{self.shard % 100:02}"


def months(*, actor: Actor) -> list[Month]:
    """Months with records that have a place, the latest first; none for who may not prune."""
    if not actor.may(Permission.LOG_PRUNE):
        return []
    asked = {each.shard: each for each in Removal.objects.waiting().filter(shard__isnull=False).reverse()}
    kept = kept_months()
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS)
        rows: list[tuple[int, int, int, bool]] = cursor.fetchall()
    return [
        Month(shard, first, last, has_bodies, has_bodies and _is_past(shard, kept), asked.get(shard))
        for shard, first, last, has_bodies in rows
    ]


def kept_months() -> int:
    """How many whole months of bodies are kept; 0: all. What the database goes by, not this process's settings."""
    found: int | None = Retention.objects.values_list("months", flat=True).first()
    return found or 0


def _is_past(shard: int, kept: int) -> bool:
    """As `audit_prune_shard` reckons, which has the last word."""
    now = timezone.now()
    age = (now.year - shard // 100) * 12 + now.month - shard % 100
    return 0 < kept < age
