"""Triggers that note which rows a change of policy touches, as in `access.0011`."""

from django.db import migrations

LOCKS = "SET LOCAL lock_timeout = '1s';"
NOTE = {
    ("access_policy_touch", "tools_breakglass"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON tools_breakglass
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''server:'' || (SELECT s.slug FROM tools_definition d JOIN servers_server s ON s.id = d.server_id
            WHERE d.id = t.definition_id)',
        't.id, t.definition_id, t.version_id,
         (SELECT v.digest FROM tools_definitionversion v WHERE v.id = t.version_id), t.expires_at',
        't.ended_at IS NULL',
        'definition_id'
    );
""",
    ("access_policy_touch", "tools_pin"): """
CREATE OR REPLACE TRIGGER access_policy_touch AFTER INSERT OR UPDATE OR DELETE ON tools_pin
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''server:'' || (SELECT s.slug FROM tools_definition d JOIN servers_server s ON s.id = d.server_id
            WHERE d.id = t.definition_id)',
        't.id, t.definition_id, t.version_id,
         (SELECT v.digest FROM tools_definitionversion v WHERE v.id = t.version_id), t.expires_at',
        't.ended_at IS NULL',
        'definition_id'
    );
""",
    ("access_policy_touch_made", "tools_definition"): """
CREATE OR REPLACE TRIGGER access_policy_touch_made AFTER INSERT ON tools_definition
    FOR EACH ROW WHEN (NEW.sensitive) EXECUTE FUNCTION access_policy_touch(
        '''server:'' || (SELECT s.slug FROM servers_server s WHERE s.id = t.server_id)',
        't.id, t.kind, t.name',
        't.sensitive',
        'id'
    );
""",
    ("access_policy_touch_marked", "tools_definition"): """
CREATE OR REPLACE TRIGGER access_policy_touch_marked AFTER UPDATE ON tools_definition
    FOR EACH ROW WHEN (OLD.sensitive IS DISTINCT FROM NEW.sensitive) EXECUTE FUNCTION access_policy_touch(
        '''server:'' || (SELECT s.slug FROM servers_server s WHERE s.id = t.server_id)',
        't.id, t.kind, t.name',
        't.sensitive',
        'id'
    );
""",
    ("access_policy_touch_gone", "tools_definition"): """
CREATE OR REPLACE TRIGGER access_policy_touch_gone AFTER DELETE ON tools_definition
    FOR EACH ROW WHEN (OLD.sensitive) EXECUTE FUNCTION access_policy_touch(
        '''server:'' || (SELECT s.slug FROM servers_server s WHERE s.id = t.server_id)',
        't.id, t.kind, t.name',
        't.sensitive',
        'id'
    );
""",
}


class Migration(migrations.Migration):
    """The triggers, each in a transaction of its own."""

    atomic = False
    dependencies = [("tools", "0004_guards"), ("servers", "0008_intention"), ("access", "0010_policy_digests")]
    operations = [
        migrations.RunSQL(LOCKS + made, f"{LOCKS} DROP TRIGGER IF EXISTS {name} ON {table};")
        for (name, table), made in NOTE.items()
    ]
