"""Boots of gateway processes: whose calls are over without an end on record is found by the lock that nobody holds.

The lock is shared, because a process that lost its connection takes it again while the server still holds on to the
old one; whoever takes the boot for dead takes it exclusively. A writer belongs to the boot that its connection holds,
and those of the release before to none.
"""

from typing import ClassVar

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

# Every gateway writes to the table of writers: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"
FUNCTIONS = """
CREATE FUNCTION audit_boot_key(boot uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('audit boot ' || boot::text, 0)
$$;

CREATE FUNCTION audit_begin_boot(boot uuid, host text, process text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_lock_shared(public.audit_boot_key(boot));
    INSERT INTO public.audit_boot (id, host, process, started_at, open_calls)
        VALUES (boot, host, process, now(), '{}') ON CONFLICT (id) DO NOTHING;
    IF EXISTS (SELECT FROM public.audit_boot AS found WHERE found.id = boot AND found.ended_at IS NOT NULL) THEN
        RAISE EXCEPTION 'boot % was taken for dead', boot USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM set_config('holdfast.boot', boot::text, false);
END $$;

ALTER TABLE audit_writer ALTER COLUMN boot SET DEFAULT nullif(current_setting('holdfast.boot', true), '')::uuid;
"""
BACKWARD = """
DROP FUNCTION audit_begin_boot(uuid, text, text);
DROP FUNCTION audit_boot_key(uuid);
ALTER TABLE audit_writer ALTER COLUMN boot DROP DEFAULT;
"""


class Migration(migrations.Migration):
    """A table, a column, two functions."""

    dependencies = [("audit", "0009_sinks")]
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Boot",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("host", models.TextField()),
                ("process", models.TextField()),
                ("started_at", models.DateTimeField()),
                ("beat_at", models.DateTimeField(null=True)),
                ("mark", models.UUIDField(null=True)),
                (
                    "open_calls",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
                ),
                ("missed_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("reconciled_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "audit_boot",
                "indexes": [
                    models.Index(
                        condition=models.Q(("reconciled_at__isnull", True)),
                        fields=["started_at"],
                        name="audit_boot_unreconciled",
                    )
                ],
            },
        ),
        migrations.AddField(model_name="writer", name="boot", field=models.UUIDField(null=True)),
        migrations.AddIndex(model_name="writer", index=models.Index(fields=["boot"], name="audit_writer_boot")),
        migrations.RunSQL(FUNCTIONS, LOCKS + BACKWARD),
    ]
