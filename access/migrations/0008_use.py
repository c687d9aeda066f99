import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """What grants were used for, counted from the audit log, and how far that was read."""

    dependencies = [
        ("access", "0007_suspensions"),
    ]

    operations = [
        migrations.CreateModel(
            name="UseCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(unique=True)),
                ("index", models.BigIntegerField(default=-1)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="GrantUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("server", models.TextField()),
                ("kind", models.TextField(blank=True, default="")),
                ("name", models.TextField(blank=True, default="")),
                ("scope", models.TextField()),
                ("first_used", models.DateTimeField()),
                ("last_used", models.DateTimeField()),
                ("calls", models.BigIntegerField()),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="uses", to="access.grant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["grant", "last_used"], name="grant_use_latest")],
                "constraints": [
                    models.UniqueConstraint(fields=("grant", "server", "kind", "name"), name="grant_use_once"),
                    models.CheckConstraint(condition=Q(("calls__gt", 0)), name="grant_use_counted"),
                    models.CheckConstraint(condition=Q(("last_used__gte", F("first_used"))), name="grant_use_in_order"),
                    models.CheckConstraint(
                        condition=Q(("kind", ""), ("name", "")) | Q(~Q(("kind", "")), ~Q(("name", ""))),
                        name="grant_use_of_a_definition_or_none",
                    ),
                ],
            },
        ),
    ]
