"""What was verified, and what was found. Append-only: a verification is a fact, whatever the next one finds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models


@dataclass(frozen=True, slots=True)
class Standing:
    """What the log's verifications say together. `finding` is the first since the last full verification began."""

    until: int
    at: datetime
    full_at: datetime | None
    finding: dict[str, Any] | None = None
    count: int = 0


class VerificationQuerySet(models.QuerySet["Verification"]):
    """Verifications. Who may read the log may know how it stands."""

    def going_on(self) -> "Verification | None":
        """The verification after which the next one goes on."""
        return self.filter(frontier__isnull=False).order_by("-pk").first()

    def standing(self) -> Standing | None:
        """How the log stands; None where nobody ever verified it.

        A finding stands until a full verification finds nothing: what came after a changed record may well be sound.
        """
        latest = self.order_by("-pk").first()
        if latest is None:
            return None
        full = self.filter(is_full=True).order_by("-pk").first()
        since = self.filter(pk__gte=full.pk) if full is not None else self
        wrong = since.filter(count__gt=0).order_by("pk").first()
        full_at = full.at if full is not None else None
        if wrong is None:
            return Standing(latest.until, latest.at, full_at)
        return Standing(latest.until, latest.at, full_at, wrong.finding, wrong.count)


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
