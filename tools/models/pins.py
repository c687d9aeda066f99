"""Pins, and the glass that is broken in an emergency."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from core.ids import new_id
from tools.models.definitions import Definition, DefinitionVersion
from tools.models.known import said
from tools.models.reviews import Review
from tools.querysets import BreakGlassQuerySet, PinQuerySet
from tools.rules import BREAK_GLASS_MAX, GlassEnd, PinEnd


class Pin(models.Model):
    """The approved version of a definition. At most one is live (`ended_at` empty) and a live one may expire.

    Who approved it and why stands in the decisions of `review`. `returned_by` went back to a version that was approved
    before; `ended_by` withdrew the approval.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="pins")
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="pins")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="pins")
    set_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    returned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    returned_why = models.CharField(max_length=2000, blank=True, default="", db_default="")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=20, blank=True, default="")
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_why = models.CharField(max_length=2000, blank=True, default="", db_default="")

    objects = PinQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["definition"], condition=Q(ended_at__isnull=True), name="pin_one_live_per_definition"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_reason="")
                | (Q(ended_at__isnull=False) & Q(ended_reason__in=[member.value for member in PinEnd])),
                name="pin_ended_paired",
            ),
            models.CheckConstraint(
                condition=Q(returned_by__isnull=True, returned_why="")
                | (Q(returned_by__isnull=False) & Q(returned_why__regex=r"\S")),
                name="pin_returned_by_somebody_and_why",
            ),
            models.CheckConstraint(
                condition=(~Q(ended_reason="withdrawn") & Q(ended_by__isnull=True, ended_why=""))
                | (Q(ended_reason="withdrawn", ended_by__isnull=False) & Q(ended_why__regex=r"\S")),
                name="pin_withdrawn_by_somebody_and_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} {self.version_id}"


class BreakGlass(models.Model):
    """One version served in an emergency on one person's word, for a day at most, beside the pin and not in its place.

    The review goes on waiting. One person breaks the glass for one version once.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="broken_glass")
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="+")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="broken_glass")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=2000)
    set_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=20, blank=True, default="")
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = BreakGlassQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["definition"], condition=Q(ended_at__isnull=True), name="glass_one_broken_per_definition"
            ),
            models.UniqueConstraint(fields=["version", "person"], name="glass_once_per_person_and_version"),
            said("reason", "glass_reason_given"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("set_at"), expires_at__lte=F("set_at") + BREAK_GLASS_MAX),
                name="glass_broken_for_a_day_at_most",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_reason="")
                | (Q(ended_at__isnull=False) & Q(ended_reason__in=[member.value for member in GlassEnd])),
                name="glass_ended_paired",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} until {self.expires_at:%Y-%m-%d %H:%M}"
