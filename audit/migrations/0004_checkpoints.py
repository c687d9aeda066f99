"""Checkpoints, who led when they were signed, and writers that are over."""

from django.db import migrations, models

APPEND_ONLY = ("audit_checkpoint", "audit_epoch", "audit_writer_closed")
FORWARD = "".join(
    f"""
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
"""
    for table in APPEND_ONLY
)
# Nobody chooses the number: one that is far ahead would end every leadership for ever.
EPOCHS = """
CREATE FUNCTION audit_next_epoch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.id := (SELECT coalesce(max(id), 0) + 1 FROM public.audit_epoch);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_next_epoch BEFORE INSERT ON audit_epoch FOR EACH ROW EXECUTE FUNCTION audit_next_epoch();
ALTER TABLE audit_epoch ENABLE ALWAYS TRIGGER audit_next_epoch;
"""


class Migration(migrations.Migration):
    """New tables only: the release before does not know them."""

    dependencies = [("audit", "0003_chained")]
    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.TextField()),
                ("process", models.TextField()),
                ("started_at", models.DateTimeField()),
            ],
            options={"db_table": "audit_epoch"},
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("origin", models.TextField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField()),
                ("note", models.TextField()),
                ("signed_at", models.DateTimeField()),
                ("epoch", models.BigIntegerField()),
            ],
            options={
                "db_table": "audit_checkpoint",
                "indexes": [models.Index(fields=["origin", "size"], name="audit_checkpoint_origin")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("size__gte", 0)), name="audit_checkpoint_size")
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosedWriter",
            fields=[
                ("writer", models.UUIDField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("closed_at", models.DateTimeField()),
            ],
            options={"db_table": "audit_writer_closed"},
        ),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
        migrations.RunSQL(EPOCHS, "DROP FUNCTION audit_next_epoch() CASCADE"),
    ]
