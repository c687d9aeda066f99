"""Servers, observations and health. Invariants are constraints of the database."""

from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from access.intentions import NOT_NEEDED, IntentionNeeded
from core.histogram import SIZE
from core.ids import new_id
from core.names import SLUG_MAX
from servers.limits import BOUNDS, DEFAULTS, LIMITS, MEANINGS, WITHIN_TOTAL, CallLimits
from servers.querysets import ObservationQuerySet, ServerQuerySet
from servers.rules import Answers, DriftMode, Environment, Era, ServerState, Transport
from servers.tags import TAG_MAX, TAGS_MAX


def _known(field: str, values: type[StrEnum]) -> models.CheckConstraint:
    accepted = [member.value for member in values]
    return models.CheckConstraint(condition=Q(**{f"{field}__in": accepted}), name=f"server_{field}_known")


def _limit(name: str) -> "models.PositiveIntegerField[int, int]":
    # The default is the database's too: the release before inserts without these columns.
    value = getattr(DEFAULTS, name)
    return models.PositiveIntegerField(default=value, db_default=value, help_text=MEANINGS[name])


def _bounded(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{name}__range": BOUNDS[name]}), name=f"server_{name}_bounded")


def _tags(template: str) -> models.Func:
    return models.Func(F("tags"), template=template, output_field=models.BooleanField())


class Server(models.Model):
    """A registered MCP server. Its slug is its namespace: immutable, and never another server's."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    slug = models.CharField(max_length=SLUG_MAX, unique=True)
    name = models.CharField(max_length=200)
    url = models.CharField(max_length=2000, blank=True, default="")
    endpoint_key = models.CharField(
        max_length=2000,
        blank=True,
        default="",
        db_default="",
        help_text="the URL in a form that spelling does not change",
    )
    template = models.CharField(max_length=200, blank=True, default="")
    transport = models.CharField(max_length=20, default=Transport.STREAMABLE_HTTP.value)
    environment = models.CharField(max_length=20)
    state = models.CharField(max_length=20, default=ServerState.REGISTERED.value)
    owner_team = models.ForeignKey("access.Team", null=True, blank=True, on_delete=models.PROTECT)
    required_approvals = models.PositiveSmallIntegerField(default=1)
    capture = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="what is kept of calls (`audit.redaction`); empty: nothing"
    )
    drift_mode = models.CharField(max_length=20, default=DriftMode.BLOCK.value)
    intention = models.CharField(
        max_length=20, default=NOT_NEEDED, db_default=NOT_NEEDED, help_text="which calls must say why"
    )
    answers = models.CharField(
        max_length=20,
        default=Answers.RECORD.value,
        db_default=Answers.RECORD.value,
        help_text="what becomes of an answer in which something speaks to the model",
    )
    tags = ArrayField(
        models.TextField(),
        default=list,
        db_default=[],
        blank=True,
        help_text="words to find it by; nothing decides by them",
    )
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    endpoint_changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    environment_changed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="no change policy follows approvals from before it"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    registered_at = models.DateTimeField(
        default=timezone.now,
        db_default=Now(),
        editable=False,
        help_text="or revived; decisions of before have ended",
    )

    # What it may take of a gateway (`servers.limits`).
    connect_seconds = _limit("connect_seconds")
    first_byte_seconds = _limit("first_byte_seconds")
    idle_seconds = _limit("idle_seconds")
    total_seconds = _limit("total_seconds")
    stream_seconds = _limit("stream_seconds")
    answer_bytes = _limit("answer_bytes")
    concurrent_calls = _limit("concurrent_calls")
    concurrent_streams = _limit("concurrent_streams")

    # What the last polls found.
    protocol_era = models.CharField(max_length=20, blank=True, default=Era.UNKNOWN.value)
    protocol_version = models.CharField(max_length=20, blank=True, default="")
    reachable = models.BooleanField(null=True, default=None)
    last_polled_at = models.DateTimeField(null=True, blank=True)
    last_complete_at = models.DateTimeField(
        null=True, blank=True, help_text="the last complete look, by which approvals stand"
    )
    last_error_class = models.CharField(max_length=40, blank=True, default="")
    last_error = models.CharField(max_length=500, blank=True, default="")

    # Scheduling: a lease makes a doubled or lost task message harmless.
    poll_interval = models.PositiveIntegerField(default=300, help_text="seconds between polls")
    failures = models.PositiveSmallIntegerField(default=0, help_text="incomplete observations in a row")
    next_poll_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)

    objects = ServerQuerySet.as_manager()

    class Meta:
        ordering = ("slug",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(url="") & ~Q(template="")) | (~Q(url="") & Q(template="")),
                name="server_url_or_template",
            ),
            models.CheckConstraint(
                condition=Q(slug__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"), name="server_slug_well_formed"
            ),
            models.CheckConstraint(condition=Q(required_approvals__in=[1, 2]), name="server_approvals_one_or_two"),
            models.CheckConstraint(condition=Q(poll_interval__range=(5, 86_400)), name="server_poll_interval_bounded"),
            models.CheckConstraint(
                condition=Q(lease_until__isnull=True, lease_token__isnull=True)
                | Q(lease_until__isnull=False, lease_token__isnull=False),
                name="server_lease_paired",
            ),
            _known("state", ServerState),
            _known("environment", Environment),
            _known("transport", Transport),
            _known("drift_mode", DriftMode),
            _known("intention", IntentionNeeded),
            _known("answers", Answers),
            _known("protocol_era", Era),
            *(_bounded(name) for name in LIMITS),
            models.CheckConstraint(
                condition=Q(**{f"{name}__lte": F("total_seconds") for name in WITHIN_TOTAL}),
                name="server_waits_within_total",
            ),
            # Joined and taken apart again they are the same: none is null, empty or holds a space.
            models.CheckConstraint(
                condition=_tags(
                    f"cardinality(%(expressions)s) <= {TAGS_MAX}"
                    " AND string_to_array(array_to_string(%(expressions)s, ' '), ' ') = %(expressions)s"
                    f" AND array_to_string(%(expressions)s, ' ') ~ '^([a-z0-9_:.-]{{1,{TAG_MAX}}}( |$))*$'"
                ),
                name="server_tags_well_formed",
            ),
            # The words of a text vector are in order, each once.
            models.CheckConstraint(
                condition=_tags("tsvector_to_array(array_to_tsvector(%(expressions)s)) = %(expressions)s"),
                name="server_tags_sorted",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                F("next_poll_at"),
                name="server_due",
                condition=Q(state__in=["registered", "active", "needs_credentials"]),
            ),
            models.Index(fields=["endpoint_key"], name="server_by_endpoint"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def limits(self) -> CallLimits:
        """What it may take of each gateway process."""
        return CallLimits(**{name: getattr(self, name) for name in LIMITS})


class Observation(models.Model):
    """One look at a server's surface from one vantage; `items` lists `[kind, name, digest]`.

    The same complete surface again is the same row, seen once more (`times`, first at `since`, last at `time`).
    """

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="observations")
    vantage = models.CharField(max_length=100)
    time = models.DateTimeField(default=timezone.now)
    since = models.DateTimeField(default=timezone.now, db_default=Now())
    times = models.PositiveIntegerField(default=1, db_default=1)
    complete = models.BooleanField()
    error_class = models.CharField(max_length=40, blank=True, default="")
    error = models.CharField(max_length=500, blank=True, default="")
    surface_digest = models.CharField(max_length=80, blank=True, default="")
    items = models.JSONField(default=list)
    protocol_version = models.CharField(max_length=20, blank=True, default="")
    duration_ms = models.PositiveIntegerField(default=0)

    objects = ObservationQuerySet.as_manager()

    class Meta:
        ordering = ("-time",)
        indexes: ClassVar = [
            models.Index(fields=["server", "-time"], name="observation_by_server"),
            models.Index(fields=["server", "vantage", "surface_digest"], name="observation_by_surface"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(complete=True, error_class="") | (Q(complete=False) & ~Q(error_class="")),
                name="observation_incomplete_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server_id} {self.vantage} {self.time:%Y-%m-%d %H:%M:%S}"


class HealthSample(models.Model):
    """Whether a server answered, and how fast."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="health_samples")
    time = models.DateTimeField(default=timezone.now)
    ok = models.BooleanField()
    latency_ms = models.PositiveIntegerField(default=0)
    error_class = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        ordering = ("-time",)
        indexes: ClassVar = [models.Index(fields=["server", "-time"], name="health_by_server")]

    def __str__(self) -> str:
        return f"{self.server_id} {'ok' if self.ok else self.error_class}"


class _Day(models.Model):
    """One day (UTC) of a server, as counts (`core.histogram`): pages read ninety rows where there are a million."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    took = ArrayField(models.IntegerField(), size=SIZE, help_text="how many took about so long")

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "day"], name="%(class)s_one_a_day"),
            models.CheckConstraint(
                condition=models.Func(
                    F("took"),
                    template=f"cardinality(%(expressions)s) = {SIZE} AND array_position(%(expressions)s, NULL) IS NULL"
                    " AND 0 <= ALL (%(expressions)s)",
                    output_field=models.BooleanField(),
                ),
                name="%(class)s_counts_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server_id} {self.day}"


class HealthDay(_Day):
    """The looks of a day: how long the complete ones took, and how many were not complete."""

    failed = models.PositiveIntegerField()


class CallDay(_Day):
    """The calls of a day that were answered, counted from the audit log."""
