from django.db import migrations, models

# Calls read this table: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """What is kept of calls. The database knows the default: the previous release inserts without this column."""

    dependencies = [("servers", "0008_intention")]

    operations = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="server",
            name="capture",
            field=models.JSONField(
                blank=True,
                db_default={},
                default=dict,
                help_text="what is kept of calls (`audit.redaction`); empty: nothing",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
