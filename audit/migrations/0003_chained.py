"""Records of gateways are placed by their writers' numbers and no longer queued; those of the control plane are.

A queue row cost a gateway's record a third of its time in the database. Beside the release before, whose courier knows
only the queue, gateways' records wait for the sequencer, unlost.
"""

from django.db import migrations

# A statement about partitions is one about locks: short, or the calls of every gateway wait.
LOCKS = "SET LOCAL lock_timeout = '1s';"

QUEUE = """
CREATE FUNCTION audit_queue_one() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_pending (shard, record_id, writer, seq) VALUES (NEW.shard, NEW.id, NULL, NULL);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_queue_one() FROM PUBLIC;

DO $$
DECLARE child regclass;
BEGIN
    FOR child IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'public.audit_record'::regclass LOOP
        EXECUTE format('DROP TRIGGER audit_queue ON %s', child);
    END LOOP;
END $$;
DROP TRIGGER audit_queue ON audit_record;
DROP FUNCTION audit_queue();
-- A row trigger is cloned to every partition, those made later included.
CREATE TRIGGER audit_queue AFTER INSERT ON audit_record
    FOR EACH ROW WHEN (NEW.writer IS NULL) EXECUTE FUNCTION audit_queue_one();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_queue;
DO $$
DECLARE child regclass;
BEGIN
    FOR child IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'public.audit_record'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_queue', child);
    END LOOP;
END $$;
"""

_SHARD = """
CREATE OR REPLACE FUNCTION audit_create_shard(shard integer) RETURNS boolean
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
        + shard %% 100 - extract(month FROM now() AT TIME ZONE 'UTC')::integer;
    IF shard %% 100 NOT BETWEEN 1 AND 12 OR months NOT BETWEEN -1 AND 12 THEN
        RAISE EXCEPTION 'no audit shard %% may be made now', shard USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(79646562910209);
    IF to_regclass('public.audit_leaf_' || shard) IS NOT NULL THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['audit_record', 'audit_leaf'] LOOP
        child := parent || '_' || shard;
        EXECUTE format('CREATE TABLE public.%%I (LIKE public.%%I INCLUDING ALL)', child, parent);
        EXECUTE format('ALTER TABLE public.%%I ATTACH PARTITION public.%%I FOR VALUES IN (%%s)', parent, child, shard);
        EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON public.%%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse()', child);
        EXECUTE format('ALTER TABLE public.%%I ENABLE ALWAYS TRIGGER audit_no_change, '
            'ENABLE ALWAYS TRIGGER audit_no_truncate', child);
    END LOOP;
    child := 'audit_record_' || shard;
%s    EXECUTE format('ALTER TABLE public.%%I ENABLE ALWAYS TRIGGER audit_queue', child);
    RETURN true;
END $$;
"""
_STATEMENT_TRIGGER = """    EXECUTE format('CREATE TRIGGER audit_queue AFTER INSERT ON public.%I REFERENCING NEW TABLE AS added '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.audit_queue()', child);
"""

# What has no place yet waits in the queue again.
BACK = """
DROP TRIGGER audit_queue ON audit_record;
DROP FUNCTION audit_queue_one();
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
DO $$
DECLARE child regclass;
BEGIN
    FOR child IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'public.audit_record'::regclass LOOP
        EXECUTE format('CREATE TRIGGER audit_queue AFTER INSERT ON %s REFERENCING NEW TABLE AS added '
            'FOR EACH STATEMENT EXECUTE FUNCTION public.audit_queue()', child);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_queue', child);
    END LOOP;
END $$;
INSERT INTO audit_pending (shard, record_id, writer, seq)
    SELECT shard, id, writer, seq FROM audit_record AS made
    WHERE writer IS NOT NULL AND NOT EXISTS (
        SELECT FROM audit_leaf AS leaf WHERE leaf.shard = made.shard AND leaf.record_id = made.id)
    AND NOT EXISTS (
        SELECT FROM audit_pending AS waiting WHERE waiting.shard = made.shard AND waiting.record_id = made.id)
    ORDER BY writer, seq;
"""

FORWARD = (LOCKS, QUEUE, _SHARD % "")
BACKWARD = (LOCKS, BACK, _SHARD % _STATEMENT_TRIGGER)


class Migration(migrations.Migration):
    """The queue is the control plane's alone."""

    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL([(sql, None) for sql in FORWARD], [(sql, None) for sql in BACKWARD]),
    ]
