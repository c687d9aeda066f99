"""What a constraint cannot say: a slug is for ever, and who registered or moved a server is not rewritten.

Approvals count or do not count by these columns, so the application's role must not be able to change them
otherwise than its services do.
"""

from django.db import migrations

GUARD = """
CREATE FUNCTION servers_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a server is retired, never deleted: its slug stays its own' USING ERRCODE = '23001';
    END IF;
    IF NEW.slug <> OLD.slug OR NEW.public_id <> OLD.public_id THEN
        RAISE EXCEPTION 'the slug and id of a server never change' USING ERRCODE = '23001';
    END IF;
    IF OLD.state = 'retired' THEN
        RETURN NEW;  -- revived: registered anew, by whom it may be
    END IF;
    IF NEW.registered_by_id IS DISTINCT FROM OLD.registered_by_id THEN
        RAISE EXCEPTION 'who registered a server is not rewritten' USING ERRCODE = '23001';
    END IF;
    IF NEW.endpoint_changed_by_id IS DISTINCT FROM OLD.endpoint_changed_by_id
       AND (NEW.endpoint_changed_by_id IS NULL OR (NEW.url = OLD.url AND NEW.template = OLD.template)) THEN
        RAISE EXCEPTION 'who moved a server is written when it moves, and not taken back' USING ERRCODE = '23001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER servers_guard BEFORE UPDATE OR DELETE ON servers_server FOR EACH ROW EXECUTE FUNCTION servers_guard();
ALTER TABLE servers_server ENABLE ALWAYS TRIGGER servers_guard;
"""
UNDO = "DROP TRIGGER servers_guard ON servers_server; DROP FUNCTION servers_guard();"


class Migration(migrations.Migration):
    """The trigger and its function."""

    dependencies = [("servers", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, UNDO)]
