from django.db import migrations, models


class Migration(migrations.Migration):
    """Which calls must say why. The database knows the default: the previous release inserts without this column."""

    dependencies = [("servers", "0007_limits")]

    operations = [
        migrations.AddField(
            model_name="server",
            name="intention",
            field=models.CharField(
                db_default="none", default="none", help_text="which calls must say why", max_length=20
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("intention__in", ["none", "sensitive", "all"])), name="server_intention_known"
            ),
        ),
    ]
