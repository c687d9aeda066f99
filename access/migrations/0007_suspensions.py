"""What is suspended: a row that nobody changes but once, to lift it. A trigger holds the owner's role to that too."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.ids

GUARD = """
CREATE FUNCTION access_suspension_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION 'a suspension is lifted, never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.lifted_at IS NOT NULL OR NEW.suspended_at NOT BETWEEN
                statement_timestamp() - interval '5 minutes' AND statement_timestamp() + interval '5 minutes' THEN
            RAISE EXCEPTION 'a suspension begins now' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL
            OR (to_jsonb(NEW) - 'lifted_at' - 'lifted_by_id' - 'lift_reason') IS DISTINCT FROM
               (to_jsonb(OLD) - 'lifted_at' - 'lifted_by_id' - 'lift_reason') THEN
        RAISE EXCEPTION 'a suspension is only ever lifted, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_suspension_guard BEFORE INSERT OR UPDATE OR DELETE ON access_suspension
    FOR EACH ROW EXECUTE FUNCTION access_suspension_guard();
CREATE TRIGGER access_suspension_stays BEFORE TRUNCATE ON access_suspension
    FOR EACH STATEMENT EXECUTE FUNCTION access_suspension_guard();
ALTER TABLE access_suspension ENABLE ALWAYS TRIGGER access_suspension_guard;
ALTER TABLE access_suspension ENABLE ALWAYS TRIGGER access_suspension_stays;
"""
UNDO = """
DROP TRIGGER access_suspension_guard ON access_suspension;
DROP TRIGGER access_suspension_stays ON access_suspension;
DROP FUNCTION access_suspension_guard();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0006_clients"),
    ]

    operations = [
        migrations.CreateModel(
            name="Suspension",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("kind", models.CharField(max_length=16)),
                ("name", models.TextField(blank=True, default="")),
                ("owner_team", models.CharField(blank=True, default="", max_length=24)),
                ("reason", models.TextField()),
                ("suspended_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lift_reason", models.TextField(blank=True, default="")),
                (
                    "lifted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "suspended_by",
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
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("kind", "name"),
                        name="suspended_once_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ("server", "definition", "agent", "person", "team", "everything"))
                        ),
                        name="access_suspension_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "everything"), ("name", "")),
                            models.Q(
                                models.Q(("kind", "everything"), _negated=True), models.Q(("name", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="suspension_names_a_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "\\S")), name="suspension_reason_not_blank"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lift_reason", ""), ("lifted_at__isnull", True), ("lifted_by__isnull", True)),
                            models.Q(("lift_reason__regex", "\\S"), ("lifted_at__gte", models.F("suspended_at"))),
                            _connector="OR",
                        ),
                        name="suspension_lifted_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lifted_by__isnull", True),
                            ("suspended_by__isnull", True),
                            models.Q(("lifted_by", models.F("suspended_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="suspension_lifted_by_another",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARD, UNDO),
    ]
