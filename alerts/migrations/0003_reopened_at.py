from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0002_kinds"),
    ]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="reopened_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="when it was opened again last, and channels were told",
                null=True,
            ),
        ),
    ]
