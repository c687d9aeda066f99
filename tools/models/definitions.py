"""What servers show: definitions, their versions, what the scanner found in them, and their sketches."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone

from core.ids import new_id
from servers.surface import Kind
from tools.effects import Effect
from tools.fingerprint import DIGEST_PATTERN, PROJECTION
from tools.models.known import DIGEST_LENGTH, one_of
from tools.querysets import DefinitionQuerySet, FindingQuerySet, ServerFindingQuerySet, VersionQuerySet
from tools.querysets.shared import squashed_name
from tools.rules import NAME_MAX_BYTES
from tools.scanner.findings import Confidence, Severity


class Definition(models.Model):
    """One thing that a server shows a model. What agents are served of it is derived (`querysets.served_when`).

    `observed` is what the poller was last shown; empty while a definition changes so often that its new forms are
    no longer kept (`moves` since `moves_since`).
    """

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
    moves = models.PositiveIntegerField(default=0, db_default=0, help_text="how often it changed since `moves_since`")
    moves_since = models.DateTimeField(default=timezone.now, db_default=Now())

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
            one_of("kind", Kind, "definition_kind_known"),
        ]
        indexes: ClassVar = [models.Index(squashed_name(), name="definition_by_squashed_name")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class DefinitionVersion(models.Model):
    """One observed form of a definition, named by its digest. Immutable, but for its text being let go.

    `text` is JSON in ASCII (everything else escaped), because PostgreSQL stores no U+0000. Of what nobody ever decided
    only the newest texts are kept (`let_go_at` says since when one is gone); the digest stays for ever.
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="versions")
    digest = models.CharField(max_length=DIGEST_LENGTH)
    projection = models.CharField(max_length=40, default=PROJECTION)
    text = models.TextField()
    first_seen = models.DateTimeField(default=timezone.now, editable=False)
    let_go_at = models.DateTimeField(null=True, blank=True)
    effect = models.CharField(
        max_length=10,
        blank=True,
        default="",
        db_default="",
        help_text="what a tool says that it does",
    )
    risk_score = models.FloatField(
        null=True, help_text="the most that its scans came to; empty: scanned before scores were kept"
    )
    scanned_by = models.CharField(
        max_length=DIGEST_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text="digest of the rules that read it last",
    )

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "digest"], name="version_unique"),
            models.CheckConstraint(condition=Q(digest__regex=DIGEST_PATTERN), name="version_digest_well_formed"),
            models.CheckConstraint(
                condition=Q(text="", let_go_at__isnull=False) | (~Q(text="") & Q(let_go_at__isnull=True)),
                name="version_text_or_let_go",
            ),
            models.CheckConstraint(condition=Q(risk_score__range=(0, 1)), name="version_risk_score_in_range"),
            models.CheckConstraint(condition=Q(effect__in=["", *Effect]), name="version_effect_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["digest"], name="version_by_digest")]

    def __str__(self) -> str:
        return self.digest


class Sketch(models.Model):
    """A few numbers that two versions of like content share, for finding likely relatives (`tools.likeness`)."""

    version = models.OneToOneField(DefinitionVersion, primary_key=True, on_delete=models.PROTECT, related_name="sketch")
    keys = ArrayField(models.BigIntegerField())

    class Meta:
        indexes: ClassVar = [GinIndex(fields=["keys"], name="sketch_keys")]

    def __str__(self) -> str:
        return f"{self.version_id}"


class ServerFinding(models.Model):
    """One thing that the scanner found in how a server is reached, or in its tools taken together, as it is now."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    server = models.ForeignKey("servers.Server", on_delete=models.PROTECT, related_name="+")
    rule = models.CharField(max_length=40)
    severity = models.CharField(max_length=10)
    confidence = models.CharField(max_length=10)
    field = models.CharField(max_length=500, blank=True, default="", help_text="what it is about, as a JSON pointer")
    evidence = models.CharField(max_length=500, blank=True, default="", help_text="ASCII, everything else escaped")
    found_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ServerFindingQuerySet.as_manager()

    class Meta:
        ordering = ("rule", "field")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "rule", "field"], name="server_finding_unique"),
            one_of("severity", Severity, "server_finding_severity_known"),
            one_of("confidence", Confidence, "server_finding_confidence_known"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.field}"


class Finding(models.Model):
    """One thing that the scanner found in a version."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    version = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="findings")
    rule = models.CharField(max_length=40)
    severity = models.CharField(max_length=10)
    confidence = models.CharField(max_length=10)
    field = models.CharField(max_length=500, blank=True, default="", help_text="JSON pointer into the definition")
    evidence = models.CharField(max_length=500, blank=True, default="", help_text="ASCII, everything else escaped")
    start = models.PositiveIntegerField(default=0, db_default=0, help_text="in characters of the string at `field`")
    end = models.PositiveIntegerField(default=0, db_default=0)
    found_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "rule", "field"], name="finding_unique"),
            one_of("severity", Severity, "finding_severity_known"),
            one_of("confidence", Confidence, "finding_confidence_known"),
            models.CheckConstraint(condition=Q(end__gte=F("start")), name="finding_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.field}"
