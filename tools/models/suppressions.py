"""Findings that somebody looked at and does not want counted for a while."""

from datetime import timedelta
from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from core.ids import new_id
from tools.models.definitions import DefinitionVersion
from tools.models.known import said
from tools.querysets import SuppressionQuerySet
from tools.risk import INCOMPLETE

SUPPRESSED_MAX: Final = timedelta(days=365)


class Suppression(models.Model):
    """One server's findings of one rule, or all findings of one version, left out of the risk until `ends_at`.

    It is over by the clock; nobody has to end it. It says nothing of an incomplete scan, and lets nothing through.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    server = models.ForeignKey("servers.Server", on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(
        DefinitionVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="suppressions"
    )
    rule = models.CharField(max_length=40, blank=True, default="")
    reason = models.CharField(max_length=2000)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_why = models.CharField(max_length=2000, blank=True, default="")

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(version__isnull=False, rule="") | (Q(version__isnull=True) & ~Q(rule="")),
                name="suppression_of_a_version_or_a_rule",
            ),
            models.CheckConstraint(condition=~Q(rule=INCOMPLETE), name="suppression_never_of_an_incomplete_scan"),
            said("reason", "suppression_reason_given"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("made_at"), ends_at__lte=F("made_at") + SUPPRESSED_MAX),
                name="suppression_for_a_year_at_most",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True, revoked_why="")
                | (Q(revoked_at__isnull=False, revoked_by__isnull=False) & Q(revoked_why__regex=r"\S")),
                name="suppression_revoked_by_somebody_and_why",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["server", "rule"], name="suppression_by_rule")]

    def __str__(self) -> str:
        return f"{self.server_id} {self.rule or self.version_id}"

    @property
    def in_force(self) -> bool:
        """Whether it counts now."""
        return self.revoked_at is None and self.ends_at > timezone.now()
