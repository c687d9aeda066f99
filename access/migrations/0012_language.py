"""The language that a person chose for the console's pages; empty, so that the release before may add people."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0011_policy_notes")]
    operations = [
        migrations.AddField(
            model_name="person",
            name="language",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
    ]
