"""Where records are sent, and how far they are. Both tables may change: they say nothing of what happened."""

from django.db import models
from django.utils import timezone

from audit.formats.kinds import SinkKind, SinkState
from audit.formats.writing import Format
from audit.sink_querysets import ExportCursorQuerySet, SinkQuerySet
from core.ids import new_id


class Sink(models.Model):
    """A receiver of all records. `secret` is sealed: it signs a webhook's requests, or is what OTLP's carry."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.TextField(unique=True)
    kind = models.TextField()
    format = models.TextField()
    endpoint = models.TextField()
    secret = models.BinaryField(null=True)
    state = models.TextField(default=SinkState.ACTIVE.value)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SinkQuerySet.as_manager()

    class Meta:
        db_table = "audit_sink"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in SinkKind]), name="audit_sink_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(format__in=[form.value for form in Format]), name="audit_sink_format_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in SinkState]), name="audit_sink_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExportCursor(models.Model):
    """How far a sink is: `index` is the last place that its receiver has; -1 is none. A trigger lets it go up only.

    `chain` is where its chain of OCSF events stands. Who holds the lease sends, and nobody else moves the cursor.
    """

    sink = models.OneToOneField(Sink, on_delete=models.CASCADE, primary_key=True, related_name="cursor")
    index = models.BigIntegerField(default=-1)
    chain = models.JSONField(null=True)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    failures = models.IntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    last_error = models.TextField(default="")
    last_sent_at = models.DateTimeField(null=True)

    objects = ExportCursorQuerySet.as_manager()

    class Meta:
        db_table = "audit_exportcursor"
        constraints = [
            models.CheckConstraint(condition=models.Q(index__gte=-1), name="audit_exportcursor_index_known"),
            models.CheckConstraint(
                condition=models.Q(lease_until__isnull=True, lease_token__isnull=True)
                | models.Q(lease_until__isnull=False, lease_token__isnull=False),
                name="audit_exportcursor_lease_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sink_id} at {self.index}"
