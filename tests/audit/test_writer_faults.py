"""The gateway's writer while PostgreSQL dies, freezes, refuses: calls are denied and not hung, nothing is lost.

On a PostgreSQL of its own, because others need theirs alive.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.utils import timezone
from psycopg.conninfo import conninfo_to_dict

from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.writer import AuditBusy, AuditUnavailable, GroupCommitWriter
from controlplane import devpostgres, devservices
from controlplane.devpostgres import APP_ROLE, OWNER_ROLE, SUPERUSER, Cluster
from controlplane.devprocess import server_account
from tests.databases import ROOT

LATE = 15.0  # seconds: the writer's two, and a machine that does other things as well


class Postgres:
    """A cluster that can be stopped and started on the same data."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._data = devpostgres.data_directory(runtime / "data", server_account())
        self._stack = ExitStack()
        # The server ends with the thread that started it (PR_SET_PDEATHSIG), so that has to live as long.
        self._thread = ThreadPoolExecutor(1)
        self.cluster: Cluster
        self.start()

    def start(self) -> None:
        self._thread.submit(self._start).result()

    def _start(self) -> None:
        socket_directory = self._runtime / "pg"
        for left in socket_directory.glob(".s.*"):
            left.unlink()
        if socket_directory.exists():
            socket_directory.rmdir()
        running = devpostgres.running(
            runtime=self._runtime, data=self._data, log=self._runtime / "log", durable=False, environment=os.environ
        )
        self.cluster = self._stack.enter_context(running)

    def stop(self, number: int = signal.SIGINT) -> None:
        os.kill(self.cluster.pid, number)
        self._stack.close()

    def execute(self, query: str, role: str = SUPERUSER, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.cluster.url(role), autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def parameters(self) -> dict[str, Any]:
        return dict(conninfo_to_dict(self.cluster.url(APP_ROLE)))

    def backend(self) -> int:
        query = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
        ((pid,),) = self.execute(query, values=(APP_ROLE,))
        return int(pid)

    def sequences(self) -> dict[UUID, list[int]]:
        found: dict[UUID, list[int]] = {}
        for writer, seq in self.execute("SELECT writer, seq FROM audit_record ORDER BY writer, seq", OWNER_ROLE):
            found.setdefault(writer, []).append(seq)
        return found

    def ids(self) -> set[UUID]:
        return {identity for (identity,) in self.execute("SELECT id FROM audit_record", OWNER_ROLE)}

    def writers(self) -> int:
        return len(self.execute("SELECT id FROM audit_writer", OWNER_ROLE))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Migrated as far as the audit log reaches; what the tests wrote stays, so each counts what it added."""
    with devservices.runtime_directory() as runtime:
        found = Postgres(runtime)
        try:
            urls = {"DATABASE_URL": found.cluster.url(OWNER_ROLE), "DATABASE_ADMIN_URL": found.cluster.url(OWNER_ROLE)}
            for command in (
                ["migrate", "audit", "--skip-checks", "--verbosity", "0"],
                ["grant_roles", "--role", APP_ROLE],
            ):
                subprocess.run(
                    [sys.executable, "manage.py", *command], cwd=ROOT, env={**os.environ, **urls}, check=True
                )
            yield found
        finally:
            found.stop()


@pytest.fixture
async def writer(postgres: Postgres) -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(process="test", database=postgres.parameters()) as running:
        yield running


def a_draft() -> RecordDraft:
    now = timezone.now()
    return RecordDraft(type=RecordType.INTENT, event=Event.CALL_INTENDED, principal="agent:a", time=now, tool="read")


class Load:
    """Callers that never stop asking, and what they were told."""

    def __init__(self, writer: GroupCommitWriter) -> None:
        self._writer = writer
        self.written: list[UUID] = []
        self.refused = 0
        self.slowest = 0.0

    async def caller(self) -> None:
        while True:
            draft, began = a_draft(), time.monotonic()
            try:
                await self._writer.write(draft)
            except AuditUnavailable:
                self.refused += 1
                await asyncio.sleep(0.01)
            else:
                self.written.append(draft.id)
            self.slowest = max(self.slowest, time.monotonic() - began)

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 -- many things change it
                await asyncio.sleep(0.01)

    async def grows(self, seconds: float = 60) -> None:
        before = len(self.written)
        await self.until(lambda: len(self.written) > before + 20, seconds)


async def under_load(writer: GroupCommitWriter, fault: Callable[[Load], Any]) -> Load:
    """Twenty callers before, while and after `fault`."""
    load = Load(writer)
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(load.caller()) for _ in range(20)]
        await load.grows()
        await fault(load)
        await load.grows(seconds=60)
        for caller in callers:
            caller.cancel()
    return load


def assert_sound(postgres: Postgres, load: Load) -> None:
    assert set(load.written) <= postgres.ids()
    assert load.refused > 0
    assert load.slowest < LATE
    assert_gapless(postgres)


def assert_gapless(postgres: Postgres) -> None:
    for seqs in postgres.sequences().values():
        assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT], ids=["kill", "immediate", "fast"])
async def test_a_server_that_goes_away_and_comes_back(
    postgres: Postgres, writer: GroupCommitWriter, number: signal.Signals
) -> None:
    async def fault(load: Load) -> None:
        await asyncio.to_thread(postgres.stop, number)
        refused = load.refused
        await load.until(lambda: load.refused > refused + 100)
        assert not await writer.ready()
        await asyncio.to_thread(postgres.start)

    load = await under_load(writer, fault)
    assert_sound(postgres, load)
    assert await writer.ready()


async def test_a_backend_that_is_killed_takes_the_server_through_recovery(
    postgres: Postgres, writer: GroupCommitWriter
) -> None:
    async def fault(load: Load) -> None:
        os.kill(postgres.backend(), signal.SIGKILL)
        await load.until(lambda: load.refused > 0)

    assert_sound(postgres, await under_load(writer, fault))


async def test_a_frozen_server_denies_and_what_it_did_is_not_claimed(
    postgres: Postgres, writer: GroupCommitWriter
) -> None:
    before = postgres.writers()

    async def fault(load: Load) -> None:
        frozen = (postgres.cluster.pid, postgres.backend())
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            await load.until(lambda: load.refused > 40)
            assert not await writer.ready()
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

    assert_sound(postgres, await under_load(writer, fault))
    assert postgres.writers() >= before + 2


async def test_a_locked_table_denies_the_queue_stays_bounded_and_the_writer_goes_on(postgres: Postgres) -> None:
    before = postgres.writers()
    async with GroupCommitWriter(process="t", database=postgres.parameters(), capacity=50, batch=10) as writer:
        await writer.write(a_draft())
        with psycopg.connect(postgres.cluster.url(OWNER_ROLE)) as owner:
            owner.execute("LOCK TABLE audit_record")
            started = time.monotonic()
            results = await asyncio.gather(*(writer.write(a_draft()) for _ in range(500)), return_exceptions=True)
            assert time.monotonic() - started < LATE
        assert all(isinstance(result, AuditUnavailable) for result in results)
        assert sum(isinstance(result, AuditBusy) for result in results) == 450
        await writer.write(a_draft())
    # The server said what it did not write, so nothing was in doubt.
    assert postgres.writers() == before + 1
    assert_gapless(postgres)


async def test_a_process_that_stood_still_too_long_numbers_no_two_records_alike(postgres: Postgres) -> None:
    """It finds the server's answer and the end of its time at once, so it does not know what was written."""
    async with GroupCommitWriter(process="t", database=postgres.parameters(), timeout=0.5) as writer:
        await writer.write(a_draft())
        late = asyncio.create_task(writer.write(a_draft()))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 1.0)
        with pytest.raises(AuditUnavailable):
            await late
        await writer.write(a_draft())
    assert_gapless(postgres)


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON audit_record FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER full_disk"""


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        (
            ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"],
            ["ALTER SYSTEM SET default_transaction_read_only = off", "SELECT pg_reload_conf()"],
        ),
        ([FULL], ["DROP FUNCTION full_disk CASCADE"]),
    ],
    ids=["reads only", "disk full"],
)
async def test_a_server_that_refuses_to_write_denies_and_the_writer_goes_on(
    postgres: Postgres, writer: GroupCommitWriter, broken: list[str], repaired: list[str]
) -> None:
    before = postgres.writers()

    async def execute(statements: list[str]) -> None:
        for statement in statements:
            await asyncio.to_thread(postgres.execute, statement)

    async def fault(load: Load) -> None:
        await execute(broken)
        await load.until(lambda: load.refused > 20)
        await execute(repaired)

    assert_sound(postgres, await under_load(writer, fault))
    assert postgres.writers() == before + 1
