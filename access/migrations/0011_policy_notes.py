"""Triggers that note which rows a change of policy touches.

Each table in a transaction of its own, and for a second at most: a trigger waits for who writes there, and whoever wants
to write waits behind it. What stopped half-way is run again from its beginning.
"""

from django.db import migrations

LOCKS = "SET LOCAL lock_timeout = '1s';"
NOTE = {
    ("access_policy_touch", "access_agent"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON access_agent
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.state, t.owner_team_id',
        't.state <> ''active''',
        'id'
    );
""",
    ("access_policy_touch", "access_grant"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON access_grant
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.public_id, t.role_id, t.person_id, t.agent_id, t.team_id, t.environment, t.expires_at, t.conditions',
        't.revoked_at IS NULL',
        'id'
    );
""",
    ("access_policy_touch", "access_membership"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON access_membership
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.team_id, t.person_id',
        'true',
        'id'
    );
""",
    ("access_policy_touch", "access_person"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR DELETE ON access_person
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.is_active',
        'NOT t.is_active',
        'id'
    );
""",
    ("access_policy_touch_active", "access_person"): """
CREATE OR REPLACE TRIGGER access_policy_touch_active AFTER UPDATE ON access_person
    FOR EACH ROW WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active) EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.is_active',
        'NOT t.is_active',
        'id'
    );
""",
    ("access_policy_touch", "access_role"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON access_role
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.name, t.scopes, t.reach',
        'true',
        'id'
    );
""",
    ("access_policy_touch", "access_roleseparation"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON access_roleseparation
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.first_id, t.second_id',
        'true',
        'id'
    );
""",
    ("access_policy_touch", "access_suspension"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON access_suspension
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''access''',
        't.id, t.kind, t.name, t.owner_team',
        't.lifted_at IS NULL',
        'id'
    );
""",
}


class Migration(migrations.Migration):
    """The triggers."""

    atomic = False
    dependencies = [("access", "0010_policy_digests")]
    operations = [
        migrations.RunSQL(LOCKS + made, f"{LOCKS} DROP TRIGGER IF EXISTS {name} ON {table};")
        for (name, table), made in NOTE.items()
    ]
