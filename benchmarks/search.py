"""How long a page of the audit log takes: `.venv/bin/python -m benchmarks.search [RECORDS] [--keep DIRECTORY]`.

Makes RECORDS records (1,000,000) of 54 days in a PostgreSQL of its own: 200 servers, 400 tools, 1,000 agents and 20
teams, few of them busy and most quiet; 3 % of the records are denials, 5 % say why the call is made (`--said 1`: those
of all calls do). Then it asks for pages as the API does, each filter alone and the usual ones together, with common,
rare and absent values, from the first page on, as somebody who reads the whole log and as somebody who reads what one
team owns. The times are those of the queries, with their rows fetched. Records that are kept in a directory are made
once; `--only WORD` asks for less.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.scratch import kept_database, scratch_database
from core.actor import Actor, ActorKind
from tests import databases

TARGET: Final = 300  # milliseconds, p95
PAGES: Final = 6  # that are followed for each value
ROWS: Final = 50
MADE: Final = """
INSERT INTO audit_record (shard, id, "time", type, event, writer, seq, chain, mac, call_id, principal, actor, agent,
    token_id, server, method, kind, tool, tool_hash, subject, owner_team, environment, decision, reason, rule_ids,
    scopes_used, intention, status, latency_ms, bytes, client_ip, trace_id, body)
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMM')::int,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex((2 * n + part) % 4096), 3, '0') || '8' || substr(md5(n::text || part), 1, 15))::uuid,
    at, kind, event, '01932c00-0000-7000-8000-000000000000', 2 * n + part + 1, sha256(n::text::bytea),
    sha256(n::text::bytea) || '\\x01020304', md5('call' || n)::uuid, principal, principal, 'agent-' || agent,
    md5('token' || agent), 'server-' || server, 'tools/call', 'tool', 'tool-' || tool, repeat('ab', 32),
    'tool:server-' || server || '/tool-' || tool, 'team-' || server % 20, 'production',
    CASE kind WHEN 'intent' THEN 'allowed' WHEN 'deny' THEN 'denied' ELSE '' END,
    CASE kind WHEN 'deny' THEN 'reason_' || floor(power(random(), 3) * 12) ELSE '' END, '{grant:1}', '{mcp:connect}',
    CASE WHEN kind = 'intent' AND random() < :said: THEN (
        SELECT string_agg('word' || word, ' ')
        FROM (SELECT floor(power(random(), 2) * 2000)::int AS word FROM generate_series(1, 12) WHERE n > 0) AS words)
        ELSE '' END,
    CASE kind WHEN 'outcome' THEN 'ok' WHEN 'deny' THEN 'denied' ELSE '' END, 12, 2345, '10.1.2.3', md5('trace' || n),
    convert_to(repeat('{"body":"abcdef"}', 48), 'UTF8')
FROM (
    SELECT n, agent, server, tool, denied,
        CASE WHEN agent % 5 = 0 THEN md5('person' || agent % 300)::uuid::text
            ELSE 'agent:agent-' || agent END AS principal,
        now() - interval '54 days' * (1 - n / :calls:::float) AS began
    FROM (
        SELECT n, floor(power(random(), 3) * 1000)::int AS agent, floor(power(random(), 3) * 200)::int AS server,
            floor(power(random(), 3) * 400)::int AS tool, random() < 0.06 AS denied
        FROM generate_series(1, :calls:) AS n) AS calls) AS begun
CROSS JOIN LATERAL (
    SELECT 0 AS part, began AS at, CASE WHEN denied THEN 'deny' ELSE 'intent' END AS kind,
        CASE WHEN denied THEN 'call.denied' ELSE 'call.intended' END AS event
    UNION ALL SELECT 1, began + interval '20 ms', 'outcome', 'call.completed' WHERE NOT denied) AS records;

INSERT INTO audit_record (shard, id, "time", type, event, principal, actor, subject, reason, after, body)
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMM')::int,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000a' || substr(md5(n::text), 1, 15))::uuid,
    at, 'admin', (ARRAY['grant.given', 'role.changed', 'team.changed', 'grant.revoked'])[1 + n % 4], person, person,
    'team:team-' || n % 20, 'For project ' || n % 50 || '.', '{"a": 1}', '\\x7b7d'
FROM (
    SELECT n, md5('person' || n % 300)::uuid::text AS person,
        now() - interval '54 days' * (1 - n / :changes:::float) AS at
    FROM generate_series(1, :changes:) AS n) AS changes;

INSERT INTO audit_subject (pseudonym, public_id, name)
    SELECT md5('person' || n)::uuid, md5('public' || n)::uuid, 'person-' || n FROM generate_series(0, 299) AS n;
INSERT INTO audit_leaf (shard, index, record_id, hash)
    SELECT shard, row_number() OVER (ORDER BY shard, id) - 1, id, sha256(body) FROM audit_record;
"""
# Values for each filter: common ones, rare ones, one that is not there. A dictionary stands for filters together.
ASKED: Final[dict[str, Sequence[dict[str, str]]]] = {
    "(none)": [{}],
    "principal": [
        {"principal": name} for name in ("agent-1", "agent-501", "agent-998", "person-0", "person-295", "nobody")
    ],
    "agent": [{"agent": name} for name in ("agent-0", "agent-500", "agent-998", "nobody")],
    "server": [{"server": name} for name in ("server-0", "server-60", "server-199", "nowhere")],
    "tool, canonical": [{"tool": name} for name in ("server-0/tool-0", "server-60/tool-90", "server-199/tool-399")],
    "tool, bare": [{"tool": name} for name in ("tool-0", "tool-200", "tool-399", "nothing")],
    "type": [{"type": name} for name in ("intent", "deny", "admin", "checkpoint")],
    "decision": [{"decision": name} for name in ("allowed", "denied")],
    "reason": [{"reason": name} for name in ("reason_0", "reason_11", "For project 7.", "no_such")],
    "event": [{"event": name} for name in ("call.completed", "call.denied", "role.changed", "glass.broken")],
    "since and until": [
        {"since": "{50}", "until": "{49}"}, {"since": "{20}", "until": "{19}"}, {"until": "{45}"}, {"since": "{1}"},
        {"since": "{400}", "until": "{380}"},
    ],
    "call": [{"call_id": "{call1}"}, {"call_id": "{call7}"}, {"call_id": "0" * 32}],
    "trace": [{"trace_id": "{trace1}"}, {"trace_id": "{trace7}"}, {"trace_id": "0" * 32}],
    "words": [
        {"intention": text} for text in ("word0", "word3", "word1999", "word1 or word2", "word5 -word6", "nothing")
    ],
    "agent, denied": [{"agent": name, "decision": "denied"} for name in ("agent-0", "agent-500", "agent-998")],
    "tool, one day": [
        {"tool": name, "since": "{20}", "until": "{19}"}
        for name in ("server-0/tool-0", "server-60/tool-90", "tool-399")
    ],
    "person, server, words": [{"principal": "person-0", "server": "server-0", "intention": "word0"}],
}  # fmt: skip


def main(count: int, said: float, keep: Path | None, only: str) -> None:
    """Print the figures."""
    with scratch_database() if keep is None else kept_database(keep):
        from audit.models import Record

        began = time.perf_counter()
        if not Record.objects.exists():
            make(count, said)
            print(f"{count} records made in {time.perf_counter() - began:.0f} s")
        late = measure(only)
    sys.exit(f"above {TARGET} ms: {', '.join(late)}" if late else 0)


def measure(only: str) -> list[str]:
    """Print a line for each filter and reader; answers which were late."""
    readers = (("auditor", _reader()), ("busy team", _reader("team-0")), ("quiet team", _reader("team-19")))
    print(f"{'filter':24s}{'reader':12s}{'pages':>6s}{'p50':>8s}{'p95':>8s}  ms, p95 at most {TARGET}")
    late = []
    for name, who, reader in ((name, *each) for name in ASKED if only in name for each in readers):
        took = _timed(reader, [_filled(query) for query in ASKED[name]])
        p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
        late += [f"{name} ({who})"] if p95 > TARGET else []
        verdict = "LATE" if p95 > TARGET else "met"
        print(f"{name:24s}{who:12s}{len(took):6d}{p50:8.1f}{p95:8.1f}  {verdict}", flush=True)
    return late


def _reader(team: str = "") -> Actor:
    from core.permissions import Permission

    held = frozenset({Permission.AUDIT_READ.value})
    if not team:
        return Actor(kind=ActorKind.PERSON, id="", name="", permissions=held)
    return Actor(kind=ActorKind.PERSON, id="", name="", own_team_permissions=held, team_ids=frozenset({1}),
                 team_slugs=frozenset({team}))  # fmt: skip


def _timed(reader: Actor, queries: Sequence[dict[str, str]]) -> list[float]:
    """Milliseconds of at least thirty pages: some of each query, from the first one on."""
    took: list[float] = []
    while len(took) < 30:
        for query in queries:
            took += _pages(reader, query)
    return took


def _pages(reader: Actor, query: dict[str, str]) -> Iterator[float]:
    from audit.filters import read_filters
    from audit.models import Record

    after = None
    for _ in range(PAGES):
        began = time.perf_counter()
        rows = Record.objects.visible_to(reader).with_index().page(read_filters(query), ROWS + 1, after=after)
        yield (time.perf_counter() - began) * 1000
        if len(rows) <= ROWS:
            break
        after = rows[ROWS - 1].pk


def _filled(query: dict[str, str]) -> dict[str, str]:
    """The query with `{7}` as the moment so many days ago, and `{call7}` or `{trace7}` as the id of a call."""
    from datetime import UTC, datetime, timedelta
    from hashlib import md5

    def fill(text: str) -> str:
        if not text.startswith("{"):
            return text
        inside = text[1:-1]
        if inside.isdigit():
            return (datetime.now(UTC) - timedelta(days=int(inside))).isoformat().replace("+00:00", "Z")
        return md5(inside.encode(), usedforsecurity=False).hexdigest()

    return {name: fill(text) for name, text in query.items()}


def make(count: int, said: float) -> None:
    """Fill the log as its owner, who may switch off the queue of what waits for its place."""
    changes = max(8, count // 100)
    calls = int((count - changes) / 1.94)  # six of a hundred calls are denied and have one record
    with databases.owner_connection(database_name()) as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute("SELECT audit_create_shard(to_char(now() - interval '1 month', 'YYYYMM')::int)")
        without_queue(connection)
        made = MADE.replace(":calls:", str(calls)).replace(":changes:", str(changes)).replace(":said:", str(said))
        connection.execute(made)
        connection.execute("VACUUM ANALYZE")


def without_queue(connection: Any) -> None:
    """Switch off the queue of what waits for its place: these records bring theirs."""
    for (table,) in connection.execute(
        "SELECT 'audit_record' UNION SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'audit_record'::regclass"
    ).fetchall():
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_queue")


def database_name() -> str:
    """Of the scratch database."""
    from django.db import connection

    return str(connection.settings_dict["NAME"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--said", type=float, default=0.1)
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY")
    parser.add_argument("--only", default="", metavar="WORD")
    given = parser.parse_args()
    main(given.records, given.said, given.keep, given.only)
