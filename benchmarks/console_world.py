"""A large installation for `benchmarks.console`: servers, who may call them, and the log of what they called.

One server of thirty tools, twelve of which add a leg to a flow, is made and decided by the services, and copied by SQL
past the triggers: what the copies hold was decided for the first. Teams, people, roles, agents and grants are rows; the
log is of calls that the grants allow, at the servers and tools that there are, some of them denied.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from typing import Any, Final

from django.utils import timezone
from psycopg import sql

from benchmarks.search import database_name, without_queue
from servers.surface import Kind
from tests import databases
from tools.fingerprint import digest

SLUG: Final = "s0000"
WAITING: Final = 5  # of each server's tools
TEAMS: Final = 20
PEOPLE: Final = 200
AGENTS: Final = 500
ROLES: Final = 44  # beside the six that are built in
GRANTS: Final = 1000
DAYS: Final = 120  # that the log holds
_APART: Final = 1000  # between the keys of a row and of its copy
_TOOLS: Final = """
list_customers read_file query_database get_invoices search_records search_web read_issue fetch_page list_tickets
send_mail post_message create_ticket ping get_status get_limits list_regions convert_units plan_route score_lead
validate_schedule set_priority rename_label cancel_job restart_worker resize_volume tag_release archive_board
merge_branch rotate_key drop_queue
"""
# Tables to copy, and which of their columns name rows that are copied too.
_COPIED: Final[Mapping[str, tuple[str, ...]]] = {
    "servers_server": (),
    "tools_definition": ("server_id", "observed_id"),
    "tools_definitionversion": ("definition_id",),
    "tools_sketch": ("version_id",),
    "tools_finding": ("version_id",),
    "tools_review": ("definition_id", "version_id", "base_id"),
    "tools_reviewdecision": ("review_id",),
    "tools_pin": ("definition_id", "version_id", "review_id"),
}
_COLUMNS: Final = """
SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
_NEW: Final = {
    "public_id": "gen_random_uuid()",
    "slug": "'s' || lpad(n::text, 4, '0')",
    "name": f"CASE WHEN name = '{SLUG}' THEN 'Server ' || n ELSE name END",
    "url": "url || n",
    "endpoint_key": "md5(n::text)",
    "owner_team_id": f"(SELECT id FROM access_team WHERE slug = 'team-' || n % {TEAMS})",
    "digest": "(SELECT now FROM fresh WHERE was = digest AND of_server = n)",
    "text": "(SELECT said FROM fresh WHERE was = digest AND of_server = n)",
}
# Who may call what, once for each grant, holder and server: a call is one of these ways with one of the server's tools.
_WAYS: Final = f"""
CREATE TEMP TABLE way ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY md5(held.public_id::text || server.slug || holder.principal)) - 1 AS n,
    held.public_id AS given, server.slug, server.id AS server_id, coalesce(team.slug, '') AS team, holder.principal,
    holder.agent
FROM access_grant AS held JOIN access_role AS role ON role.id = held.role_id
CROSS JOIN unnest(role.scopes) AS scope
JOIN servers_server AS server ON scope = 'mcp:' || server.slug || ':call'
LEFT JOIN access_team AS team ON team.id = server.owner_team_id
CROSS JOIN LATERAL (
    SELECT 'agent:' || agent.client_id AS principal, agent.client_id AS agent FROM access_agent AS agent
        WHERE agent.id = held.agent_id
    UNION ALL SELECT md5('pseudonym' || person.id)::uuid::text, 'agent-' || person.id * 2 % {AGENTS}
        FROM access_person AS person WHERE person.id = held.person_id
        OR person.id IN (SELECT person_id FROM access_membership WHERE team_id = held.team_id)) AS holder;
CREATE UNIQUE INDEX ON way (n);
CREATE TEMP TABLE tool ON COMMIT DROP AS
SELECT shown.server_id, shown.name, version.digest,
    row_number() OVER (PARTITION BY shown.server_id ORDER BY md5(shown.name)) - 1 AS n
FROM tools_definition AS shown JOIN tools_definitionversion AS version ON version.id = shown.observed_id
WHERE shown.kind = 'tool';
CREATE UNIQUE INDEX ON tool (server_id, n);
ANALYZE way; ANALYZE tool;
"""
_CALLS: Final = f"""
INSERT INTO audit_record (shard, id, "time", type, event, writer, seq, chain, mac, call_id, principal, actor, agent,
    token_id, server, method, kind, tool, tool_hash, subject, owner_team, environment, decision, reason, rule_ids,
    scopes_used, intention, status, latency_ms, bytes, client_ip, trace_id, body)
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMM')::int,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex((2 * calls.n + part) % 4096), 3, '0') || '8' || substr(md5(calls.n::text || part), 1, 15))::uuid,
    at, type, event, '01932c00-0000-7000-8000-000000000000', 2 * calls.n + part + 1, sha256(calls.n::text::bytea),
    sha256(calls.n::text::bytea) || '\\x01020304', md5('call' || calls.n)::uuid, principal, principal, agent,
    md5('token' || agent), slug, 'tools/call', 'tool', name, digest, 'tool:' || slug || '/' || name, team, 'production',
    CASE type WHEN 'intent' THEN 'allowed' WHEN 'deny' THEN 'denied' ELSE '' END,
    CASE type WHEN 'deny' THEN 'reason_' || floor(power(random(), 3) * 12) ELSE '' END,
    CASE type WHEN 'intent' THEN ARRAY['allow.definition', 'grant:' || given] ELSE '{{}}' END, '{{mcp:connect}}',
    CASE WHEN type = 'intent' AND calls.n % 10 = 0 THEN 'looking for word' || calls.n % 2000 ELSE '' END,
    CASE type WHEN 'outcome' THEN (CASE WHEN calls.n % 25 = 0 THEN 'error' ELSE 'ok' END)
        WHEN 'deny' THEN 'denied' ELSE '' END,
    CASE type WHEN 'outcome' THEN (20 / power(1 - random() * 0.999, 0.7))::int END, 2345, '10.1.2.3',
    md5('trace' || calls.n), convert_to(repeat('{{"body":"abcdef"}}', 48), 'UTF8')
FROM (
    SELECT n, floor(power(random(), 3) * (SELECT count(*) FROM way))::int AS way,
        floor(power(random(), 2) * (SELECT count(*) / count(DISTINCT server_id) FROM tool))::int AS tool,
        random() < 0.06 AS denied, now() - interval '{DAYS} days' * (1 - n / :calls:::float) AS began
    FROM generate_series(1, :calls:) AS n) AS calls
JOIN way ON way.n = calls.way JOIN tool ON tool.server_id = way.server_id AND tool.n = calls.tool
CROSS JOIN LATERAL (
    SELECT 0 AS part, began AS at, CASE WHEN denied THEN 'deny' ELSE 'intent' END AS type,
        CASE WHEN denied THEN 'call.denied' ELSE 'call.intended' END AS event
    UNION ALL SELECT 1, began + interval '20 ms', 'outcome', 'call.completed' WHERE NOT denied) AS records;

INSERT INTO audit_record (shard, id, "time", type, event, principal, actor, subject, reason, after, body)
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMM')::int,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000a' || substr(md5(n::text), 1, 15))::uuid,
    at, 'admin', (ARRAY['grant.given', 'role.changed', 'team.changed', 'grant.revoked'])[1 + n % 4], person, person,
    'team:team-' || n % {TEAMS}, 'For project ' || n % 50 || '.', '{{"a": 1}}', '\\x7b7d'
FROM (
    SELECT n, md5('pseudonym' || n % {PEOPLE})::uuid::text AS person,
        now() - interval '{DAYS} days' * (1 - n / :changes:::float) AS at
    FROM generate_series(1, :changes:) AS n) AS changes;

INSERT INTO audit_subject (pseudonym, public_id, name)
    SELECT md5('pseudonym' || id)::uuid, public_id, username FROM access_person WHERE username LIKE 'person-%';
INSERT INTO audit_leaf (shard, index, record_id, hash)
    SELECT shard, (SELECT max(index) FROM audit_leaf) + row_number() OVER (ORDER BY shard, id), id, sha256(body)
    FROM audit_record WHERE id NOT IN (SELECT record_id FROM audit_leaf);
"""
# As `tools.services.using` would have counted them.
_USES: Final = """
INSERT INTO access_grantuse (grant_id, server, kind, name, scope, first_used, last_used, calls)
SELECT held.id, server, 'tool', tool, 'mcp:' || server || ':tool:' || tool, min("time"), max("time"), count(*)
FROM audit_record JOIN access_grant AS held ON held.public_id::text = substr(rule_ids[2], 7)
WHERE event = 'call.intended' GROUP BY held.id, server, tool;
INSERT INTO access_usecursor (name, index, since) SELECT 'uses', max(index), now() - interval '1 year' FROM audit_leaf;
INSERT INTO servers_healthsample (server_id, "time", ok, latency_ms, error_class)
SELECT id, at, random() < 0.99, 20 + random() * 200, ''
FROM servers_server, generate_series(now() - interval '90 days', now(), interval '5 minutes') AS at
    WHERE slug = 's0500';
"""


def build(servers: int) -> Any:
    """Everything but the log. Answers an administrator."""
    from servers.models import Server
    from tests.console.world import World, administrator
    from tools.models import Review

    world = World(administrator(username="ada"), tools=[])
    world.register(SLUG, name=SLUG)
    world.show(_tools(), SLUG)
    for review in list(Review.objects.waiting().order_by("definition__name")[WAITING:]):
        world.approve(review.definition.name, SLUG)
    world.settle()
    Server.objects.filter(slug=SLUG).update(state="active")
    _teams()
    _copies(servers)
    _tag()
    _access(servers)
    return world.admin


def _tag() -> None:
    """Three tags of each server: one that every twentieth has, one that all have, one of its own."""
    with databases.owner_connection(database_name()) as connection:
        connection.execute(
            "UPDATE servers_server SET tags = ARRAY(SELECT unnest(ARRAY['internal', 'vendor:' || slug,"
            " CASE WHEN right(slug, 2)::int % 20 = 0 THEN 'payments' ELSE 'other' END]) ORDER BY 1)"
        )
        connection.execute("VACUUM ANALYZE servers_server")


def fill(records: int) -> None:
    """The log, with what is counted from it, as its owner, who may switch off the queue of what waits for a place."""
    changes = max(8, records // 100)
    calls = int((records - changes) / 1.94)  # six of a hundred calls are denied and have one record
    with databases.owner_connection(database_name()) as connection, connection.transaction():
        connection.execute("SELECT setseed(0.5)")
        _months(connection)
        without_queue(connection)
        for made in (_WAYS, _CALLS, _USES):
            connection.execute(made.replace(":calls:", str(calls)).replace(":changes:", str(changes)))
    with databases.owner_connection(database_name()) as connection:
        connection.execute("VACUUM ANALYZE")


def _months(connection: Any) -> None:
    """Partitions for months that a new log would not have."""
    months = connection.execute(
        "SELECT to_char(generate_series(now() - %s * interval '1 day', now(), interval '1 week'), 'YYYYMM')", [DAYS]
    ).fetchall()
    for month, table in product(sorted({month for (month,) in months}), ("audit_record", "audit_leaf")):
        if connection.execute("SELECT to_regclass(%s)", [f"{table}_{month}"]).fetchone()[0] is None:
            connection.execute(f"CREATE TABLE {table}_{month} (LIKE {table} INCLUDING ALL)")
            connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_{month} FOR VALUES IN ({month})")


def _tools() -> list[Any]:
    from tests.console.world import tool

    kinds: list[dict[str, bool]] = [{"readOnlyHint": True}, {"destructiveHint": False}, {}]
    names = enumerate(_TOOLS.split())
    return [tool(name, name.replace("_", " ").capitalize() + ".", annotations=kinds[n % 3]) for n, name in names]


def _teams() -> None:
    from access.models import Membership, Person, Team

    teams = Team.objects.bulk_create(Team(slug=f"team-{n}", name=f"Team {n}") for n in range(TEAMS))
    people = Person.objects.bulk_create(Person(username=f"person-{n}") for n in range(PEOPLE))
    Membership.objects.bulk_create(
        Membership(team=teams[(n + more) % TEAMS], person=person) for n, person in enumerate(people) for more in (0, 7)
    )


def _access(servers: int) -> None:
    """Roles, each for twenty servers of a team and for some tools beside; agents; and who was given what."""
    from access.models import Agent, Grant, Person, Role, Team

    teams, people = list(Team.objects.order_by("pk")), list(Person.objects.filter(username__startswith="person-"))
    roles = Role.objects.bulk_create(Role(name=f"role-{n}", scopes=_scopes(n, servers)) for n in range(ROLES))
    made = Agent.objects.bulk_create(_agent(n, teams[n % TEAMS]) for n in range(AGENTS))
    agents = [agent for agent in made if not agent.acts_for_people]
    holders: list[dict[str, Any]] = [{"team": teams[n % TEAMS]} for n in range(3 * TEAMS)]
    holders += [{"person": person} for person in people]
    holders += [{"agent": agents[n % len(agents)]} for n in range(GRANTS - len(holders))]
    given = (Grant(role=roles[(n * 5 + n // TEAMS) % ROLES], reason="Work.", **held) for n, held in enumerate(holders))
    Grant.objects.bulk_create(given)
    long_ago = timezone.now() - timedelta(days=DAYS)
    Grant.objects.update(created_at=long_ago)
    Role.objects.update(updated_at=long_ago)


def _scopes(role: int, servers: int) -> list[str]:
    own = [f"s{n:04d}" for n in range(servers) if n % TEAMS == role % TEAMS]
    whole = [slug for n, slug in enumerate(own) if (n + role) % 5 < 2]
    tools = [f"mcp:s{(role * 31 + n) % servers:04d}:tool:{name}" for n, name in enumerate(_TOOLS.split()[:20])]
    return ["mcp:connect", *(f"mcp:{slug}:{what}" for slug in whole for what in ("read", "call")), *tools]


def _agent(n: int, team: Any) -> Any:
    """Every fifth acts for people."""
    from access.models import Agent

    named = {"client_id": f"agent-{n}", "name": f"Agent {n}", "owner_team": team}
    if n % 5:
        grant_type = Agent.GRANT_CLIENT_CREDENTIALS
        return Agent(**named, client_type=Agent.CLIENT_CONFIDENTIAL, authorization_grant_type=grant_type)
    uri, grant_type = "http://127.0.0.1/callback", Agent.GRANT_AUTHORIZATION_CODE
    return Agent(**named, client_type=Agent.CLIENT_PUBLIC, authorization_grant_type=grant_type, redirect_uris=uri)


def _copies(servers: int) -> None:
    """The other servers, by SQL and past the triggers."""
    with databases.owner_connection(database_name()) as connection:
        # Keys into other tables are checked when all is there.
        with connection.transaction():
            _rewrite(connection, servers)
            for table, keys in _COPIED.items():
                _copy(connection, table, {"id", *keys}, servers)
        connection.execute("VACUUM ANALYZE")


def _rewrite(connection: Any, servers: int) -> None:
    """What each copy says: in words of its own, under the digest of those, or it would be refused as damaged."""
    connection.execute("CREATE TEMP TABLE fresh (was text, of_server int, now text, said text) ON COMMIT DROP")
    found = connection.execute(
        "SELECT kind, digest, text FROM tools_definitionversion AS shown"
        " JOIN tools_definition AS of ON of.id = shown.definition_id"
    ).fetchall()
    with connection.cursor().copy("COPY fresh FROM STDIN") as copy:
        for kind, was, text in found:
            for n in range(1, servers):
                body = {**json.loads(text), "description": f"{json.loads(text).get('description', '')} Server {n}."}
                copy.write_row((was, n, digest(Kind(kind), body), json.dumps(body)))
    connection.execute("CREATE INDEX ON fresh (was, of_server)")
    connection.execute("ANALYZE fresh")


def _copy(connection: Any, table: str, moved: set[str], servers: int) -> None:
    name = sql.Identifier(table)
    connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    columns = [str(column) for (column,) in connection.execute(_COLUMNS, [table])]
    values = [f"{each} + n * {_APART}" if each in moved else _NEW.get(each, each) for each in columns]
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}, generate_series(1, {}) AS n").format(
            name,
            sql.SQL(", ".join(columns)),
            sql.SQL(", ".join(values)),
            name,
            sql.Literal(servers - 1),
        )
    )
