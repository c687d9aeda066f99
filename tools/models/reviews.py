"""Reviews, the decisions in them, and the known definitions that a new one resembles."""

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_id
from tools.classify import Risk
from tools.models.definitions import Definition, DefinitionVersion, Finding
from tools.models.known import DIGEST_LENGTH, one_of, said
from tools.querysets import ReviewQuerySet
from tools.risk import is_known
from tools.rules import POLLER, ReviewState, Verdict, due_at

if TYPE_CHECKING:
    from access.models import Person
    from tools.models.triage import Triage


class Review(models.Model):
    """The decision on one held version, compared with `base`, the version that was pinned when it opened.

    `vantage` says who was shown the version: the poller, or a class of principals at the gateway. `times` counts how
    often the same version came to wait against the same base, so that going back and forth stays one review.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="reviews")
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="reviews")
    base = models.ForeignKey(DefinitionVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    vantage = models.CharField(max_length=100, default=POLLER, db_default=POLLER)
    state = models.CharField(max_length=20, default=ReviewState.WAITING.value)
    change = ArrayField(models.CharField(max_length=40), default=list, help_text="change classes")
    risk = models.CharField(max_length=10, default=Risk.HIGH.value)
    required_approvals = models.PositiveSmallIntegerField(default=1)
    times = models.PositiveIntegerField(default=1, db_default=1)
    reopens = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reopened_as", help_text="a rejected one"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["definition"], condition=Q(state="waiting"), name="review_one_waiting_per_definition"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", closed_at__isnull=True)
                | (~Q(state="waiting") & Q(closed_at__isnull=False)),
                name="review_closed_paired",
            ),
            models.CheckConstraint(condition=Q(required_approvals__in=[1, 2]), name="review_approvals_one_or_two"),
            one_of("state", ReviewState, "review_state_known"),
            one_of("risk", Risk, "review_risk_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["version", "state"], name="review_by_version")]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def assignee(self) -> "Person | None":
        """Who looks at it. Of a review that was read for a list or page."""
        triage = getattr(self, "triage", None)
        return triage.assignee if triage else None

    @property
    def snooze(self) -> "Triage | None":
        """What put it off, while it waits and as long as it lasts."""
        triage = getattr(self, "triage", None)
        waits = self.state == ReviewState.WAITING.value
        return triage if triage and waits and triage.is_snoozed(timezone.now()) else None

    @property
    def due_at(self) -> datetime:
        """Until when it should be decided."""
        return due_at(self.risk, self.opened_at, settings.REVIEW_DUE_HOURS)

    @property
    def is_overdue(self) -> bool:
        """Whether it waits for longer than it should."""
        return self.state == ReviewState.WAITING.value and self.due_at <= timezone.now()

    @property
    def marked_findings(self) -> "list[Finding]":
        """What was found in its version, each `since_approval`: `new`, `was_there`, or None where nothing was approved.

        Of a review that was read for a list or page.
        """
        found = list(self.version.findings.all())
        for finding in found:
            finding.since_approval = self.base and _since(finding, self.base.accepted)  # type: ignore[attr-defined]  # both are for showing
        return found


def _since(finding: Finding, accepted: "list[Finding]") -> str:
    return "was_there" if is_known(finding, accepted) else "new"


class ReviewDecision(models.Model):
    """What one person, or one revision of a written policy, decided about exactly one digest, and why. Append-only."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="decisions")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    policy = models.ForeignKey(
        "tools.PolicyRevision", null=True, blank=True, on_delete=models.PROTECT, related_name="decisions"
    )
    verdict = models.CharField(max_length=10)
    digest = models.CharField(max_length=DIGEST_LENGTH)
    reason = models.CharField(max_length=2000)
    approve_until = models.DateTimeField(null=True, blank=True)
    time = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "person"], name="decision_once_per_person"),
            models.CheckConstraint(
                condition=Q(person__isnull=False, policy__isnull=True)
                | Q(person__isnull=True, policy__isnull=False, verdict="approve"),
                name="decision_by_person_or_policy",
            ),
            said("reason", "decision_reason_given"),
            models.CheckConstraint(
                condition=Q(approve_until__isnull=True) | Q(verdict="approve"), name="decision_until_only_approved"
            ),
            one_of("verdict", Verdict, "decision_verdict_known"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.digest}"


class Resemblance(models.Model):
    """A known definition that the version of a review is like, in percent. Append-only."""

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="resemblances")
    known = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="+")
    likeness = models.PositiveSmallIntegerField()
    name = models.PositiveSmallIntegerField()
    wording = models.PositiveSmallIntegerField()
    schema = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("-likeness", "id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "known"], name="resemblance_unique"),
            models.CheckConstraint(
                condition=Q(likeness__lte=100, name__lte=100, wording__lte=100, schema__lte=100),
                name="resemblance_in_percent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.likeness} %"
