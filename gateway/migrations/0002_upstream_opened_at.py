from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_sessions")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="upstream_opened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
