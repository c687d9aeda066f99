"""A weak finding leaves a change to the policies: what they decline is what a person should look at, or was not read.

The trigger of 0004 anew. Severities that are not known count as ones to look at.
"""

from string import Template
from typing import ClassVar

from django.db import migrations

_DECISION = Template("""
CREATE OR REPLACE FUNCTION tools_reviewdecision_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$$$
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
                AND $found
                AND NOT EXISTS (SELECT FROM tools_review x JOIN tools_definitionversion y ON y.id = x.version_id
                                WHERE y.digest = NEW.digest AND x.state = 'rejected')
                AND NOT EXISTS (SELECT FROM tools_pin x JOIN tools_definitionversion y ON y.id = x.version_id
                                WHERE y.digest = NEW.digest AND x.ended_reason = 'withdrawn')) THEN
        RAISE EXCEPTION 'a policy decides only what its revision in force is written for'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$$$;
""")
# As `tools.risk` says: from 0.4 a person should look.
_ALARMING = """NOT EXISTS (SELECT FROM tools_finding f WHERE f.version_id = r.version_id
                                AND (f.severity <> 'low' OR f.rule = 'HF-000'))
                AND NOT EXISTS (SELECT FROM tools_definitionversion v WHERE v.id = r.version_id
                                AND v.risk_score >= 0.4)"""
_ANY = "NOT EXISTS (SELECT FROM tools_finding f WHERE f.version_id = r.version_id)"


class Migration(migrations.Migration):
    """A function of the database; no table is touched."""

    dependencies: ClassVar = [("tools", "0007_suppressions")]

    operations: ClassVar = [
        migrations.RunSQL(_DECISION.substitute(found=_ALARMING), _DECISION.substitute(found=_ANY)),
    ]
