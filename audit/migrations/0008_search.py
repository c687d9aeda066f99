"""Indexes of the search, built beside writers, and saved searches.

`CREATE INDEX CONCURRENTLY` does not work on a partitioned table. So the parent's index is made alone, each shard's
beside its writers, then attached; a shard made meanwhile copies the parent's. It may be run again after an interruption.
"""

import time
from typing import Any, ClassVar

import django.utils.timezone
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import OperationalError, migrations, models
from django.db.migrations.operations.base import Operation

import core.ids

_ONCE = "event <> 'call.completed'"
INDEXES = {
    "team": "(owner_team, shard, id) WHERE owner_team <> ''",
    "denied": "(shard, id) WHERE decision = 'denied'",
    "reason": "(reason, shard, id) WHERE reason <> ''",
    "event": f"(event, shard, id) WHERE event <> 'call.intended' AND {_ONCE}",
    "trace": f"(trace_id) WHERE trace_id <> '' AND {_ONCE}",
    "intention": "USING gin (to_tsvector('simple'::regconfig, COALESCE(intention, ''))) WHERE intention <> ''",
}
# Shards without a valid index of ours, and what an interrupted run left of it.
MISSING = """
SELECT shard.relname, broken.relname
FROM pg_inherits JOIN pg_class AS shard ON shard.oid = pg_inherits.inhrelid
LEFT JOIN pg_class AS broken ON broken.relname = shard.relname || %(suffix)s
    AND broken.relnamespace = shard.relnamespace
    AND EXISTS (SELECT FROM pg_index WHERE indexrelid = broken.oid AND NOT indisvalid)
WHERE pg_inherits.inhparent = 'public.audit_record'::regclass AND NOT EXISTS (
    SELECT FROM pg_index JOIN pg_inherits AS attached ON attached.inhrelid = pg_index.indexrelid
    WHERE pg_index.indrelid = shard.oid AND attached.inhparent = %(index)s::regclass)
ORDER BY shard.relname
"""
_TRIES = 20


def build(_apps: Any, editor: Any) -> None:
    """Build every index that is not there yet."""
    with editor.connection.cursor() as cursor:
        for name, definition in INDEXES.items():
            index = f"audit_record_{name}"
            briefly(cursor, f"CREATE INDEX IF NOT EXISTS {index} ON ONLY audit_record {definition}")
            cursor.execute(MISSING, {"suffix": f"_{name}", "index": index})
            for shard, broken in cursor.fetchall():
                if broken:
                    cursor.execute(f"DROP INDEX CONCURRENTLY {broken}")
                cursor.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {shard}_{name} ON {shard} {definition}")
                briefly(cursor, f"ALTER INDEX {index} ATTACH PARTITION {shard}_{name}")


def drop(_apps: Any, editor: Any) -> None:
    """Drop them."""
    with editor.connection.cursor() as cursor:
        for name in INDEXES:
            briefly(cursor, f"DROP INDEX IF EXISTS audit_record_{name}")


def briefly(cursor: Any, statement: str) -> None:
    """Run what takes a lock that writers have to wait for: in a second, or later."""
    for left in reversed(range(_TRIES)):
        try:
            cursor.execute("SET lock_timeout = '1s'")
            cursor.execute(statement)
        except OperationalError:
            if not left:
                raise
            time.sleep(0.5)
        else:
            return
        finally:
            cursor.execute("SET lock_timeout = 0")


def _but(*events: str) -> models.Q:
    condition = models.Q()
    for event in events:
        condition &= ~models.Q(event=event)
    return condition


class Migration(migrations.Migration):
    """Six indexes, most of few rows, and a table whose rows may change."""

    atomic = False
    dependencies = [("audit", "0007_pruning")]
    operations: ClassVar[list[Operation]] = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(build, drop)],
            state_operations=[
                migrations.AddIndex(
                    "record",
                    models.Index(
                        fields=["owner_team", "shard", "id"],
                        condition=~models.Q(owner_team=""),
                        name="audit_record_team",
                    ),
                ),
                migrations.AddIndex(
                    "record",
                    models.Index(
                        fields=["shard", "id"], condition=models.Q(("decision", "denied")), name="audit_record_denied"
                    ),
                ),
                migrations.AddIndex(
                    "record",
                    models.Index(
                        fields=["reason", "shard", "id"], condition=~models.Q(reason=""), name="audit_record_reason"
                    ),
                ),
                migrations.AddIndex(
                    "record",
                    models.Index(
                        fields=["event", "shard", "id"],
                        condition=_but("call.intended", "call.completed"),
                        name="audit_record_event",
                    ),
                ),
                migrations.AddIndex(
                    "record",
                    models.Index(
                        fields=["trace_id"],
                        condition=~models.Q(trace_id="") & _but("call.completed"),
                        name="audit_record_trace",
                    ),
                ),
                migrations.AddIndex(
                    "record",
                    GinIndex(
                        SearchVector("intention", config="simple"),
                        condition=~models.Q(intention=""),
                        name="audit_record_intention",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SavedSearch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("owner", models.TextField()),
                ("name", models.TextField()),
                ("query", models.JSONField()),
                ("shared", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "audit_savedsearch",
                "indexes": [
                    models.Index(
                        condition=models.Q(("shared", True)), fields=["shared"], name="audit_savedsearch_shared"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "name"), name="audit_savedsearch_one_per_name"),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", "^.{1,100}$")), name="audit_savedsearch_name_short"
                    ),
                ],
            },
        ),
    ]
