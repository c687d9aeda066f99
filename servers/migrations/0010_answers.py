from django.db import migrations, models

# Calls read this table: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """What becomes of answers. The database knows the default: the previous release inserts without this column."""

    dependencies = [("servers", "0009_capture")]

    operations = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="server",
            name="answers",
            field=models.CharField(
                db_default="record",
                default="record",
                help_text="what becomes of an answer in which something speaks to the model",
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("answers__in", ["off", "record", "mark", "withhold"])), name="server_answers_known"
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
