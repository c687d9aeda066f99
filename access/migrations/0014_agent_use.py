import django.db.models.deletion
from django.db import migrations, models

# Calls read the table of agents: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """When agents were last let through, counted from the audit log. The previous release does not know it."""

    dependencies = [("access", "0013_use_of_definitions")]

    operations = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="AgentUse",
            fields=[
                (
                    "agent",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="access.agent",
                    ),
                ),
                ("last_used", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
