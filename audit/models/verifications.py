"""What was verified, and what was found. Append-only: a verification is a fact, whatever the next one finds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q, Subquery
from django.db.models.functions import Coalesce


@dataclass(frozen=True, slots=True)
class Standing:
    """What the log's verifications say together. `finding` is the first since the last full verification began."""

    until: int
    at: datetime
    full_at: datetime | None
    finding: dict[str, Any] | None = None
    count: int = 0

    @property
    def last(self) -> int | None:
        """The last index that was verified."""
        return self.until - 1 if self.until else None

    @property
    def record(self) -> UUID | None:
        """The record that the finding names, if it names one."""
        try:
            return UUID((self.finding or {}).get("record") or "")
        except (ValueError, AttributeError):
            return None


class VerificationQuerySet(models.QuerySet["Verification"]):
    """Verifications. Who may read the log may know how it stands."""

    def going_on(self) -> "Verification | None":
        """The verification after which the next one goes on."""
        return self.filter(frontier__isnull=False).order_by("-pk").first()

    def standing(self) -> Standing | None:
        """How the log stands; None where nobody ever verified it.

        A finding stands until a full verification finds nothing: what came after a changed record may well be sound.
        """
        newest = self.order_by("-pk").values("pk")[:1]
        full = self.filter(is_full=True).order_by("-pk").values("pk")[:1]
        wrong = self.filter(count__gt=0, pk__gte=Coalesce(Subquery(full), 0)).order_by("pk").values("pk")[:1]
        rows = list(self.filter(Q(pk=Subquery(newest)) | Q(pk=Subquery(full)) | Q(pk=Subquery(wrong))).order_by("pk"))
        if not rows:
            return None
        latest, full_at = rows[-1], max((row.at for row in rows if row.is_full), default=None)
        first = next((row for row in rows if row.count), None)
        if first is None:
            return Standing(latest.until, latest.at, full_at)
        return Standing(latest.until, latest.at, full_at, first.finding, first.count)


class Verification(models.Model):
    """One verification of the places from `first` up to `until`, which is not in it.

    `frontier` is the tree at its end, null where places were missing: the next one goes on from the last that has it.
    `finding` is the first of what was found.
    """

    at = models.DateTimeField()
    is_full = models.BooleanField()
    first = models.BigIntegerField()
    until = models.BigIntegerField()
    records = models.BigIntegerField()
    authenticated = models.BigIntegerField()
    unauthenticated = models.BigIntegerField()
    pruned = models.BigIntegerField()
    count = models.BigIntegerField()
    finding = models.JSONField(null=True)
    frontier = models.BinaryField(null=True)

    objects = VerificationQuerySet.as_manager()

    class Meta:
        db_table = "audit_verification"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(first__gte=0, until__gte=0, count__gte=0), name="audit_verification_counts"
            ),
            models.CheckConstraint(
                condition=models.Q(count=0, finding__isnull=True) | models.Q(count__gt=0, finding__isnull=False),
                name="audit_verification_finding",
            ),
        ]

    def __str__(self) -> str:
        return f"verified up to {self.until}"
