"""Triggers that keep the audit log append-only, the queue of unplaced records, and the shards.

Row triggers on a partitioned table are cloned to its partitions; statement triggers are not, so every partition gets
its own. `ENABLE ALWAYS` keeps them firing under `session_replication_role = replica`. A superuser can still switch
them off: prevention ends there, detection does not.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % of % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_record FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_leaf FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_writer FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_record FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_writer FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE audit_leaf ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE audit_writer ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
"""

# Whoever inserts a record, by whatever statement, queues it for placement; the queue's order is the writer's order.
QUEUE = """
CREATE FUNCTION audit_queue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_pending (shard, record_id, writer, seq)
        SELECT shard, id, writer, seq FROM added ORDER BY writer, seq, id;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_queue AFTER INSERT ON audit_record REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_queue();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_queue;

-- The application's role may not delete from the queue: only what has its place leaves it.
CREATE FUNCTION audit_settle(settled bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE removed integer;
BEGIN
    DELETE FROM public.audit_pending AS waiting
        WHERE waiting.id = ANY (settled) AND EXISTS (
            SELECT FROM public.audit_leaf AS leaf
            WHERE leaf.shard = waiting.shard AND leaf.record_id = waiting.record_id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION audit_settle(bigint[]) FROM PUBLIC;
"""

# ATTACH takes a weaker lock on the parent than CREATE ... PARTITION OF: reading and writing go on meanwhile.
SHARDS = """
CREATE FUNCTION audit_create_shard(shard integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    child text;
    months integer;
BEGIN
    IF to_regclass('public.audit_leaf_' || shard) IS NOT NULL THEN
        RETURN false;
    END IF;
    months := (shard / 100 - extract(year FROM now() AT TIME ZONE 'UTC')::integer) * 12
        + shard % 100 - extract(month FROM now() AT TIME ZONE 'UTC')::integer;
    IF shard % 100 NOT BETWEEN 1 AND 12 OR months NOT BETWEEN -1 AND 12 THEN
        RAISE EXCEPTION 'no audit shard % may be made now', shard USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(79646562910209);
    IF to_regclass('public.audit_leaf_' || shard) IS NOT NULL THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['audit_record', 'audit_leaf'] LOOP
        child := parent || '_' || shard;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', child, parent);
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%s)', parent, child, shard);
        EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON public.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse()', child);
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER audit_no_change, '
            'ENABLE ALWAYS TRIGGER audit_no_truncate', child);
    END LOOP;
    child := 'audit_record_' || shard;
    EXECUTE format('CREATE TRIGGER audit_queue AFTER INSERT ON public.%I REFERENCING NEW TABLE AS added '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.audit_queue()', child);
    EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER audit_queue', child);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION audit_create_shard(integer) FROM PUBLIC;

SELECT audit_create_shard(extract(year FROM month)::integer * 100 + extract(month FROM month)::integer)
    FROM generate_series(0, 2) AS ahead,
         LATERAL (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month') AS later (month);
"""

FORWARD = (REFUSE, QUEUE, SHARDS)
BACKWARD = """
DROP FUNCTION audit_create_shard(integer);
DROP FUNCTION audit_settle(bigint[]);
DROP FUNCTION audit_queue() CASCADE;
DROP FUNCTION audit_refuse() CASCADE;
"""


class Migration(migrations.Migration):
    """Append-only by trigger; shards for this month and the next two."""

    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL([(sql, None) for sql in FORWARD], BACKWARD)]
