"""The gateway's own process killed and starved, and PostgreSQL and Valkey taken from it, all under load.

What is checked each time: no call arrived at the server that has no intent, no answer was released that has no
outcome, nobody was let in who should not be, and it recovers by itself.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from django.conf import settings
from django.db import connections
from django.test import override_settings
from psycopg.sql import SQL, Identifier
from redis import Redis

from access.services import revisions, suspend_agent
from audit.events import Event
from audit.models import Record
from audit.services import reconcile_unfinished
from controlplane import devservices, devvalkey
from controlplane.devpostgres import APP_ROLE, OWNER_ROLE
from tests import databases
from tests.alerts.receiver import receiving
from tests.audit.test_writer_faults import Postgres
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.gateway.faults import HONEST, ROOT, agency, answer, called, honest_calls, process, register, stable
from tests.gateway.test_pipeline import INITIALIZE
from tests.gateway.world import World, free_port, running, until

pytestmark = [pytest.mark.network, pytest.mark.story]

DENIED_SECONDS = 15  # the writer's two, and a machine that does other things as well
KILLS = 20
UNKNOWN_SECONDS = 60
KINDS = ("intent", "outcome")


@pytest.fixture(scope="module")
def honest() -> Iterator[HonestServer]:
    with honest_server() as server:
        yield server


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, honest: HonestServer) -> Iterator[World]:
    """A database with what the processes below serve; this process's own gateway only helps to set it up."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    addresses = override_settings(PUBLIC_URL=url, ISSUER=url, GATEWAY_URL=f"{url}/mcp")
    with django_db_blocker.unblock(), databases.fresh_copy(), addresses, running(port) as gateway:
        found = World(url, gateway)
        register(found, {HONEST: honest.url})
        yield found


@dataclass
class Load:
    """Callers that never stop, each call with a trace of its own, and what came of them."""

    url: str
    token: str
    released: set[str] = field(default_factory=set)
    denied: int = 0
    unreachable: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def call(self) -> None:
        """One call."""
        trace, began = uuid4().hex, time.monotonic()
        try:
            response = called(self.url, self.token, {"text": trace}, trace=trace)
        except httpx2.HTTPError:
            self.unreachable += 1
            time.sleep(0.1)
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        try:
            found = answer(response)
        except ValueError:
            self.wrong.append(f"{response.status_code} {response.text[:300]}")
            return
        if "result" in found and found["result"].get("isError") is not True:
            self.released.add(trace)
        elif response.status_code == 503:
            self.denied += 1
            time.sleep(0.05)
        else:
            self.wrong.append(response.text[:300])

    def grows(self, by: int = 20, *, seconds: float = 60) -> None:
        """Wait for so many more answers."""
        wanted = len(self.released) + by
        until(lambda: len(self.released) >= wanted or self.wrong, seconds=seconds)

    def is_denied(self, by: int = 10) -> None:
        """Wait for so many more denials."""
        wanted = self.denied + by
        until(lambda: self.denied >= wanted or self.wrong, seconds=60)


@contextmanager
def loaded(url: str, token: str, callers: int = 6) -> Iterator[Load]:
    """Load for the length of the block."""
    load, stop = Load(url, token), threading.Event()

    def caller() -> None:
        while not stop.is_set():
            load.call()

    threads = [threading.Thread(target=caller, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)


def arrived(honest: HonestServer) -> set[str]:
    """The traces of the calls that the server carried out: its journal."""
    return {call["arguments"]["text"] for call in honest.calls()}


def recorded(type_: str) -> set[str]:
    """The traces of records of one type."""
    return set(Record.objects.filter(type=type_, server=HONEST).values_list("trace_id", flat=True))


@pytest.fixture
def token(world: World, honest: HonestServer, request: pytest.FixtureRequest) -> str:
    """Of an agent of the test's own; the server's journal begins anew."""
    honest.change(calls=[])
    name = f"robot of {request.node.name}"[:60]
    return agency(world, [HONEST], name=name).token(HONEST)


@contextmanager
def reconciling() -> Iterator[None]:
    """The reconciler at its pace, for the length of the block."""
    stop, seconds = threading.Event(), settings.CELERY_BEAT_SCHEDULE["reconcile-unfinished"]["schedule"]

    def run() -> None:
        try:
            while not stop.wait(seconds):
                reconcile_unfinished()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def of_calls(event: Event) -> dict[UUID, Record]:
    """The records of one event, by call."""
    return {record.call_id: record for record in Record.objects.filter(event=event.value) if record.call_id}


def endless() -> set[UUID]:
    """Calls whose intent has no end."""
    ends = of_calls(Event.CALL_COMPLETED).keys() | of_calls(Event.CALL_UNKNOWN).keys()
    return of_calls(Event.CALL_INTENDED).keys() - ends


def test_a_gateway_that_is_killed_leaves_no_call_without_an_intent_and_no_answer_without_an_outcome(
    world: World, honest: HonestServer, token: str, tmp_path: Path
) -> None:
    """And every call whose end it took along is on record as unknown within a minute."""
    port, log = free_port(), tmp_path / "log"
    url = f"http://127.0.0.1:{port}/mcp/{HONEST}"
    with reconciling(), stable(log) as begin:
        with loaded(url, token) as load:
            for _ in range(KILLS):
                pid = begin(port)
                load.grows(10)
                os.kill(pid, signal.SIGKILL)
        until(lambda: not endless(), seconds=UNKNOWN_SECONDS)
    assert load.wrong == []
    assert load.unreachable > 0
    assert arrived(honest) - recorded("intent") == set()
    intents, outcomes, unknown = map(of_calls, (Event.CALL_INTENDED, Event.CALL_COMPLETED, Event.CALL_UNKNOWN))
    assert load.released - {record.trace_id for record in outcomes.values()} == set()
    assert unknown.keys() & outcomes.keys() == set()
    assert len(unknown) == Record.objects.filter(event=Event.CALL_UNKNOWN.value).count() > 0
    waited = [(record.time - intents[call].time).total_seconds() for call, record in unknown.items()]
    assert max(waited) < UNKNOWN_SECONDS
    assert token not in log.read_text(errors="replace")


PROGRAMS = ("pg_dump", "psql")


def _program(name: str, postgres: Postgres) -> str:
    """Beside the server that runs."""
    return str(Path(f"/proc/{postgres.cluster.pid}/exe").readlink().parent / name)


@pytest.fixture
def postgres(world: World, token: str) -> Iterator[Postgres]:
    """A PostgreSQL of its own with a copy of the database, because others need theirs alive."""
    with devservices.runtime_directory() as runtime:
        found = Postgres(runtime)
        try:
            dump, load = (_program(name, found) for name in PROGRAMS)
            if not (Path(dump).exists() and Path(load).exists()):
                pytest.skip("there is no pg_dump beside this PostgreSQL")
            copied = subprocess.run([dump, os.environ["DATABASE_ADMIN_URL"]], capture_output=True, check=True)
            command = [load, "-q", "-v", "ON_ERROR_STOP=1", found.cluster.url(OWNER_ROLE)]
            done = subprocess.run(command, input=copied.stdout, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()[-2000:]
            yield found
        finally:
            found.stop()


@contextmanager
def killed(postgres: Postgres) -> Iterator[None]:
    """In the middle of whatever it did, and back with the same data."""
    postgres.stop(signal.SIGKILL)
    yield
    postgres.start()


@contextmanager
def without_connections(postgres: Postgres) -> Iterator[None]:
    """Those that there are end, and there are no others."""
    postgres.execute(f"ALTER ROLE {APP_ROLE} CONNECTION LIMIT 0")
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", values=(APP_ROLE,))
    yield
    postgres.execute(f"ALTER ROLE {APP_ROLE} CONNECTION LIMIT -1")


@contextmanager
def locked(postgres: Postgres) -> Iterator[None]:
    """Every thread that looks up a token, a session or the policy waits for a lock."""
    with psycopg.connect(postgres.cluster.url(OWNER_ROLE)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename ~ '^(access|gateway)_'").fetchall()
        names = [Identifier(name) for (name,) in tables]
        connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(SQL(", ").join(names)))
        yield


_INTERRUPTED = (
    "SELECT (after ->> 'refused')::int FROM audit_record WHERE event = 'audit.interrupted'",
    OWNER_ROLE,
)
_ENDLESS = """
    SELECT call_id FROM audit_record WHERE event = 'call.intended'
    EXCEPT SELECT call_id FROM audit_record WHERE type = 'outcome'
"""
_LEAVES = """
    SELECT count(*) = count(DISTINCT record_id) AND count(*) = (SELECT count(*) FROM audit_record),
        count(*) = max(index) + 1 FROM audit_leaf
"""
WAYS = (killed, without_connections, locked)
_SETTLE = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
import django
django.setup()
from datetime import timedelta
from audit import services
from audit.models import Boot
from audit.services import reconciling
reconciling.GRACE = timedelta(0)
while Boot.objects.filter(reconciled_at=None).exists():
    services.reconcile_unfinished()
while services.place_records():
    pass
"""


def settle(environment: dict[str, str]) -> None:
    """What the control plane does after a gateway's end, in a process that has that database."""
    done = subprocess.run(
        [sys.executable, "-c", _SETTLE], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_calls_are_denied_while_postgresql_is_away_and_go_on_when_it_is_back(
    honest: HonestServer, token: str, postgres: Postgres, tmp_path: Path
) -> None:
    log, database = tmp_path / "log", {"DATABASE_URL": postgres.cluster.url(APP_ROLE)}
    with ExitStack() as stack:
        alarms = stack.enter_context(receiving())
        environment = {**database, "AUDIT_ALARM_URL": alarms.url}
        gateway = stack.enter_context(process(log, environment=environment))
        load = stack.enter_context(loaded(gateway.endpoint(HONEST), token))
        for away in WAYS:
            load.grows()
            with away(postgres):
                load.is_denied()
                before = len(honest.calls())
                load.is_denied()
                assert len(honest.calls()) == before
                # It cannot record, or what it knows of policy is too old by then.
                assert not gateway.ready()
            load.grows()
            until(gateway.ready, seconds=60)
    assert load.wrong == []
    assert load.slowest < DENIED_SECONDS
    query = "SELECT DISTINCT trace_id FROM audit_record WHERE type = %s"
    intents, outcomes = ({trace for (trace,) in postgres.execute(query, OWNER_ROLE, (kind,))} for kind in KINDS)
    assert arrived(honest) - intents == set()
    assert load.released - outcomes == set()
    assert {json.loads(body)["type"] for _, body in alarms.requests} == {"audit.unavailable"}
    interruptions = postgres.execute(*_INTERRUPTED)
    assert 1 <= len(interruptions) <= len(alarms.requests)
    assert all(count > 0 for (count,) in interruptions)
    settle(database)
    assert postgres.execute(_ENDLESS, OWNER_ROLE) == []
    assert postgres.execute(_LEAVES, OWNER_ROLE) == [(True, True)]
    # The control plane's records have no number.
    sequences = [seqs for seqs in postgres.sequences().values() if None not in seqs]
    assert sequences
    for seqs in sequences:
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert token not in log.read_text(errors="replace")


@contextmanager
def own_valkey(stack: ExitStack) -> Iterator[devvalkey.Instance]:
    """A Valkey that may be stopped, and everything in this process pointed to it."""
    runtime = stack.enter_context(devservices.runtime_directory())
    found = stack.enter_context(
        devvalkey.running(runtime=runtime, data=None, log=runtime / "log", environment=os.environ)
    )
    with override_settings(REDIS_URL=found.url):
        revisions._messenger.cache_clear()
        try:
            yield found
        finally:
            os.kill(found.pid, signal.SIGCONT)
            revisions._messenger.cache_clear()


RUBBISH = (b"\xff\xfe" * 500, b"", b"revised", b"ended", b"ended not-an-id", b"cancel " + b"a" * 64, b"{}", b"grant *")


def test_without_valkey_calls_go_on_and_what_was_taken_away_is_gone_within_seconds(
    world: World, honest: HonestServer, token: str
) -> None:
    """Frozen, emptied, full of rubbish: nobody is let in or shut out by it."""

    def leave(name: str) -> None:
        made = agency(second, [HONEST], name=name)
        leaving = made.token(HONEST)
        assert "result" in answer(called(second.endpoint(HONEST), leaving, {}))
        suspend_agent(client_id=made.agent.client_id, actor=second.admin, reason="A test.")
        until(lambda: called(second.endpoint(HONEST), leaving, {}).status_code in (401, 403), seconds=25)

    port = free_port()
    with ExitStack() as stack:
        valkey = stack.enter_context(own_valkey(stack))
        gateway = stack.enter_context(running(port))
        second = World.__new__(World)
        second.url, second.gateway, second.admin = f"http://127.0.0.1:{port}", gateway, world.admin
        with honest_calls(second.endpoint(HONEST), token) as beside:
            leave("with valkey")
            os.kill(valkey.pid, signal.SIGSTOP)
            leave("valkey frozen")
            assert "mcp-session-id" in second.post(token, INITIALIZE, slug=HONEST).headers
            os.kill(valkey.pid, signal.SIGCONT)
            with Redis.from_url(valkey.url) as redis:
                redis.flushall()
                leave("valkey emptied")
                for word in RUBBISH:
                    redis.publish("holdfast:gateway", word)
                    redis.publish(revisions.CHANNEL, word)
                redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            leave("valkey told rubbish")
        assert beside.failed == []


def test_a_process_without_file_descriptors_refuses_and_lets_nobody_in(
    world: World, honest: HonestServer, token: str, tmp_path: Path
) -> None:
    with process(tmp_path / "log") as gateway:
        url = gateway.endpoint(HONEST)
        assert "result" in answer(called(url, token, {"text": "before"}))
        held = len(list(Path(f"/proc/{gateway.running.pid}/fd").iterdir()))
        resource.prlimit(gateway.running.pid, resource.RLIMIT_NOFILE, (held + 4, held + 200))

        def attempt(sent: str) -> tuple[int, bool]:
            trace = uuid4().hex
            try:
                response = called(url, sent, {"text": trace}, trace=trace, seconds=2)
            except httpx2.HTTPError:
                return 0, False
            return response.status_code, '"result"' in response.text

        with ThreadPoolExecutor(20) as pool:
            known = list(pool.map(attempt, [token] * 30))
            unknown = list(pool.map(attempt, ["rubbish", token[:-1] + ("0" if token[-1] != "0" else "1")] * 15))
        assert [found for found in unknown if found[0] not in (0, 401, 503) or found[1]] == []
        assert {status for status, _ in known} <= {0, 200, 503}
        assert any(status != 200 or not result for status, result in known)
        resource.prlimit(gateway.running.pid, resource.RLIMIT_NOFILE, (held + 200, held + 200))
        until(lambda: attempt(token) == (200, True))
    assert arrived(honest) - {"before"} - recorded("intent") == set()
