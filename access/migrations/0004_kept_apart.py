"""What a constraint cannot say: no person holds two roles that are kept apart, by whatever way they came to them.

The check looks at everybody, once for each statement that could matter: these are rare. It locks the revision of
`access` first, which is there from the setting up on and which every such change counts up anyway, so that of two
changes at once the second sees the first. Who is deactivated counts too, or reactivating them would break the rule.
"""

from django.db import migrations

GUARD = """
CREATE FUNCTION access_keep_apart() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    clash record;
BEGIN
    PERFORM FROM access_revision WHERE part = 'access' FOR UPDATE;
    WITH held AS (
        SELECT coalesce(g.person_id, m.person_id) AS person_id, g.role_id
        FROM access_grant g LEFT JOIN access_membership m ON m.team_id = g.team_id
        WHERE g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > statement_timestamp())
    )
    SELECT p.username, r1.name AS one, r2.name AS other INTO clash
    FROM access_roleseparation s
    JOIN held a ON a.role_id = s.first_id
    JOIN held b ON b.role_id = s.second_id AND b.person_id = a.person_id
    JOIN access_person p ON p.id = a.person_id
    JOIN access_role r1 ON r1.id = s.first_id
    JOIN access_role r2 ON r2.id = s.second_id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% would hold both ''%'' and ''%'', which are kept apart.', clash.username, clash.one, clash.other
            USING ERRCODE = '23514', CONSTRAINT = 'roles_kept_apart';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER access_keep_apart AFTER INSERT OR UPDATE ON access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION access_keep_apart();
CREATE TRIGGER access_keep_apart AFTER INSERT OR UPDATE ON access_membership
    FOR EACH STATEMENT EXECUTE FUNCTION access_keep_apart();
CREATE TRIGGER access_keep_apart AFTER INSERT OR UPDATE ON access_roleseparation
    FOR EACH STATEMENT EXECUTE FUNCTION access_keep_apart();
ALTER TABLE access_grant ENABLE ALWAYS TRIGGER access_keep_apart;
ALTER TABLE access_membership ENABLE ALWAYS TRIGGER access_keep_apart;
ALTER TABLE access_roleseparation ENABLE ALWAYS TRIGGER access_keep_apart;
"""
UNDO = """
DROP TRIGGER access_keep_apart ON access_grant;
DROP TRIGGER access_keep_apart ON access_membership;
DROP TRIGGER access_keep_apart ON access_roleseparation;
DROP FUNCTION access_keep_apart();
"""


class Migration(migrations.Migration):
    """The triggers and their function."""

    dependencies = [("access", "0003_role_separation")]
    operations = [migrations.RunSQL(GUARD, UNDO)]
