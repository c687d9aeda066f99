"""What the console's pages take at the server: `.venv/bin/python -m benchmarks.console [SERVERS] [--records N]`.

A scratch PostgreSQL with one server of thirty tools, made and decided by the services, and copies of it: with a
thousand servers 30,000 definitions, of which 5,000 wait for a decision. Each page is asked for as a signed-in
administrator's browser asks, through every middleware; printed are milliseconds (p50, p95), queries with the time that
they took, and kilobytes of each. With `--records` the audit log is filled as `benchmarks.search` does it. The exit code
says which pages are late.
"""

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from benchmarks import search
from benchmarks.scratch import scratch_database
from servers.surface import Kind
from tests import databases
from tools.fingerprint import digest

if TYPE_CHECKING:
    from django.test import Client

TARGET: Final = 200  # milliseconds, p95
KILOBYTES: Final = 150
ROUNDS: Final = 20
_TOOLS: Final = 30
_WAITING: Final = 5
_APART: Final = 1000  # between the keys of a row and of its copy
_SLUG: Final = "s0000"
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
    "name": "CASE WHEN name = 's0000' THEN 'Server ' || n ELSE name END",
    "url": "url || n",
    "endpoint_key": "md5(n::text)",
    "digest": "(SELECT now FROM fresh WHERE was = digest AND of_server = n)",
    "text": "(SELECT said FROM fresh WHERE was = digest AND of_server = n)",
}


def main(servers: int, records: int) -> None:
    """Print the figures."""
    os.environ["OUTBOUND_ALLOW"] = "127.0.0.1/32"  # nothing is called; a server needs a URL that could be
    with scratch_database():
        from django.test import Client

        person = _installation()
        _copies(servers)
        if records:
            search.make(records, 0.1)
        client = Client()
        client.force_login(person)
        _warm(client)
        late = [path for path in _pages() if not _measured(client, path)]
    sys.exit(f"above {TARGET} ms or {KILOBYTES} KB: {', '.join(late)}" if late else 0)


def _installation() -> Any:
    """An administrator, a server of thirty tools of which five wait, an agent with a role."""
    from servers.models import Server
    from tests.console.world import World, administrator, tool
    from tools.models import Review

    world = World(administrator(username="ada"), tools=[])
    world.register(_SLUG, name=_SLUG)
    kinds: list[dict[str, bool]] = [{"readOnlyHint": True}, {"destructiveHint": False}, {}]
    shown = [
        tool(f"tool_{n:02d}", f"Does thing {n} to a record of the system.", annotations=kinds[n % 3])
        for n in range(_TOOLS)
    ]
    world.show(shown, _SLUG)
    for review in list(Review.objects.waiting().order_by("definition__name")[_WAITING:]):
        world.approve(review.definition.name, _SLUG)
    world.settle()
    Server.objects.filter(slug=_SLUG).update(state="active")
    return world.admin


def _copies(servers: int) -> None:
    """The other servers, by SQL and past the triggers: what they hold was decided for the first."""
    with databases.owner_connection(search.database_name()) as connection:
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


def _pages() -> list[str]:
    from tools.models import Definition, Review

    review = Review.objects.waiting().latest("pk")
    definition = Definition.objects.latest("pk")
    return [
        "/",
        "/?server=s0500",
        "/?page=50",
        "/?assignee=nobody&why=new&overdue=on",
        f"/reviews/{review.public_id}/",
        f"/reviews/{review.public_id}/reach/",
        "/definitions/",
        "/definitions/?effect=may_write&served=on",
        "/definitions/?q=tool_07",
        "/definitions/?state=held",
        "/definitions/?page=500",
        f"/definitions/{definition.public_id}/",
        f"/definitions/{definition.public_id}/callers/",
        "/servers/",
        "/servers/s0500/",
        "/servers/s0500/connect/",
        "/servers/s0500/edit/",
        "/agents/",
        "/roles/",
        "/people/",
        "/policies/",
        "/alerts/",
        "/audit/",
        "/suppressions/",
        "/suspensions/",
        "/right-sizing/",
        "/flows/",
        "/access/",
        "/access/?server=s0500",
        "/calls/",
        "/find/?q=tool",
        "/servers/onboard/",
        "/teams/",
        "/tokens/",
        "/audit/months/",
        "/audit/sinks/",
        "/alerts/channels/",
        "/account/security/",
    ]


def _warm(client: "Client") -> None:
    """Templates are read once a process, and the web process freezes what it has loaded (`controlplane.asgi`)."""
    for path in _pages():
        client.get(path)
    gc.collect()
    gc.freeze()


def _measured(client: "Client", path: str) -> bool:
    """Print a line; whether the page is fast and small enough."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        response = client.get(path)
        took.append((time.perf_counter() - began) * 1000)
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
    database = 1000 * sum(float(query["time"]) for query in asked)
    p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    kilobytes = len(response.content) / 1024
    met = p95 <= TARGET and kilobytes <= KILOBYTES and response.status_code == 200
    shown = path if len(path) < 50 else f"{path[:20]}…"
    print(
        f"{'met' if met else 'LATE':5s}{shown:50s}{p50:8.1f}{p95:8.1f} ms{len(asked):5d} queries{database:7.1f} ms"
        f"{kilobytes:7.1f} KB {response.status_code}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", type=int, nargs="?", default=1000)
    parser.add_argument("--records", type=int, default=0)
    given = parser.parse_args()
    main(given.servers, given.records)
