"""The audit log's tables.

The record's shape is final: rows cannot be rewritten. `audit_record` and `audit_leaf` are written in SQL because
they are partitioned; `audit.0002` adds what makes them append-only.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

RECORD = """
CREATE TABLE audit_record (
    shard integer NOT NULL,
    id uuid NOT NULL,
    "time" timestamp with time zone NOT NULL,
    type text NOT NULL,
    event text NOT NULL,
    writer uuid,
    seq bigint,
    chain bytea,
    mac bytea,
    call_id uuid,
    parent_call_id uuid,
    batch_id uuid,
    principal text NOT NULL DEFAULT '',
    actor text NOT NULL DEFAULT '',
    agent text NOT NULL DEFAULT '',
    token_id text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    method text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    tool text NOT NULL DEFAULT '',
    tool_hash text NOT NULL DEFAULT '',
    subject text NOT NULL DEFAULT '',
    owner_team text NOT NULL DEFAULT '',
    environment text NOT NULL DEFAULT '',
    decision text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    rule_ids text[] NOT NULL DEFAULT '{}',
    policy_digest text NOT NULL DEFAULT '',
    scopes_used text[] NOT NULL DEFAULT '{}',
    upstream_credential text NOT NULL DEFAULT '',
    args_commit bytea,
    result_commit bytea,
    intention text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT '',
    error_class text NOT NULL DEFAULT '',
    latency_ms integer,
    bytes bigint,
    client_ip text NOT NULL DEFAULT '',
    trace_id text NOT NULL DEFAULT '',
    before jsonb,
    after jsonb,
    body bytea NOT NULL,
    PRIMARY KEY (shard, id),
    CONSTRAINT audit_record_type_known CHECK (
        type IN ('intent', 'outcome', 'deny', 'auth', 'config', 'review', 'admin', 'checkpoint')),
    CONSTRAINT audit_record_decision_known CHECK (decision IN ('', 'allowed', 'denied')),
    CONSTRAINT audit_record_writer_and_seq CHECK (
        (writer IS NULL AND seq IS NULL) OR (writer IS NOT NULL AND seq IS NOT NULL AND seq > 0)),
    CONSTRAINT audit_record_one_per_seq UNIQUE (shard, writer, seq)
) PARTITION BY LIST (shard);
CREATE INDEX audit_record_call ON audit_record (call_id);
CREATE INDEX audit_record_principal ON audit_record (principal, shard, id);
CREATE INDEX audit_record_agent ON audit_record (agent, shard, id);
CREATE INDEX audit_record_tool ON audit_record (server, tool, shard, id);
CREATE INDEX audit_record_type ON audit_record (type, shard, id);
"""

LEAF = """
CREATE TABLE audit_leaf (
    shard integer NOT NULL,
    index bigint NOT NULL,
    record_id uuid NOT NULL,
    writer uuid,
    seq bigint,
    hash bytea NOT NULL,
    PRIMARY KEY (shard, index),
    CONSTRAINT audit_leaf_index_positive CHECK (index >= 0),
    CONSTRAINT audit_leaf_one_per_record UNIQUE (shard, record_id)
) PARTITION BY LIST (shard);
CREATE INDEX audit_leaf_index ON audit_leaf (index);
CREATE INDEX audit_leaf_writer ON audit_leaf (writer, seq);
"""


class Migration(migrations.Migration):
    """First of the audit log."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Pending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("shard", models.IntegerField()),
                ("record_id", models.UUIDField()),
                ("writer", models.UUIDField(null=True)),
                ("seq", models.BigIntegerField(null=True)),
            ],
            options={"db_table": "audit_pending"},
        ),
        migrations.CreateModel(
            name="Writer",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("host", models.TextField()),
                ("process", models.TextField()),
                ("started_at", models.DateTimeField()),
                ("key_id", models.TextField(default="")),
            ],
            options={"db_table": "audit_writer"},
        ),
        migrations.CreateModel(
            name="Subject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pseudonym", models.UUIDField(unique=True)),
                ("public_id", models.UUIDField(null=True, unique=True)),
                ("name", models.TextField()),
            ],
            options={
                "db_table": "audit_subject",
                "indexes": [models.Index(fields=["name"], name="audit_subject_name")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(RECORD, "DROP TABLE audit_record"),
                migrations.RunSQL(LEAF, "DROP TABLE audit_leaf"),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Record",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "shard", "id", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("shard", models.IntegerField()),
                        ("id", models.UUIDField()),
                        ("time", models.DateTimeField()),
                        ("type", models.TextField()),
                        ("event", models.TextField()),
                        ("writer", models.UUIDField(null=True)),
                        ("seq", models.BigIntegerField(null=True)),
                        ("chain", models.BinaryField(null=True)),
                        ("mac", models.BinaryField(null=True)),
                        ("call_id", models.UUIDField(null=True)),
                        ("parent_call_id", models.UUIDField(null=True)),
                        ("batch_id", models.UUIDField(null=True)),
                        ("principal", models.TextField(default="")),
                        ("actor", models.TextField(default="")),
                        ("agent", models.TextField(default="")),
                        ("token_id", models.TextField(default="")),
                        ("server", models.TextField(default="")),
                        ("method", models.TextField(default="")),
                        ("kind", models.TextField(default="")),
                        ("tool", models.TextField(default="")),
                        ("tool_hash", models.TextField(default="")),
                        ("subject", models.TextField(default="")),
                        ("owner_team", models.TextField(default="")),
                        ("environment", models.TextField(default="")),
                        ("decision", models.TextField(default="")),
                        ("reason", models.TextField(default="")),
                        (
                            "rule_ids",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("policy_digest", models.TextField(default="")),
                        (
                            "scopes_used",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("upstream_credential", models.TextField(default="")),
                        ("args_commit", models.BinaryField(null=True)),
                        ("result_commit", models.BinaryField(null=True)),
                        ("intention", models.TextField(default="")),
                        ("status", models.TextField(default="")),
                        ("error_class", models.TextField(default="")),
                        ("latency_ms", models.IntegerField(null=True)),
                        ("bytes", models.BigIntegerField(null=True)),
                        ("client_ip", models.TextField(default="")),
                        ("trace_id", models.TextField(default="")),
                        ("before", models.JSONField(null=True)),
                        ("after", models.JSONField(null=True)),
                        ("body", models.BinaryField()),
                    ],
                    options={
                        "db_table": "audit_record",
                        "indexes": [
                            models.Index(fields=["call_id"], name="audit_record_call"),
                            models.Index(fields=["principal", "shard", "id"], name="audit_record_principal"),
                            models.Index(fields=["agent", "shard", "id"], name="audit_record_agent"),
                            models.Index(fields=["server", "tool", "shard", "id"], name="audit_record_tool"),
                            models.Index(fields=["type", "shard", "id"], name="audit_record_type"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "type__in",
                                        [
                                            "intent",
                                            "outcome",
                                            "deny",
                                            "auth",
                                            "config",
                                            "review",
                                            "admin",
                                            "checkpoint",
                                        ],
                                    )
                                ),
                                name="audit_record_type_known",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("decision__in", ("", "allowed", "denied"))),
                                name="audit_record_decision_known",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("seq__isnull", True), ("writer__isnull", True)),
                                    models.Q(("seq__gt", 0), ("writer__isnull", False)),
                                    _connector="OR",
                                ),
                                name="audit_record_writer_and_seq",
                            ),
                            models.UniqueConstraint(fields=("shard", "writer", "seq"), name="audit_record_one_per_seq"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Leaf",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "shard", "index", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("shard", models.IntegerField()),
                        ("index", models.BigIntegerField()),
                        ("record_id", models.UUIDField()),
                        ("writer", models.UUIDField(null=True)),
                        ("seq", models.BigIntegerField(null=True)),
                        ("hash", models.BinaryField()),
                    ],
                    options={
                        "db_table": "audit_leaf",
                        "indexes": [
                            models.Index(fields=["index"], name="audit_leaf_index"),
                            models.Index(fields=["writer", "seq"], name="audit_leaf_writer"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("index__gte", 0)), name="audit_leaf_index_positive"
                            ),
                            models.UniqueConstraint(fields=("shard", "record_id"), name="audit_leaf_one_per_record"),
                        ],
                    },
                ),
            ],
        ),
    ]
