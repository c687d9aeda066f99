"""Which calls must say why; and triggers that note which rows a change of policy touches (`access.0010`)."""

from django.db import migrations, models

# Calls read this table: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"
NOTE = """
CREATE TRIGGER access_policy_touch AFTER INSERT OR DELETE ON servers_server
    FOR EACH ROW EXECUTE FUNCTION access_policy_touch(
        '''server:'' || t.slug',
        't.id, t.slug, t.url, t.environment, t.state, t.owner_team_id, t.required_approvals, t.drift_mode,
         t.intention, t.endpoint_changed_by_id',
        'true',
        'id'
    );
CREATE TRIGGER access_policy_touch_changed AFTER UPDATE ON servers_server
    FOR EACH ROW WHEN (
        (OLD.slug, OLD.url, OLD.environment, OLD.state, OLD.owner_team_id, OLD.required_approvals,
         OLD.drift_mode, OLD.intention, OLD.endpoint_changed_by_id)
        IS DISTINCT FROM (NEW.slug, NEW.url, NEW.environment, NEW.state, NEW.owner_team_id, NEW.required_approvals,
         NEW.drift_mode, NEW.intention, NEW.endpoint_changed_by_id)
    ) EXECUTE FUNCTION access_policy_touch(
        '''server:'' || t.slug',
        't.id, t.slug, t.url, t.environment, t.state, t.owner_team_id, t.required_approvals, t.drift_mode,
         t.intention, t.endpoint_changed_by_id',
        'true',
        'id'
    );
"""
UNDO = """
DROP TRIGGER access_policy_touch ON servers_server;
DROP TRIGGER access_policy_touch_changed ON servers_server;
"""


class Migration(migrations.Migration):
    """Which calls must say why. The database knows the default: the previous release inserts without this column."""

    dependencies = [("servers", "0007_limits"), ("access", "0010_policy_digests")]

    operations = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="server",
            name="intention",
            field=models.CharField(
                db_default="none", default="none", help_text="which calls must say why", max_length=20
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("intention__in", ["none", "sensitive", "all"])), name="server_intention_known"
            ),
        ),
        migrations.RunSQL(NOTE, LOCKS + UNDO),
    ]
