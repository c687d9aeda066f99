"""Which rules a version was read by last. Scanned again, its score may rise, and nothing else of it changes."""

from typing import ClassVar

from django.db import migrations, models

_GUARD = """
CREATE OR REPLACE FUNCTION tools_definitionversion_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.scanned_by <> '' AND NEW.scanned_by <> OLD.scanned_by
            AND NEW.risk_score >= coalesce(OLD.risk_score, 0)
            AND (to_jsonb(NEW) - 'risk_score' - 'scanned_by') = (to_jsonb(OLD) - 'risk_score' - 'scanned_by') THEN
        RETURN NEW;  -- scanned again; what was found once is never less
    END IF;
    IF TG_OP = 'DELETE' OR (OLD.text <> '') = (NEW.text <> '')
            OR (to_jsonb(NEW) - 'text' - 'let_go_at') IS DISTINCT FROM (to_jsonb(OLD) - 'text' - 'let_go_at') THEN
        RAISE EXCEPTION 'a version never changes; at most its text is let go, or it is scanned again' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.text = '' THEN
        RETURN NEW;  -- shown again, so kept again
    END IF;
    IF EXISTS (SELECT FROM tools_pin WHERE version_id = OLD.id)
            OR EXISTS (SELECT FROM tools_breakglass WHERE version_id = OLD.id)
            OR EXISTS (SELECT FROM tools_definition WHERE observed_id = OLD.id)
            OR EXISTS (SELECT FROM tools_sighting WHERE version_id = OLD.id)
            OR EXISTS (SELECT FROM tools_review r WHERE (r.version_id = OLD.id OR r.base_id = OLD.id)
                       AND (r.state <> 'superseded' OR EXISTS (
                            SELECT FROM tools_reviewdecision d WHERE d.review_id = r.id))) THEN
        RAISE EXCEPTION 'the text of what was decided or is shown stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
_GUARD_BEFORE = """
CREATE OR REPLACE FUNCTION tools_definitionversion_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.text <> '') = (NEW.text <> '')
            OR (to_jsonb(NEW) - 'text' - 'let_go_at') IS DISTINCT FROM (to_jsonb(OLD) - 'text' - 'let_go_at') THEN
        RAISE EXCEPTION 'a version never changes; at most its text is let go' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.text = '' THEN
        RETURN NEW;  -- shown again, so kept again
    END IF;
    IF EXISTS (SELECT FROM tools_pin WHERE version_id = OLD.id)
            OR EXISTS (SELECT FROM tools_breakglass WHERE version_id = OLD.id)
            OR EXISTS (SELECT FROM tools_definition WHERE observed_id = OLD.id)
            OR EXISTS (SELECT FROM tools_sighting WHERE version_id = OLD.id)
            OR EXISTS (SELECT FROM tools_review r WHERE (r.version_id = OLD.id OR r.base_id = OLD.id)
                       AND (r.state <> 'superseded' OR EXISTS (
                            SELECT FROM tools_reviewdecision d WHERE d.review_id = r.id))) THEN
        RAISE EXCEPTION 'the text of what was decided or is shown stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """A column, which the release before leaves empty, and the trigger's function anew (see 0004)."""

    dependencies: ClassVar = [("tools", "0009_server_findings")]

    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="definitionversion",
            name="scanned_by",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="digest of the rules that read it last", max_length=80
            ),
        ),
        migrations.AlterField(
            model_name="definitionversion",
            name="risk_score",
            field=models.FloatField(
                help_text="the most that its scans came to; empty: scanned before scores were kept", null=True
            ),
        ),
        migrations.RunSQL(_GUARD, _GUARD_BEFORE),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]
