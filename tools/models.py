"""Definitions, versions, reviews, decisions, pins, findings. Invariants are constraints of the database.

What a constraint cannot say stands in triggers (`migrations/0002_triggers.py`) that the application's role
cannot disable: versions and decisions never change, a review is only ever closed, and a pin needs as many
approvals of exactly its digest as its server asks for, by people who may give them.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone

from core.ids import new_id
from servers.surface import Kind
from tools.classify import Risk
from tools.fingerprint import DIGEST_PATTERN, PROJECTION
from tools.querysets import DefinitionQuerySet, PinQuerySet, ReviewQuerySet
from tools.rules import NAME_MAX_BYTES, PinEnd, ReviewState, Verdict
from tools.scanner.findings import Confidence, Severity

DIGEST_LENGTH = 80


def _one_of(field: str, values: Any, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{field}__in": [str(member.value) for member in values]}), name=name)


class Definition(models.Model):
    """One thing that a server shows a model. Held ⇔ present and its observed digest is not the live pin's."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    server = models.ForeignKey("servers.Server", on_delete=models.PROTECT, related_name="definitions")
    kind = models.CharField(max_length=20)
    name = models.TextField(help_text="a resource's URI, a template's URI template, `card` for the server's card")
    present = models.BooleanField(default=True, help_text="whether the last complete observation listed it")
    observed = models.ForeignKey(
        "tools.DefinitionVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    sensitive = models.BooleanField(default=False, help_text="needs a scope of its own; `:call` is not enough")
    first_seen = models.DateTimeField(default=timezone.now, editable=False)
    last_seen = models.DateTimeField(default=timezone.now, help_text="while present: when it last changed")
    vanished_at = models.DateTimeField(null=True, blank=True)

    objects = DefinitionQuerySet.as_manager()

    class Meta:
        ordering = ("server", "kind", "name")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "kind", "name"], name="definition_unique"),
            models.CheckConstraint(
                condition=Q(present=True, vanished_at__isnull=True) | Q(present=False, vanished_at__isnull=False),
                name="definition_vanished_paired",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Func(F("name"), function="octet_length", output_field=models.IntegerField()), NAME_MAX_BYTES
                ),
                name="definition_name_bounded",
            ),
            _one_of("kind", Kind, "definition_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class DefinitionVersion(models.Model):
    """One observed form of a definition, named by its digest. Immutable.

    `text` is JSON in ASCII (everything else escaped), because PostgreSQL stores no U+0000.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="versions")
    digest = models.CharField(max_length=DIGEST_LENGTH)
    projection = models.CharField(max_length=40, default=PROJECTION)
    text = models.TextField()
    first_seen = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "digest"], name="version_unique"),
            models.CheckConstraint(condition=Q(digest__regex=DIGEST_PATTERN), name="version_digest_well_formed"),
        ]

    def __str__(self) -> str:
        return self.digest


class Review(models.Model):
    """The decision on one held version, compared with `base`, the version that was pinned when it opened."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="reviews")
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="reviews")
    base = models.ForeignKey(DefinitionVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, default=ReviewState.WAITING.value)
    change = ArrayField(models.CharField(max_length=40), default=list, help_text="change classes")
    risk = models.CharField(max_length=10, default=Risk.HIGH.value)
    required_approvals = models.PositiveSmallIntegerField(default=1)
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
            _one_of("state", ReviewState, "review_state_known"),
            _one_of("risk", Risk, "review_risk_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["version", "state"], name="review_by_version")]

    def __str__(self) -> str:
        return str(self.public_id)


class ReviewDecision(models.Model):
    """What one person decided, about exactly one digest, and why. Append-only."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="decisions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10)
    digest = models.CharField(max_length=DIGEST_LENGTH)
    reason = models.CharField(max_length=2000)
    approve_until = models.DateTimeField(null=True, blank=True)
    time = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "person"], name="decision_once_per_person"),
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="decision_reason_given"),
            models.CheckConstraint(
                condition=Q(approve_until__isnull=True) | Q(verdict="approve"), name="decision_until_only_approved"
            ),
            _one_of("verdict", Verdict, "decision_verdict_known"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.digest}"


class Pin(models.Model):
    """The approved version of a definition. At most one is live (`ended_at` empty) and a live one may expire."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="pins")
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="pins")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="pins")
    set_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=20, blank=True, default="")

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
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} {self.version_id}"


class Finding(models.Model):
    """One thing that the scanner found in a version."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="findings")
    rule = models.CharField(max_length=40)
    severity = models.CharField(max_length=10)
    confidence = models.CharField(max_length=10)
    field = models.CharField(max_length=500, blank=True, default="", help_text="JSON pointer into the definition")
    evidence = models.CharField(max_length=500, blank=True, default="", help_text="ASCII, everything else escaped")
    found_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "rule", "field"], name="finding_unique"),
            _one_of("severity", Severity, "finding_severity_known"),
            _one_of("confidence", Confidence, "finding_confidence_known"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.field}"
