"""What constraints cannot say: immutability, transitions of a review, and who a pin's approvals must come from.

The functions set their own `search_path`, so that a temporary table of the application's role cannot stand in
for ours. Only the owner role could disable these triggers, and it is used by migrations alone.
"""

from typing import ClassVar

from django.db import migrations

_REFUSE = """
CREATE FUNCTION tools_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""
_DROP_REFUSE = "DROP FUNCTION tools_refuse();"


def _append_only(table: str, operations: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE {operations} ON {table}
            FOR EACH ROW EXECUTE FUNCTION tools_refuse();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION tools_refuse();
        """,
        f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )


# How many approvals of exactly `wanted` a review has, counted the way its server asks for them now. Where two are
# needed, those of the registrant and of whoever changed the endpoint do not count (see tools/rules.py).
_ENOUGH = """
CREATE FUNCTION tools_has_approvals(which bigint, wanted text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    needed integer;
    registrant bigint;
    changer bigint;
    counted integer;
BEGIN
    SELECT greatest(r.required_approvals, s.required_approvals), s.registered_by_id, s.endpoint_changed_by_id
        INTO needed, registrant, changer
        FROM tools_review r
        JOIN tools_definition d ON d.id = r.definition_id
        JOIN servers_server s ON s.id = d.server_id
        WHERE r.id = which;
    SELECT count(DISTINCT person_id) INTO counted FROM tools_reviewdecision
        WHERE review_id = which AND verdict = 'approve' AND digest = wanted
            AND (needed < 2 OR (person_id IS DISTINCT FROM registrant AND person_id IS DISTINCT FROM changer));
    RETURN coalesce(counted >= needed, false);
END $$;
"""

_DEFINITION = """
CREATE FUNCTION tools_definition_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.server_id, NEW.kind, NEW.name, NEW.public_id)
            IS DISTINCT FROM (OLD.id, OLD.server_id, OLD.kind, OLD.name, OLD.public_id) THEN
        RAISE EXCEPTION 'a definition keeps its server, kind and name' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.observed_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM tools_definitionversion WHERE id = NEW.observed_id AND definition_id = NEW.id) THEN
        RAISE EXCEPTION 'the observed version is not one of this definition' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_definition_guard BEFORE INSERT OR UPDATE ON tools_definition
    FOR EACH ROW EXECUTE FUNCTION tools_definition_guard();
"""

_REVIEW = """
CREATE FUNCTION tools_review_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    wanted text;
BEGIN
    SELECT digest INTO wanted FROM tools_definitionversion
        WHERE id = NEW.version_id AND definition_id = NEW.definition_id;
    IF wanted IS NULL THEN
        RAISE EXCEPTION 'a review is about a version of its own definition' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'waiting' THEN
            RAISE EXCEPTION 'a review opens waiting' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'waiting' OR NEW.state = 'waiting'
            OR (to_jsonb(NEW) - 'state' - 'closed_at') IS DISTINCT FROM (to_jsonb(OLD) - 'state' - 'closed_at') THEN
        RAISE EXCEPTION 'a review is only ever closed, once' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'approved' AND NOT tools_has_approvals(NEW.id, wanted) THEN
        RAISE EXCEPTION 'a review needs its approvals first' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_review_guard BEFORE INSERT OR UPDATE ON tools_review
    FOR EACH ROW EXECUTE FUNCTION tools_review_guard();
"""

_DECISION = """
CREATE FUNCTION tools_reviewdecision_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM tools_review r JOIN tools_definitionversion v ON v.id = r.version_id
        WHERE r.id = NEW.review_id AND r.state = 'waiting' AND v.digest = NEW.digest
        FOR SHARE OF r;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a decision names the digest of a review that waits' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_reviewdecision_guard BEFORE INSERT ON tools_reviewdecision
    FOR EACH ROW EXECUTE FUNCTION tools_reviewdecision_guard();
"""

_PIN = """
CREATE FUNCTION tools_pin_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    wanted text;
    until timestamptz;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR (to_jsonb(NEW) - 'ended_at' - 'ended_reason')
                IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at' - 'ended_reason') THEN
            RAISE EXCEPTION 'a pin is only ever ended, once' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    SELECT v.digest INTO wanted FROM tools_review r JOIN tools_definitionversion v ON v.id = r.version_id
        WHERE r.id = NEW.review_id AND r.state = 'approved' AND r.version_id = NEW.version_id
            AND r.definition_id = NEW.definition_id;
    IF wanted IS NULL THEN
        RAISE EXCEPTION 'a pin needs an approved review of exactly its version' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM tools_pin WHERE review_id = NEW.review_id) THEN
        RAISE EXCEPTION 'an approval sets one pin, once' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT tools_has_approvals(NEW.review_id, wanted) THEN
        RAISE EXCEPTION 'a pin needs every approval its server asks for' USING ERRCODE = 'check_violation';
    END IF;
    SELECT min(approve_until) INTO until FROM tools_reviewdecision
        WHERE review_id = NEW.review_id AND verdict = 'approve';
    IF until IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > until) THEN
        RAISE EXCEPTION 'a pin ends no later than its approvals say' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_pin_guard BEFORE INSERT OR UPDATE ON tools_pin
    FOR EACH ROW EXECUTE FUNCTION tools_pin_guard();
"""


def _guard(sql: str, table: str) -> migrations.RunSQL:
    return migrations.RunSQL(sql, f"DROP TRIGGER {table}_guard ON {table}; DROP FUNCTION {table}_guard();")


# Who registered a server may be written anew when it is revived (servers.0002), so nothing that was decided about it
# before may still be in force then.
_REVIVAL = """
CREATE FUNCTION tools_revival_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (SELECT FROM tools_pin p JOIN tools_definition d ON d.id = p.definition_id
               WHERE d.server_id = OLD.id AND p.ended_at IS NULL)
       OR EXISTS (SELECT FROM tools_review r JOIN tools_definition d ON d.id = r.definition_id
                  WHERE d.server_id = OLD.id AND r.state = 'waiting') THEN
        RAISE EXCEPTION 'a retired server is revived without pins and waiting reviews' USING ERRCODE = '23001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_revival_guard BEFORE UPDATE ON servers_server FOR EACH ROW
    WHEN (OLD.state = 'retired' AND NEW.state <> 'retired') EXECUTE FUNCTION tools_revival_guard();
ALTER TABLE servers_server ENABLE ALWAYS TRIGGER tools_revival_guard;
"""
_DROP_REVIVAL = "DROP TRIGGER tools_revival_guard ON servers_server; DROP FUNCTION tools_revival_guard();"


class Migration(migrations.Migration):
    """Triggers of the decision tables."""

    dependencies: ClassVar = [("tools", "0001_initial"), ("servers", "0001_initial")]

    operations: ClassVar = [
        migrations.RunSQL(_REFUSE, _DROP_REFUSE),
        migrations.RunSQL(_ENOUGH, "DROP FUNCTION tools_has_approvals(bigint, text);"),
        _append_only("tools_definition", "DELETE"),
        _append_only("tools_definitionversion", "UPDATE OR DELETE"),
        _append_only("tools_review", "DELETE"),
        _append_only("tools_reviewdecision", "UPDATE OR DELETE"),
        _append_only("tools_pin", "DELETE"),
        _append_only("tools_finding", "UPDATE OR DELETE"),
        _guard(_DEFINITION, "tools_definition"),
        _guard(_REVIEW, "tools_review"),
        _guard(_DECISION, "tools_reviewdecision"),
        _guard(_PIN, "tools_pin"),
        migrations.RunSQL(_REVIVAL, _DROP_REVIVAL),
    ]
