from django.db import migrations, models

# As in 0002, and: when a server was registered is written when it is, so that nothing decided before counts again.
GUARD = """
CREATE OR REPLACE FUNCTION servers_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a server is retired, never deleted: its slug stays its own' USING ERRCODE = '23001';
    END IF;
    IF NEW.slug <> OLD.slug OR NEW.public_id <> OLD.public_id THEN
        RAISE EXCEPTION 'the slug and id of a server never change' USING ERRCODE = '23001';
    END IF;
    IF NEW.registered_at < OLD.registered_at THEN
        RAISE EXCEPTION 'when a server was registered is not dated back' USING ERRCODE = '23001';
    END IF;
    IF OLD.state = 'retired' THEN
        IF NEW.state <> 'retired' AND NEW.registered_at <= OLD.registered_at THEN
            RAISE EXCEPTION 'a server is revived at a time of its own' USING ERRCODE = '23001';
        END IF;
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
"""


class Migration(migrations.Migration):
    """One column more, which the previous release leaves empty, and the guard, now that old rows are dated."""

    dependencies = [
        ("servers", "0005_endpoint_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="server",
            name="environment_changed_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="no change policy follows approvals from before it",
                null=True,
            ),
        ),
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
    ]
