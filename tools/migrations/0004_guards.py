"""The triggers of 0002 anew, for policies, emergencies, sightings and going back to an earlier version.

What each says is in its messages; why the functions set their own `search_path` stands in 0002.
"""

from typing import ClassVar

from django.db import migrations

# Voices of one verdict about exactly `wanted`: people, and the people who signed the policies that decided. Where two
# are needed, those of the registrant and of whoever changed the endpoint do not count (see tools/rules.py).
_VOICES = """
CREATE FUNCTION tools_has_voices(which bigint, wanted text, said text) RETURNS boolean
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
    SELECT count(DISTINCT voice) INTO counted FROM (
        SELECT d.person_id AS voice FROM tools_reviewdecision d
            WHERE d.review_id = which AND d.verdict = said AND d.digest = wanted
        UNION ALL
        SELECT signed.voice FROM tools_reviewdecision d
            JOIN tools_policyrevision p ON p.id = d.policy_id
            CROSS JOIN LATERAL (VALUES (p.written_by_id), (p.confirmed_by_id)) AS signed(voice)
            WHERE d.review_id = which AND d.verdict = said AND d.digest = wanted
    ) voices
    WHERE voice IS NOT NULL
        AND (needed < 2 OR (voice IS DISTINCT FROM registrant AND voice IS DISTINCT FROM changer));
    RETURN coalesce(counted >= needed, false);
END $$;
CREATE OR REPLACE FUNCTION tools_has_approvals(which bigint, wanted text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$ SELECT tools_has_voices(which, wanted, 'approve') $$;
"""

_VERSION = """
DROP TRIGGER tools_definitionversion_append_only ON tools_definitionversion;
CREATE FUNCTION tools_definitionversion_guard() RETURNS trigger
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
CREATE TRIGGER tools_definitionversion_guard BEFORE UPDATE OR DELETE ON tools_definitionversion
    FOR EACH ROW EXECUTE FUNCTION tools_definitionversion_guard();
"""

_REVIEW = """
CREATE OR REPLACE FUNCTION tools_review_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
        IF NEW.reopens_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM tools_review WHERE id = NEW.reopens_id AND state = 'rejected'
                    AND version_id = NEW.version_id) THEN
            RAISE EXCEPTION 'only a rejection of the same version is opened again' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (to_jsonb(NEW) - 'state' - 'closed_at' - 'times')
            IS DISTINCT FROM (to_jsonb(OLD) - 'state' - 'closed_at' - 'times') THEN
        RAISE EXCEPTION 'what a review is about never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'superseded' AND NEW.state = 'waiting'
            AND NOT EXISTS (SELECT FROM tools_reviewdecision WHERE review_id = NEW.id) THEN
        RETURN NEW;  -- the server went back to what nobody has decided about
    END IF;
    IF OLD.state <> 'waiting' OR NEW.state = 'waiting' THEN
        RAISE EXCEPTION 'a review is only ever closed, once' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'approved' AND NOT tools_has_voices(NEW.id, wanted, 'approve') THEN
        RAISE EXCEPTION 'a review needs its approvals first' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'dismissed' AND NOT tools_has_voices(NEW.id, wanted, 'dismiss') THEN
        RAISE EXCEPTION 'a review needs as many to dismiss it as to approve it' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_DECISION = """
CREATE OR REPLACE FUNCTION tools_reviewdecision_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    seen_by text;
BEGIN
    SELECT r.vantage INTO seen_by FROM tools_review r JOIN tools_definitionversion v ON v.id = r.version_id
        WHERE r.id = NEW.review_id AND r.state = 'waiting' AND v.digest = NEW.digest
        FOR SHARE OF r;
    IF seen_by IS NULL THEN
        RAISE EXCEPTION 'a decision names the digest of a review that waits' USING ERRCODE = 'check_violation';
    END IF;
    IF (seen_by = 'poller') = (NEW.verdict = 'dismiss') AND NEW.verdict <> 'reject' THEN
        RAISE EXCEPTION 'what everybody is shown is approved, what only some are shown is dismissed'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.policy_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM tools_policyrevision p
            JOIN tools_changepolicy c ON c.in_force_id = p.id
            JOIN tools_review r ON r.id = NEW.review_id
            JOIN tools_definition d ON d.id = r.definition_id
            JOIN servers_server s ON s.id = d.server_id
            WHERE p.id = NEW.policy_id AND r.risk <> 'high'
                AND EXISTS (SELECT FROM tools_pin l WHERE l.definition_id = r.definition_id
                            AND l.version_id = r.base_id AND l.ended_at IS NULL)
                AND cardinality(r.change) > 0 AND r.change <@ p.classes
                AND s.environment = ANY (p.environments)
                AND (cardinality(p.servers) = 0 OR s.slug = ANY (p.servers))
                AND (cardinality(p.kinds) = 0 OR d.kind = ANY (p.kinds))
                AND NOT EXISTS (SELECT FROM tools_finding f WHERE f.version_id = r.version_id)
                AND NOT EXISTS (SELECT FROM tools_review x JOIN tools_definitionversion y ON y.id = x.version_id
                                WHERE y.digest = NEW.digest AND x.state = 'rejected')
                AND NOT EXISTS (SELECT FROM tools_pin x JOIN tools_definitionversion y ON y.id = x.version_id
                                WHERE y.digest = NEW.digest AND x.ended_reason = 'withdrawn')) THEN
        RAISE EXCEPTION 'a policy decides only what its revision in force is written for'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_PIN = """
CREATE OR REPLACE FUNCTION tools_pin_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    wanted text;
    until timestamptz;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
                OR (to_jsonb(NEW) - 'ended_at' - 'ended_reason' - 'ended_by_id' - 'ended_why') IS DISTINCT FROM
                   (to_jsonb(OLD) - 'ended_at' - 'ended_reason' - 'ended_by_id' - 'ended_why') THEN
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
    IF (NEW.returned_by_id IS NOT NULL) <> EXISTS (SELECT FROM tools_pin WHERE review_id = NEW.review_id) THEN
        RAISE EXCEPTION 'an approval sets one pin, once; after that somebody returns to it'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM tools_pin WHERE version_id = NEW.version_id AND review_id >= NEW.review_id
               AND ended_reason <> 'replaced')
            OR EXISTS (SELECT FROM tools_review WHERE version_id = NEW.version_id AND id > NEW.review_id
                       AND state = 'rejected') THEN
        RAISE EXCEPTION 'nobody returns to what was withdrawn or rejected since' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM tools_review r JOIN tools_definition d ON d.id = r.definition_id
               JOIN servers_server s ON s.id = d.server_id
               WHERE r.id = NEW.review_id AND r.closed_at < s.registered_at) THEN
        RAISE EXCEPTION 'what was approved before a server was registered has ended' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT tools_has_voices(NEW.review_id, wanted, 'approve') THEN
        RAISE EXCEPTION 'a pin needs every approval its server asks for' USING ERRCODE = 'check_violation';
    END IF;
    SELECT min(approve_until) INTO until FROM tools_reviewdecision
        WHERE review_id = NEW.review_id AND verdict = 'approve';
    IF until IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > until) THEN
        RAISE EXCEPTION 'a pin ends no later than its approvals say' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_GLASS = """
CREATE FUNCTION tools_breakglass_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
                OR (to_jsonb(NEW) - 'ended_at' - 'ended_reason' - 'ended_by_id') IS DISTINCT FROM
                   (to_jsonb(OLD) - 'ended_at' - 'ended_reason' - 'ended_by_id') THEN
            RAISE EXCEPTION 'a broken glass is only ever ended, once' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.set_at NOT BETWEEN now() - interval '5 minutes' AND now() + interval '5 minutes' THEN
        RAISE EXCEPTION 'a glass is broken now' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM 1 FROM tools_review r WHERE r.id = NEW.review_id AND r.state = 'waiting' AND r.vantage = 'poller'
        AND r.version_id = NEW.version_id AND r.definition_id = NEW.definition_id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a glass is broken for exactly what waits' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_breakglass_guard BEFORE INSERT OR UPDATE ON tools_breakglass
    FOR EACH ROW EXECUTE FUNCTION tools_breakglass_guard();
"""

_POLICY = """
CREATE FUNCTION tools_changepolicy_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.name, NEW.public_id) IS DISTINCT FROM (OLD.name, OLD.public_id) THEN
        RAISE EXCEPTION 'a policy keeps its name' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.in_force_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM tools_policyrevision WHERE id = NEW.in_force_id AND policy_id = NEW.id) THEN
        RAISE EXCEPTION 'a policy puts its own revisions in force' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_changepolicy_guard BEFORE INSERT OR UPDATE ON tools_changepolicy
    FOR EACH ROW EXECUTE FUNCTION tools_changepolicy_guard();
"""

_REVISION = """
CREATE FUNCTION tools_policyrevision_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_by_id IS NOT NULL THEN
            RAISE EXCEPTION 'a revision is confirmed after it was written' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.confirmed_by_id IS NOT NULL
            OR (to_jsonb(NEW) - 'confirmed_by_id' - 'confirmed_at') IS DISTINCT FROM
               (to_jsonb(OLD) - 'confirmed_by_id' - 'confirmed_at') THEN
        RAISE EXCEPTION 'a revision is only ever confirmed, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_policyrevision_guard BEFORE INSERT OR UPDATE OR DELETE ON tools_policyrevision
    FOR EACH ROW EXECUTE FUNCTION tools_policyrevision_guard();
"""

_SIGHTING = """
CREATE FUNCTION tools_sighting_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.definition_id, NEW.vantage, NEW.public_id)
            IS DISTINCT FROM (OLD.definition_id, OLD.vantage, OLD.public_id) THEN
        RAISE EXCEPTION 'a sighting keeps its definition and vantage' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.version_id IS NOT NULL AND NOT EXISTS (SELECT FROM tools_definitionversion
            WHERE id = NEW.version_id AND definition_id = NEW.definition_id) THEN
        RAISE EXCEPTION 'the version shown is not one of this definition' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.dismissed_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM tools_review WHERE version_id = NEW.dismissed_id AND state = 'dismissed') THEN
        RAISE EXCEPTION 'a sighting is dismissed by decision' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tools_sighting_guard BEFORE INSERT OR UPDATE ON tools_sighting
    FOR EACH ROW EXECUTE FUNCTION tools_sighting_guard();
"""

_REVIVAL = """
CREATE OR REPLACE FUNCTION tools_revival_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (SELECT FROM tools_pin p JOIN tools_definition d ON d.id = p.definition_id
               WHERE d.server_id = OLD.id AND p.ended_at IS NULL)
       OR EXISTS (SELECT FROM tools_breakglass g JOIN tools_definition d ON d.id = g.definition_id
                  WHERE d.server_id = OLD.id AND g.ended_at IS NULL)
       OR EXISTS (SELECT FROM tools_review r JOIN tools_definition d ON d.id = r.definition_id
                  WHERE d.server_id = OLD.id AND r.state = 'waiting') THEN
        RAISE EXCEPTION 'a retired server is revived without pins and waiting reviews' USING ERRCODE = '23001';
    END IF;
    RETURN NEW;
END $$;
"""

_FUNCTIONS = (_VOICES, _VERSION, _REVIEW, _DECISION, _PIN, _GLASS, _POLICY, _REVISION, _SIGHTING, _REVIVAL)


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


class Migration(migrations.Migration):
    """Functions first: the triggers of 0002 call them by name, so they take effect where they are replaced."""

    dependencies: ClassVar = [("tools", "0003_decisions"), ("servers", "0006_environment_changed_at")]

    operations: ClassVar = [
        *map(migrations.RunSQL, _FUNCTIONS),
        _append_only("tools_sketch", "UPDATE OR DELETE"),
        _append_only("tools_resemblance", "UPDATE OR DELETE"),
        _append_only("tools_breakglass", "DELETE"),
        _append_only("tools_changepolicy", "DELETE"),
        _append_only("tools_sighting", "DELETE"),
    ]
