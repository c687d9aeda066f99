"""Records, their places and their writers. Text copies, no foreign keys: a record outlives what it is about.

`audit_record` and `audit_leaf` are partitioned by shard and append-only by trigger; their SQL is in the first
migration, because the ORM cannot write it. Say tamper-evident, never immutable.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

from audit.events import RecordType
from audit.querysets import LeafQuerySet, RecordQuerySet

_DECISIONS = ("", "allowed", "denied")
_ONCE = ~models.Q(event="call.completed")  # one record of a call, and all that is none
_NO_CALL = ~models.Q(event="call.intended") & _ONCE


class Record(models.Model):
    """One recorded fact. `body` holds the canonical bytes that count; the other columns are for searching.

    `shard` is YYYYMM. `writer` and `seq` are set for records of a gateway process only, and so is `chain`
    (see `audit.proof.chain`). `mac` is null in records of releases that made none.
    """

    pk = models.CompositePrimaryKey("shard", "id")
    shard = models.IntegerField()
    id = models.UUIDField()
    time = models.DateTimeField()
    type = models.TextField()
    event = models.TextField()
    writer = models.UUIDField(null=True)
    seq = models.BigIntegerField(null=True)
    chain = models.BinaryField(null=True)
    mac = models.BinaryField(null=True)
    call_id = models.UUIDField(null=True)
    parent_call_id = models.UUIDField(null=True)
    batch_id = models.UUIDField(null=True)
    principal = models.TextField(default="")
    actor = models.TextField(default="")
    agent = models.TextField(default="")
    token_id = models.TextField(default="")
    server = models.TextField(default="")
    method = models.TextField(default="")
    kind = models.TextField(default="")
    tool = models.TextField(default="")
    tool_hash = models.TextField(default="")
    subject = models.TextField(default="")
    owner_team = models.TextField(default="")
    environment = models.TextField(default="")
    decision = models.TextField(default="")
    reason = models.TextField(default="")
    rule_ids = ArrayField(models.TextField(), default=list)
    policy_digest = models.TextField(default="")
    scopes_used = ArrayField(models.TextField(), default=list)
    upstream_credential = models.TextField(default="")
    args_commit = models.BinaryField(null=True)
    result_commit = models.BinaryField(null=True)
    intention = models.TextField(default="")
    status = models.TextField(default="")
    error_class = models.TextField(default="")
    latency_ms = models.IntegerField(null=True)
    bytes = models.BigIntegerField(null=True)
    client_ip = models.TextField(default="")
    trace_id = models.TextField(default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    body = models.BinaryField()

    objects = RecordQuerySet.as_manager()

    class Meta:
        db_table = "audit_record"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(type__in=[item.value for item in RecordType]), name="audit_record_type_known"
            ),
            models.CheckConstraint(condition=models.Q(decision__in=_DECISIONS), name="audit_record_decision_known"),
            models.CheckConstraint(
                condition=models.Q(writer__isnull=True, seq__isnull=True) | models.Q(writer__isnull=False, seq__gt=0),
                name="audit_record_writer_and_seq",
            ),
            models.UniqueConstraint(fields=["shard", "writer", "seq"], name="audit_record_one_per_seq"),
        ]
        # Each ends in the list's own order, so that a page of a filtered list reads no more than the page.
        indexes = [
            models.Index(fields=["call_id"], name="audit_record_call"),
            models.Index(fields=["principal", "shard", "id"], name="audit_record_principal"),
            models.Index(fields=["agent", "shard", "id"], name="audit_record_agent"),
            models.Index(fields=["server", "tool", "shard", "id"], name="audit_record_tool"),
            models.Index(fields=["type", "shard", "id"], name="audit_record_type"),
            # A reader who sees one small team's records would else read everybody's.
            models.Index(
                fields=["owner_team", "shard", "id"], condition=~models.Q(owner_team=""), name="audit_record_team"
            ),
            # Every index costs every call, so the others hold what is rare: of a call's two records they take the
            # first, where it has a trace or an intention.
            models.Index(fields=["shard", "id"], condition=models.Q(decision="denied"), name="audit_record_denied"),
            models.Index(fields=["reason", "shard", "id"], condition=~models.Q(reason=""), name="audit_record_reason"),
            models.Index(fields=["event", "shard", "id"], condition=_NO_CALL, name="audit_record_event"),
            models.Index(fields=["trace_id"], condition=~models.Q(trace_id="") & _ONCE, name="audit_record_trace"),
            GinIndex(
                SearchVector("intention", config="simple"),
                condition=~models.Q(intention=""),
                name="audit_record_intention",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"


class Leaf(models.Model):
    """The place of a record in the log: `index` is global and gapless, `hash` the RFC 6962 leaf hash of the body."""

    pk = models.CompositePrimaryKey("shard", "index")
    shard = models.IntegerField()
    index = models.BigIntegerField()
    record_id = models.UUIDField()
    writer = models.UUIDField(null=True)
    seq = models.BigIntegerField(null=True)
    hash = models.BinaryField()

    objects = LeafQuerySet.as_manager()

    class Meta:
        db_table = "audit_leaf"
        constraints = [
            models.CheckConstraint(condition=models.Q(index__gte=0), name="audit_leaf_index_positive"),
            models.UniqueConstraint(fields=["shard", "record_id"], name="audit_leaf_one_per_record"),
        ]
        indexes = [
            models.Index(fields=["index"], name="audit_leaf_index"),
            models.Index(fields=["writer", "seq"], name="audit_leaf_writer"),
        ]

    def __str__(self) -> str:
        return f"leaf {self.index}"


class Pending(models.Model):
    """A record that waits for its place. A trigger writes these rows; one leaves only when its leaf exists."""

    shard = models.IntegerField()
    record_id = models.UUIDField()
    writer = models.UUIDField(null=True)
    seq = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audit_pending"

    def __str__(self) -> str:
        return f"pending {self.record_id}"


class Writer(models.Model):
    """One gateway process's gapless sequence within one shard. Append-only.

    `boot` is that of the connection it registered through, by the column's default; null in those of releases that
    knew none.
    """

    id = models.UUIDField(primary_key=True)
    shard = models.IntegerField()
    host = models.TextField()
    process = models.TextField()
    started_at = models.DateTimeField()
    key_id = models.TextField(default="")
    boot = models.UUIDField(null=True)

    class Meta:
        db_table = "audit_writer"
        indexes = [models.Index(fields=["boot"], name="audit_writer_boot")]

    def __str__(self) -> str:
        return f"{self.host} {self.process}"
