"""Pruning the bodies of a month's records, by two people and past the log's retention; the leaves stay.

The function is the owner's and asks for itself. The months are the owner's too: `grant_roles` writes them from
`LOG_RETENTION_MONTHS`, and the application reads them only.
"""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

PRUNE = """
CREATE FUNCTION audit_prune_shard(removal uuid, record_shard integer, record uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    pruned integer;
    months integer;
    age integer;
    bodies bigint;
    places bigint;
    last bigint;
    unread boolean := false;
BEGIN
    SELECT asked.shard INTO pruned
        FROM public.audit_removal AS asked
        JOIN public.audit_removal_confirmation AS agreed ON agreed.removal_id = asked.id
        WHERE asked.id = removal AND agreed.confirmed_by <> asked.requested_by;
    IF pruned IS NULL THEN
        RAISE EXCEPTION 'two people have not agreed to prune this month' USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT kept.months INTO months FROM public.audit_retention AS kept;
    age := (extract(year FROM now() AT TIME ZONE 'UTC')::integer - pruned / 100) * 12
        + extract(month FROM now() AT TIME ZONE 'UTC')::integer - pruned % 100;
    IF coalesce(months, 0) < 1 OR age <= months THEN
        RAISE EXCEPTION 'this month is not past the retention of the log' USING ERRCODE = 'restrict_violation';
    END IF;
    IF to_regclass('public.audit_record_' || pruned) IS NULL THEN
        RAISE EXCEPTION 'there are no bodies of this month' USING ERRCODE = 'restrict_violation';
    END IF;
    EXECUTE format('SELECT count(*) FROM public.%I', 'audit_record_' || pruned) INTO bodies;
    SELECT count(*), max(leaf.index) INTO places, last FROM public.audit_leaf AS leaf WHERE leaf.shard = pruned;
    IF bodies <> places OR EXISTS (SELECT FROM public.audit_pending AS waiting WHERE waiting.shard = pruned) THEN
        RAISE EXCEPTION 'records of this month have no place in the log yet' USING ERRCODE = 'restrict_violation';
    END IF;
    IF to_regclass('public.audit_exportcursor') IS NOT NULL THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM public.audit_exportcursor AS at WHERE at.index < $1)'
            INTO unread USING last;
    END IF;
    IF unread THEN
        RAISE EXCEPTION 'a sink has not read this month to its end' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.audit_record AS said
        WHERE said.shard = record_shard AND said.id = record
            AND said.event = 'log.pruned' AND said.batch_id = removal AND said.subject = 'shard:' || pruned
    ) THEN
        RAISE EXCEPTION 'no record says that this month is pruned' USING ERRCODE = 'restrict_violation';
    END IF;
    EXECUTE format('DROP TABLE public.%I', 'audit_record_' || pruned);
    RETURN bodies;
END $$;
REVOKE ALL ON FUNCTION audit_prune_shard(uuid, integer, uuid) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    """The months that are kept, and the function."""

    dependencies = [("audit", "0006_payloads")]
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="Retention",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("months", models.PositiveIntegerField(default=0)),
            ],
            options={
                "db_table": "audit_retention",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(id=1), name="audit_retention_one"),
                ],
            },
        ),
        migrations.RunSQL(PRUNE, "DROP FUNCTION audit_prune_shard(uuid, integer, uuid)"),
    ]
