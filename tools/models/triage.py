"""How people share the work on reviews: who looks at one, until when it is put off, what they say about it."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from core.ids import new_id
from tools.models.known import paired, said
from tools.models.reviews import Review
from tools.querysets import CommentQuerySet, TriageQuerySet
from tools.rules import COMMENT_MAX


class Triage(models.Model):
    """Who looks at a review, and until when it is out of sight. No decision: what waits is withheld all the same.

    Snoozed without `snoozed_until` means until it changes again; a change ends any snooze, because another digest is
    another review, and one that comes to wait again is woken. Rows may change; the audit log keeps what they were.
    """

    review = models.OneToOneField(Review, primary_key=True, on_delete=models.PROTECT, related_name="triage")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    snoozed_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = TriageQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            paired("snoozed_at", "snoozed_by", "triage_snooze_paired"),
            models.CheckConstraint(
                condition=Q(snoozed_until__isnull=True) | Q(snoozed_until__gt=F("snoozed_at")),
                name="triage_snooze_ends_later",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["snoozed_until"], condition=Q(snoozed_at__isnull=False), name="triage_snoozed")
        ]

    def __str__(self) -> str:
        return f"{self.review_id}"

    def is_snoozed(self, now: datetime) -> bool:
        """Whether it is put off at `now`."""
        return self.snoozed_at is not None and (self.snoozed_until is None or self.snoozed_until > now)


class ReviewComment(models.Model):
    """What somebody said about a review, as plain text. Append-only; the audit log says who and when."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="comments")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=COMMENT_MAX)
    time = models.DateTimeField(default=timezone.now)

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [said("text", "comment_says_something")]

    def __str__(self) -> str:
        return str(self.public_id)
