"""Scores of versions, exact places of findings, and an index that finds definitions by their bare names."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import F, Func, Q

LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """No lock is waited for longer than a second, forwards and backwards."""

    dependencies: ClassVar = [("servers", "0009_capture"), ("tools", "0005_policy_digests")]
    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="definitionversion",
            name="risk_score",
            field=models.FloatField(
                help_text="what its scan came to; empty: scanned before scores were kept", null=True
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="end",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="finding",
            name="start",
            field=models.PositiveIntegerField(
                db_default=0, default=0, help_text="in characters of the string at `field`"
            ),
        ),
        migrations.AddIndex(
            model_name="definition",
            index=models.Index(
                Func(
                    F("name"),
                    output_field=models.TextField(),
                    template=(
                        "left(lower(regexp_replace(%(expressions)s, '[^a-zA-Z0-9]+', '', 'g') COLLATE \"C\"), 128)"
                    ),
                ),
                name="definition_by_squashed_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="definitionversion",
            constraint=models.CheckConstraint(
                condition=Q(("risk_score__range", (0, 1))), name="version_risk_score_in_range"
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.CheckConstraint(
                condition=Q(("end__gte", F("start"))), name="finding_ends_after_it_starts"
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
