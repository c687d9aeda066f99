"""Where records are exported to, and how far."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import core.ids

FORWARD = """
CREATE FUNCTION audit_cursor_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.index < OLD.index THEN
        RAISE EXCEPTION 'an export cursor does not go back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_exportcursor_goes_on BEFORE UPDATE ON audit_exportcursor
    FOR EACH ROW EXECUTE FUNCTION audit_cursor_goes_on();
ALTER TABLE audit_exportcursor ENABLE ALWAYS TRIGGER audit_exportcursor_goes_on;
"""
BACKWARD = "DROP TRIGGER audit_exportcursor_goes_on ON audit_exportcursor; DROP FUNCTION audit_cursor_goes_on();"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0008_search"),
    ]

    operations = [
        migrations.CreateModel(
            name="Sink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("name", models.TextField(unique=True)),
                ("kind", models.TextField()),
                ("format", models.TextField()),
                ("endpoint", models.TextField()),
                ("secret", models.BinaryField(null=True)),
                ("state", models.TextField(default="active")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "audit_sink",
            },
        ),
        migrations.CreateModel(
            name="ExportCursor",
            fields=[
                (
                    "sink",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="cursor",
                        serialize=False,
                        to="audit.sink",
                    ),
                ),
                ("index", models.BigIntegerField(default=-1)),
                ("chain", models.JSONField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.UUIDField(null=True)),
                ("next_attempt_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("failures", models.IntegerField(default=0)),
                ("failing_since", models.DateTimeField(null=True)),
                ("last_error", models.TextField(default="")),
                ("last_sent_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "audit_exportcursor",
            },
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["otlp", "syslog_tls", "webhook"])), name="audit_sink_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["cef", "csv", "jsonl", "ocsf", "otlp"])),
                name="audit_sink_format_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "disabled", "stopped"])), name="audit_sink_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="exportcursor",
            constraint=models.CheckConstraint(
                condition=models.Q(("index__gte", -1)), name="audit_exportcursor_index_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="exportcursor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_token__isnull", True), ("lease_until__isnull", True)),
                    models.Q(("lease_token__isnull", False), ("lease_until__isnull", False)),
                    _connector="OR",
                ),
                name="audit_exportcursor_lease_whole",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
