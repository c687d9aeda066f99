from django.db import migrations, models


class Migration(migrations.Migration):
    """What is kept of calls. The database knows the default: the previous release inserts without this column."""

    dependencies = [("servers", "0008_intention")]

    operations = [
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
    ]
