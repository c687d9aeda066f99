"""What the console's pages take at the server: `.venv/bin/python -m benchmarks.console [SERVERS] [--records N]`.

A scratch PostgreSQL with the installation of `benchmarks.console_world`: with a thousand servers 30,000 definitions, of
which 5,000 wait for a decision, 50 roles, 500 agents, 200 people, 20 teams and 1,000 grants, and with `--records` so
many records of the last four months. Each page is asked for as a signed-in administrator's browser asks, through every
middleware and over a new connection, as the web process has it. Printed are milliseconds (p50, p95), those of this
process's own work, queries with the time that they took, and kilobytes of each. What is built is kept in a directory
with `--keep`, for the next time; `--only WORD` asks for less, and `--profile` says where the time of those pages goes.
The exit code says which pages are late.
"""

import argparse
import cProfile
import gc
import os
import pstats
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import console_world
from benchmarks.scratch import kept_database, scratch_database

if TYPE_CHECKING:
    from django.test import Client

TARGET: Final = 200  # milliseconds, p95
KILOBYTES: Final = 150
ROUNDS: Final = 20


def main(servers: int, records: int, keep: Path | None, only: str, *, profile: bool) -> None:
    """Print the figures."""
    os.environ["OUTBOUND_ALLOW"] = "127.0.0.1/32"  # nothing is called; a server needs a URL that could be
    with scratch_database() if keep is None else kept_database(keep):
        from django.test import Client
        from django.test.utils import teardown_test_environment

        teardown_test_environment()  # it copies the context of every template
        client = Client(HTTP_HOST="localhost")
        client.force_login(_built(servers, records))
        paths = [path for path in _pages() if only in path]
        _warm(client, paths)
        late = [path for path in paths if not _measured(client, path)]
        if profile:
            _profiled(client, paths)
    sys.exit(f"above {TARGET} ms or {KILOBYTES} KB: {', '.join(late)}" if late else 0)


def _built(servers: int, records: int) -> Any:
    """An administrator of the installation, which is made unless it was kept."""
    from access.models import Person

    person = Person.objects.filter(username="ada").first()
    if person is None:
        began = time.perf_counter()
        person = console_world.build(servers)
        console_world.fill(records)
        print(f"built in {time.perf_counter() - began:.0f} s", flush=True)
    return person


def _pages() -> list[str]:
    """Every page, those of one thing for what was used most."""
    from django.db.models import Sum

    from access.models import Agent, GrantUse, Person, Role
    from tools.models import Definition, Review

    review = Review.objects.waiting().filter(definition__kind="tool").latest("pk")
    used = GrantUse.objects.values("server", "name").annotate(all=Sum("calls")).order_by("-all").first()
    slug = used["server"] if used else "s0000"
    definition = Definition.objects.filter(server__slug=slug, kind="tool").order_by("name").last()
    assert definition is not None
    agent, person = Agent.objects.get(client_id="agent-1"), Person.objects.get(username="person-1")
    role = Role.objects.filter(name="role-1").get()
    return [
        "/",
        f"/?server={slug}",
        "/?page=50",
        "/?assignee=nobody&why=new&overdue=on",
        "/?tag=payments",
        "/?tag=internal",
        f"/reviews/{review.public_id}/",
        f"/reviews/{review.public_id}/reach/",
        "/definitions/",
        "/definitions/?effect=may_write&served=on",
        "/definitions/?q=record",
        "/definitions/?state=held",
        "/definitions/?tag=payments",
        "/definitions/?tag=internal",
        "/definitions/?tag=payments&effect=may_write&served=on",
        "/definitions/?unused=on",
        "/definitions/?page=500",
        f"/definitions/{definition.public_id}/",
        f"/definitions/{definition.public_id}/callers/",
        "/servers/",
        "/servers/?tag=payments",
        f"/servers/{slug}/",
        "/servers/s0500/",
        f"/servers/{slug}/connect/",
        f"/servers/{slug}/edit/",
        "/agents/",
        f"/agents/{agent.public_id}/",
        "/roles/",
        "/grants/give/",
        "/people/",
        "/policies/",
        "/alerts/",
        "/audit/",
        f"/audit/?server={slug}",
        "/audit/?principal=person-1",
        "/audit/?decision=denied",
        "/suppressions/",
        "/suspensions/",
        "/right-sizing/",
        "/flows/",
        f"/flows/agents/{agent.public_id}/",
        f"/flows/people/{person.public_id}/",
        "/access/",
        f"/access/?server={slug}",
        f"/access/{slug}/{role.public_id}/",
        "/calls/",
        f"/calls/?server={slug}",
        "/find/?q=tool",
        "/servers/onboard/",
        f"/servers/onboard/{slug}/",
        "/teams/",
        "/teams/team-1/",
        "/tokens/",
        "/audit/months/",
        "/audit/sinks/",
        "/alerts/channels/",
        "/account/security/",
    ]


def _warm(client: "Client", paths: list[str]) -> None:
    """Templates are read once a process, and the web process freezes what it has loaded (`controlplane.asgi`)."""
    for path in paths:
        client.get(path)
    gc.collect()
    gc.freeze()


def _profiled(client: "Client", paths: list[str]) -> None:
    for path in paths:
        with cProfile.Profile() as profiler:
            for _ in range(ROUNDS):
                client.get(path)
        print(path)
        for order in ("cumulative", "tottime"):
            pstats.Stats(profiler).sort_stats(order).print_stats(60)


def _measured(client: "Client", path: str) -> bool:
    """Print a line; whether the page is fast and small enough."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    took, worked = [], []
    for _ in range(ROUNDS):
        connection.close()  # as the web process does between requests
        began, at_work = time.perf_counter(), time.process_time()
        response = client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - at_work) * 1000)
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
    database = 1000 * sum(float(query["time"]) for query in asked)
    p50, p95, own = statistics.median(took), statistics.quantiles(took, n=20)[-1], statistics.median(worked)
    kilobytes = len(response.content) / 1024
    met = p95 <= TARGET and kilobytes <= KILOBYTES and response.status_code == 200
    shown = path if len(path) < 50 else f"{path[:20]}…"
    print(
        f"{'met' if met else 'LATE':5s}{shown:50s}{p50:8.1f}{p95:8.1f} ms, own{own:7.1f} ms{len(asked):5d} queries"
        f"{database:7.1f} ms{kilobytes:7.1f} KB {response.status_code}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", type=int, nargs="?", default=1000)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY")
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    main(given.servers, given.records, given.keep, given.only, profile=given.profile)
