"""What the planner has to know of words in intentions: of an index of some rows alone it takes no figures.

Statistics cost a record nothing, and `CREATE STATISTICS` and `ANALYZE` go on beside writers. A shard made later copies
the parent's. It may be run again after an interruption.
"""

from typing import Any, ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

SAID = "(to_tsvector('simple'::regconfig, COALESCE(intention, '')))"
_SHARDS = """
SELECT inhrelid::regclass::text, EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = inhrelid)
FROM pg_inherits WHERE inhparent = 'public.audit_record'::regclass ORDER BY 1
"""
_OURS = """
SELECT stxname FROM pg_statistic_ext WHERE stxrelid = 'public.audit_record'::regclass OR stxrelid IN (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.audit_record'::regclass)
"""


def gather(_apps: Any, editor: Any) -> None:
    """Have them gathered from now on, and now."""
    with editor.connection.cursor() as cursor:
        # The parent's first: what is made meanwhile copies it.
        cursor.execute(f"CREATE STATISTICS IF NOT EXISTS audit_record_said ON {SAID} FROM audit_record")
        cursor.execute(_SHARDS)
        for shard, has_them in cursor.fetchall():
            if not has_them:
                cursor.execute(f"CREATE STATISTICS IF NOT EXISTS {shard}_said ON {SAID} FROM {shard}")
            cursor.execute(f"ANALYZE {shard}")


def drop(_apps: Any, editor: Any) -> None:
    """Drop them, those too that were copied and have a name of PostgreSQL's."""
    with editor.connection.cursor() as cursor:
        cursor.execute(_OURS)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP STATISTICS {name}")


class Migration(migrations.Migration):
    """Statistics of each shard."""

    atomic = False
    dependencies = [("audit", "0010_boots")]
    operations: ClassVar[list[Operation]] = [migrations.RunPython(gather, drop)]
