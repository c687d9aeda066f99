"""How calls end whose gateway process is dead, and that nobody is taken for dead who lives."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from audit import services
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.models import Boot, Record
from audit.services import reconciling
from audit.writer import GroupCommitWriter
from core.ids import new_id
from tests.audit.test_writer import PATIENCE, end_backends

pytestmark = pytest.mark.django_db(transaction=True)
_HOLDER = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute("SELECT audit_begin_boot(%s, 'h', 'p')", [sys.argv[2]])
    print("held", flush=True)
    sys.stdin.read()
"""


def a_record(call: UUID, type_: RecordType = RecordType.INTENT, **said: Any) -> RecordDraft:
    event = Event.CALL_INTENDED if type_ is RecordType.INTENT else Event.CALL_COMPLETED
    time = timezone.now()
    return RecordDraft(type=type_, event=event, principal="agent:a", time=time, server="files", call_id=call, **said)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead at the second look."""
    monkeypatch.setattr(reconciling, "GRACE", timedelta(0))


@pytest.fixture
async def writer() -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as running:
        yield running


def unknown() -> list[UUID | None]:
    records = Record.objects.filter(event=Event.CALL_UNKNOWN.value).order_by("id")
    return list(records.values_list("call_id", flat=True))


def look(times: int = 2) -> int:
    return sum(services.reconcile_unfinished() for _ in range(times))


async def test_an_intent_without_an_end_is_unknown_once_its_process_is_dead() -> None:
    done, lost = new_id(), new_id()
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as writer:
        for draft in (
            a_record(done),
            a_record(lost, tool="read", token_id="t", trace_id="4b" * 16, rule_ids=("grant:1",), method="tools/call"),
            a_record(done, RecordType.OUTCOME),
        ):
            await writer.write(draft)
        assert await sync_to_async(look)() == 0
    await until_free(writer.boot.id)
    assert await sync_to_async(look)() == 1
    record = await Record.objects.aget(event=Event.CALL_UNKNOWN.value)
    assert (record.call_id, record.type, record.status, record.actor) == (
        lost, RecordType.OUTCOME.value, "unknown", "system:reconciler",
    )  # fmt: skip
    assert (record.tool, record.token_id, record.trace_id, record.method) == ("read", "t", "4b" * 16, "tools/call")
    assert record.rule_ids == ["grant:1"]
    assert await sync_to_async(look)() == 0
    assert await sync_to_async(unknown)() == [lost]


async def test_the_first_look_at_a_free_lock_says_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "GRACE", timedelta(seconds=15))
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as writer:
        await writer.write(a_record(new_id()))
    await until_free(writer.boot.id)
    assert await sync_to_async(look)(3) == 0
    boot = await Boot.objects.aget()
    assert boot.missed_at is not None
    assert boot.ended_at is None
    await Boot.objects.aupdate(missed_at=timezone.now() - timedelta(seconds=16))
    assert await sync_to_async(look)(1) == 1


async def test_who_lost_the_connection_and_opened_it_again_is_not_dead_and_its_calls_go_on(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any]
) -> None:
    call = new_id()
    await writer.write(a_record(call))
    assert end_backends(owner_connection) >= 1
    assert await sync_to_async(look)(1) == 0
    async with asyncio.timeout(60):  # nothing is written, and it connects all the same
        while await sync_to_async(is_free)(writer.boot.id):  # noqa: ASYNC110 -- the server is asked
            await asyncio.sleep(0.05)
    assert await sync_to_async(look)(3) == 0
    assert (await Boot.objects.aget()).missed_at is None
    await writer.write(a_record(call, RecordType.OUTCOME))
    assert await sync_to_async(unknown)() == []


def is_free(boot: UUID) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(audit_boot_key(%s))", [boot])
        return bool(cursor.fetchone()[0])


async def until_free(boot: UUID) -> None:
    """The server notices a moment later that the connection is gone."""
    async with asyncio.timeout(60):
        while not await sync_to_async(is_free)(boot):  # noqa: ASYNC110 -- the server is asked
            await asyncio.sleep(0.01)


async def test_who_was_taken_for_dead_goes_on_as_another_boot(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    call, first = new_id(), writer.boot.id
    await writer.write(a_record(call))
    monkeypatch.setattr(writer, "_tend", _nothing)  # it stands still
    end_backends(owner_connection)
    await until_free(first)
    assert await sync_to_async(look)() == 1
    monkeypatch.undo()
    monkeypatch.setattr(reconciling, "GRACE", timedelta(0))
    await _written(writer, a_record(new_id()))
    assert writer.boot.id != first
    assert [boot.ended_at is None async for boot in Boot.objects.order_by("id")] == [False, True]
    await writer.write(a_record(call, RecordType.OUTCOME))  # late, legal and to be seen
    assert await sync_to_async(look)() == 0
    assert await sync_to_async(unknown)() == [call]


async def _nothing() -> None:
    pass


async def _written(writer: GroupCommitWriter, draft: RecordDraft) -> None:
    """Whether or not it still has to find out that its connection is gone."""
    from audit.writer import AuditUnavailable

    try:
        await writer.write(draft)
    except AuditUnavailable:
        await writer.write(draft)


async def test_what_a_boot_gives_up_is_the_reconcilers_and_the_process_goes_on(writer: GroupCommitWriter) -> None:
    call, first = new_id(), writer.boot.id
    await writer.write(a_record(call))
    writer.boot.give_up()
    async with asyncio.timeout(60):
        while writer.boot.id == first:  # noqa: ASYNC110 -- the writer's own pace
            await asyncio.sleep(0.05)
    await until_free(first)
    assert await sync_to_async(look)() == 1
    await writer.write(a_record(new_id()))
    assert await sync_to_async(look)() == 0
    assert await sync_to_async(unknown)() == [call]


async def test_a_call_that_goes_on_in_the_boot_that_follows_is_not_unknown_before_that_ends(
    writer: GroupCommitWriter,
) -> None:
    running, lost, first = new_id(), new_id(), writer.boot.id
    for call in (running, lost):
        await writer.write(a_record(call))
    writer.boot.open_calls = lambda: [running]
    writer.boot.give_up()
    async with asyncio.timeout(60):
        while not await Boot.objects.exclude(id=first).filter(open_calls=[running]).aexists():  # noqa: ASYNC110 -- asked
            await asyncio.sleep(0.05)
    await until_free(first)
    assert await sync_to_async(look)(3) == 1
    assert await sync_to_async(unknown)() == [lost]
    await writer.close()
    await until_free(writer.boot.id)
    assert await sync_to_async(look)(3) == 1
    assert await sync_to_async(unknown)() == [lost, running]


@pytest.fixture
def holder() -> Iterator["subprocess.Popen[str]"]:
    """A process that holds a boot's lock."""
    import os

    boot = str(new_id())
    command = [sys.executable, "-c", _HOLDER, os.environ["DATABASE_URL"], boot]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def test_a_frozen_process_is_not_dead_and_a_killed_one_is(holder: "subprocess.Popen[str]") -> None:
    holder.send_signal(signal.SIGSTOP)
    look(3)
    assert Boot.objects.get().missed_at is None
    holder.kill()
    holder.wait(60)
    # The server notices a moment later that the connection is gone.
    deadline = time.monotonic() + 60
    while Boot.objects.get().reconciled_at is None:
        assert time.monotonic() < deadline
        look(1)
    assert Boot.objects.get().ended_at is not None


async def test_the_beat_says_which_calls_are_open_and_nothing_before_its_mark_is_looked_at(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a false hint would hide, the verifier finds."""
    hidden, open_, later = new_id(), new_id(), new_id()
    for call in (hidden, open_):
        await writer.write(a_record(call))
    monkeypatch.setattr(writer.boot, "open_calls", lambda: [open_])
    monkeypatch.setattr(reconciling, "_PAGE", 1)
    async with asyncio.timeout(60):
        while not (await Boot.objects.aget()).open_calls:  # noqa: ASYNC110 -- the database is asked
            await asyncio.sleep(0.05)
    await writer.write(a_record(later))
    await writer.close()
    await until_free(writer.boot.id)
    assert await sync_to_async(look)() == 2
    assert set(await sync_to_async(unknown)()) == {open_, later}


def test_a_writer_of_the_release_before_belongs_to_no_boot_and_is_left_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_writer (id, shard, host, process, started_at, key_id) "
            "VALUES (%s, 202611, 'h', 'p', now(), '') RETURNING boot",
            [new_id()],
        )
        assert cursor.fetchone() == (None,)
    assert look() == 0


async def test_two_who_reconcile_at_once_record_each_call_once() -> None:
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as writer:
        calls = [new_id() for _ in range(20)]
        await asyncio.gather(*(writer.write(a_record(call)) for call in calls))
    await until_free(writer.boot.id)
    await asyncio.gather(*(asyncio.to_thread(_in_a_thread) for _ in range(4)))
    await sync_to_async(look)()
    assert sorted(filter(None, await sync_to_async(unknown)())) == sorted(calls)


def _in_a_thread() -> None:
    try:
        look(5)
    finally:
        connection.close()


async def test_a_call_id_that_comes_twice_is_one_call() -> None:
    twice, ended = new_id(), new_id()
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as writer:
        for draft in (a_record(twice), a_record(twice), a_record(ended), a_record(ended)):
            await writer.write(draft)
        await writer.write(a_record(ended, RecordType.OUTCOME))
    await until_free(writer.boot.id)
    assert await sync_to_async(look)() == 1
    assert await sync_to_async(unknown)() == [twice]
