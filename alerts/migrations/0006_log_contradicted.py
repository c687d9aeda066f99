"""Alerts about what a verification of the audit log finds."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """One kind more."""

    dependencies = [("alerts", "0005_audit_kinds")]
    operations: ClassVar[list[Operation]] = [
        migrations.RemoveConstraint(model_name="alert", name="alerts_alert_kind_known"),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "audit_interrupted",
                            "break_glass",
                            "call_unknown",
                            "channel_failing",
                            "checkpoint_refused",
                            "drift",
                            "incomplete",
                            "log_contradicted",
                            "policy_altered",
                            "review_waiting",
                            "shown_differently",
                            "sink_stopped",
                            "suspended",
                            "unreachable",
                        ],
                    )
                ),
                name="alerts_alert_kind_known",
            ),
        ),
    ]
