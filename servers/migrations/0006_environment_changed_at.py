from django.db import migrations, models


class Migration(migrations.Migration):
    """One column more, which the previous release leaves empty."""

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
    ]
