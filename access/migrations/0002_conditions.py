import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):
    """Conditions of grants. The database knows the default: the previous release inserts without the column."""

    dependencies = [
        ("access", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="conditions",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(
                    models.Func(models.F("conditions"), function="jsonb_typeof", output_field=models.TextField()),
                    "object",
                ),
                name="grant_conditions_object",
            ),
        ),
    ]
