"""Who looks at a review, until when it is put off, and what people say about it, which stays as they said it."""

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids

LOCKS = "SET LOCAL lock_timeout = '1s';"
_APPEND_ONLY = """
CREATE TRIGGER tools_reviewcomment_append_only BEFORE UPDATE OR DELETE ON tools_reviewcomment
    FOR EACH ROW EXECUTE FUNCTION tools_refuse();
CREATE TRIGGER tools_reviewcomment_no_truncate BEFORE TRUNCATE ON tools_reviewcomment
    FOR EACH STATEMENT EXECUTE FUNCTION tools_refuse();
"""
_DROP = """
DROP TRIGGER tools_reviewcomment_no_truncate ON tools_reviewcomment;
DROP TRIGGER tools_reviewcomment_append_only ON tools_reviewcomment;
"""


class Migration(migrations.Migration):
    """No lock is waited for longer than a second."""

    dependencies: ClassVar = [
        ("tools", "0011_effects"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="ReviewComment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("text", models.CharField(max_length=4000)),
                ("time", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="comments", to="tools.review"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("text__regex", "\\S")), name="comment_says_something")
                ],
            },
        ),
        migrations.CreateModel(
            name="Triage",
            fields=[
                (
                    "review",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="triage",
                        serialize=False,
                        to="tools.review",
                    ),
                ),
                ("snoozed_at", models.DateTimeField(blank=True, null=True)),
                ("snoozed_until", models.DateTimeField(blank=True, null=True)),
                (
                    "assignee",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "snoozed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("snoozed_at__isnull", False)),
                        fields=["snoozed_until"],
                        name="triage_snoozed",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("snoozed_at__isnull", True), ("snoozed_by__isnull", True)),
                            models.Q(("snoozed_at__isnull", False), ("snoozed_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="triage_snooze_paired",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("snoozed_until__isnull", True),
                            ("snoozed_until__gt", models.F("snoozed_at")),
                            _connector="OR",
                        ),
                        name="triage_snooze_ends_later",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_APPEND_ONLY, _DROP),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
