"""What was found in how servers are reached and in their tools taken together. Rows come and go with what is so."""

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import core.ids

LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """A table of its own."""

    dependencies: ClassVar = [
        ("servers", "0010_answers"),
        ("tools", "0008_weak_findings"),
    ]

    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="ServerFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("rule", models.CharField(max_length=40)),
                ("severity", models.CharField(max_length=10)),
                ("confidence", models.CharField(max_length=10)),
                (
                    "field",
                    models.CharField(
                        blank=True, default="", help_text="what it is about, as a JSON pointer", max_length=500
                    ),
                ),
                (
                    "evidence",
                    models.CharField(
                        blank=True, default="", help_text="ASCII, everything else escaped", max_length=500
                    ),
                ),
                ("found_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="servers.server"
                    ),
                ),
            ],
            options={
                "ordering": ("rule", "field"),
                "constraints": [
                    models.UniqueConstraint(fields=("server", "rule", "field"), name="server_finding_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["low", "medium", "high", "critical"])),
                        name="server_finding_severity_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("confidence__in", ["low", "medium", "high"])),
                        name="server_finding_confidence_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
