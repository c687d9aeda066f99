"""Findings that are left out of the risk for a while; a suppression never changes, but for being revoked once."""

import datetime as dt
from typing import ClassVar

import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids

_GUARD = """
CREATE FUNCTION tools_suppression_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a suppression stays; it is revoked or ends' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.revoked_at IS NOT NULL THEN
            RAISE EXCEPTION 'a suppression begins in force' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.version_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM tools_definitionversion v JOIN tools_definition d ON d.id = v.definition_id
                WHERE v.id = NEW.version_id AND d.server_id = NEW.server_id) THEN
            RAISE EXCEPTION 'a suppression is about a version of its own server' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
            OR (to_jsonb(NEW) - 'revoked_at' - 'revoked_by_id' - 'revoked_why')
                IS DISTINCT FROM (to_jsonb(OLD) - 'revoked_at' - 'revoked_by_id' - 'revoked_why') THEN
        RAISE EXCEPTION 'a suppression never changes; it is revoked, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_suppression_guard BEFORE INSERT OR UPDATE OR DELETE ON tools_suppression
    FOR EACH ROW EXECUTE FUNCTION tools_suppression_guard();
CREATE TRIGGER tools_suppression_no_truncate BEFORE TRUNCATE ON tools_suppression
    FOR EACH STATEMENT EXECUTE FUNCTION tools_refuse();
"""
_DROP = """
DROP TRIGGER tools_suppression_no_truncate ON tools_suppression;
DROP TRIGGER tools_suppression_guard ON tools_suppression;
DROP FUNCTION tools_suppression_guard();
"""
LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """A table of its own, with its triggers."""

    dependencies: ClassVar = [
        ("servers", "0009_capture"),
        ("tools", "0006_risk_scores"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("rule", models.CharField(blank=True, default="", max_length=40)),
                ("reason", models.CharField(max_length=2000)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_why", models.CharField(blank=True, default="", max_length=2000)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="servers.server"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="suppressions",
                        to="tools.definitionversion",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["server", "rule"], name="suppression_by_rule")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("rule", ""), ("version__isnull", False)),
                            models.Q(("version__isnull", True), models.Q(("rule", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="suppression_of_a_version_or_a_rule",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rule", "HF-000"), _negated=True),
                        name="suppression_never_of_an_incomplete_scan",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "\\S")), name="suppression_reason_given"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__gt", models.F("made_at")),
                            (
                                "ends_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("made_at"), "+", models.Value(dt.timedelta(days=365))
                                ),
                            ),
                        ),
                        name="suppression_for_a_year_at_most",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at__isnull", True), ("revoked_by__isnull", True), ("revoked_why", "")),
                            models.Q(
                                ("revoked_at__isnull", False),
                                ("revoked_by__isnull", False),
                                ("revoked_why__regex", "\\S"),
                            ),
                            _connector="OR",
                        ),
                        name="suppression_revoked_by_somebody_and_why",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_GUARD, _DROP),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
