from django.db import migrations

# Of each agent the newest record that says that it was let through, by the index that there is for agents.
LAST = """
INSERT INTO access_agentuse (agent_id, last_used)
SELECT agent.id, last.time FROM access_agent AS agent CROSS JOIN LATERAL (
    SELECT record.time FROM audit_record AS record
    WHERE record.agent = agent.client_id AND record.decision = 'allowed'
        AND record.event IN ('call.intended', 'request.answered', 'connection.opened')
    ORDER BY record.shard DESC, record.id DESC LIMIT 1
) AS last
ON CONFLICT (agent_id) DO NOTHING
"""


class Migration(migrations.Migration):
    """Agents that were used before this release did not count it."""

    dependencies = [("access", "0014_agent_use"), ("audit", "0012_lists")]

    operations = [migrations.RunSQL(LAST, migrations.RunSQL.noop)]
