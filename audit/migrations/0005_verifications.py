"""What was verified, and until where."""

from django.db import migrations, models

FORWARD = """
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_verification
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_verification
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_verification ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
"""


class Migration(migrations.Migration):
    """A new table: the release before does not know it."""

    dependencies = [("audit", "0004_checkpoints")]
    operations = [
        migrations.CreateModel(
            name="Verification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("is_full", models.BooleanField()),
                ("first", models.BigIntegerField()),
                ("until", models.BigIntegerField()),
                ("records", models.BigIntegerField()),
                ("authenticated", models.BigIntegerField()),
                ("unauthenticated", models.BigIntegerField()),
                ("pruned", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
                ("finding", models.JSONField(null=True)),
                ("frontier", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "audit_verification",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("count__gte", 0), ("first__gte", 0), ("until__gte", 0)),
                        name="audit_verification_counts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("count", 0), ("finding__isnull", True)),
                            models.Q(("count__gt", 0), ("finding__isnull", False)),
                            _connector="OR",
                        ),
                        name="audit_verification_finding",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
    ]
