"""The gateway's writer against a real PostgreSQL: durable before it returns, gapless, and honest when it cannot."""

import asyncio
import inspect
import os
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from audit import services
from audit.drafts import RecordDraft, next_shard, shard_of
from audit.events import Event, RecordType
from audit.models import Leaf, Record, Writer
from audit.writer import _SETTINGS, _STATEMENTS, AuditBusy, AuditRefused, AuditUnavailable, GroupCommitWriter

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60.0  # seconds of a writer that a machine which stands still for a moment must not make refuse
LATE = 15.0  # the product's own two, and a machine that does other things as well
NOWHERE = {"host": "/nonexistent", "dbname": "none", "user": "nobody"}


def a_draft(**fields: Any) -> RecordDraft:
    return RecordDraft(
        **{
            "type": RecordType.INTENT,
            "event": Event.CALL_INTENDED,
            "principal": "agent:a",
            "agent": "a",
            "time": timezone.now(),
            "server": "files",
            "tool": "read",
            **fields,
        }
    )


@pytest.fixture
async def writer() -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as running:
        yield running


@sync_to_async
def sequences() -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = {}
    for each, seq in Record.objects.order_by("seq").values_list("writer", "seq"):
        found.setdefault(each, []).append(seq or 0)
    return found


@sync_to_async
def commits() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM audit_record")
        return int(cursor.fetchone()[0])


@sync_to_async
def writers() -> list[Writer]:
    return list(Writer.objects.order_by("id"))


def end_backends(owner: "psycopg.Connection[Any]") -> int:
    """Cut the writer's connection as a restart of the database would."""
    rows = owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE '%%audit%%'"
    ).fetchall()
    return len(rows)


async def test_a_record_is_durable_when_write_returns(writer: GroupCommitWriter) -> None:
    draft = a_draft(
        after={"x": ["\0"]}, scopes_used=("mcp:connect", 'quo"te,{}'), latency_ms=3, args_commit=b"\x00\xff"
    )
    await writer.write(draft)
    row = await Record.objects.aget(id=draft.id)
    assert (row.seq, row.tool, row.scopes_used, row.latency_ms) == (1, "read", ["mcp:connect", 'quo"te,{}'], 3)
    assert row.after == {"x": ["\u2400"]}
    assert bytes(row.args_commit or b"") == b"\x00\xff"
    assert row.time == draft.time
    registered = await Writer.objects.aget(shard=row.shard)
    assert (registered.process, registered.id) == ("test", row.writer)


@pytest.mark.parametrize("name", ["audit_one", "audit_many", "audit_one_kept", "audit_many_kept"])
def test_the_last_record_is_found_by_its_index_in_a_month_that_was_empty_when_that_was_planned(name: str) -> None:
    shard, statement = shard_of(timezone.now()), _STATEMENTS[name]
    services.create_shards()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        for setting in _SETTINGS:
            session.execute(setting.encode())
        session.execute(b"PREPARE planned AS " + statement)
        nothing = ", NULL" * (len(set(re.findall(rb"\$\d+", statement))) - 1)
        plan = [line for (line,) in session.execute(f"EXPLAIN EXECUTE planned({shard}{nothing})".encode()).fetchall()]
    looked = [line for line in plan if " on audit_record_" in line]
    assert looked
    assert all("Index" in line for line in looked)


async def test_concurrent_records_share_commits_and_have_a_gapless_sequence(writer: GroupCommitWriter) -> None:
    await asyncio.gather(*(writer.write(a_draft()) for _ in range(300)))
    ((_, seqs),) = (await sequences()).items()
    assert seqs == list(range(1, 301))
    transactions = await commits()
    assert transactions < 30
    assert await sync_to_async(services.place_records)() == 300
    assert await sync_to_async(Leaf.objects.head)() == 299


async def test_a_broken_connection_denies_and_the_next_record_is_written_by_a_new_writer(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    assert end_backends(owner_connection) >= 1
    with pytest.raises(AuditUnavailable):
        await writer.write(a_draft())
    await asyncio.gather(*(writer.write(a_draft()) for _ in range(5)))
    assert sorted((await sequences()).values()) == [[1], [1, 2, 3, 4, 5]]
    assert len(await writers()) == 2


async def test_under_load_and_cut_connections_no_sequence_has_a_hole_and_nothing_acknowledged_is_missing(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any]
) -> None:
    acknowledged, refused = [], 0

    async def caller(number: int) -> None:
        nonlocal refused
        for _ in range(20):
            draft = a_draft(call_id=None, intention=str(number))
            try:
                await writer.write(draft)
            except AuditUnavailable:
                refused += 1
            else:
                acknowledged.append(draft.id)

    async def saboteur() -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)
            await asyncio.to_thread(end_backends, owner_connection)

    await asyncio.gather(saboteur(), *(caller(number) for number in range(20)))
    present = set(await sync_to_async(lambda: list(Record.objects.values_list("id", flat=True)))())
    assert set(acknowledged) <= present
    assert len(acknowledged) + refused == 400
    for seqs in (await sequences()).values():
        assert seqs == list(range(1, len(seqs) + 1))


async def test_without_a_database_a_write_is_refused_within_two_seconds() -> None:
    assert inspect.signature(GroupCommitWriter).parameters["timeout"].default == 2  # the clock below knows the machine
    async with GroupCommitWriter(database=NOWHERE) as writer:
        started = time.monotonic()
        with pytest.raises(AuditUnavailable):
            await writer.write(a_draft())
        assert time.monotonic() - started < LATE
        assert not await writer.ready()


async def test_a_locked_table_denies_in_time_and_the_writer_recovers(
    owner_connection: psycopg.Connection[Any],
) -> None:
    async with GroupCommitWriter(process="test") as writer:
        await writer.write(a_draft())
        with owner_connection.transaction():
            owner_connection.execute("LOCK TABLE audit_record")
            started = time.monotonic()
            results = await asyncio.gather(*(writer.write(a_draft()) for _ in range(3)), return_exceptions=True)
            assert time.monotonic() - started < LATE
            assert all(isinstance(result, AuditUnavailable) for result in results)
        await writer.write(a_draft())
    for seqs in (await sequences()).values():
        assert seqs == list(range(1, len(seqs) + 1))


async def test_a_full_queue_refuses_at_once() -> None:
    async with GroupCommitWriter(capacity=10, batch=1, timeout=PATIENCE) as writer:
        results = await asyncio.gather(*(writer.write(a_draft()) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(result, AuditBusy) for result in results) == 40
    assert sum(result is None for result in results) == 10


async def test_one_record_that_cannot_be_written_takes_no_other_along(writer: GroupCommitWriter) -> None:
    bad = a_draft(latency_ms=2**40)
    results = await asyncio.gather(
        *(writer.write(draft) for draft in (a_draft(), bad, a_draft())), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), AuditRefused, type(None)]
    for seqs in (await sequences()).values():
        assert seqs == list(range(1, len(seqs) + 1))


async def test_a_refused_record_is_told_in_the_log_by_what_refused_it_and_not_by_what_it_says(
    writer: GroupCommitWriter, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AuditRefused) as refused:
        await writer.write(a_draft(decision="perhaps", intention="why-it-is-made"))
    assert "audit record not written: CheckViolation 23514 audit_record_decision" in caplog.text
    assert "why-it-is-made" not in caplog.text + str(refused.value.__cause__)


async def test_a_month_that_the_database_does_not_take_is_no_fault_of_the_record(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("audit.writer.shard_of", lambda _moment: 209901)
    with pytest.raises(AuditUnavailable) as refused:
        await writer.write(a_draft())
    assert type(refused.value) is AuditUnavailable
    assert "audit record not written: no audit shard 209901 may be made now" in caplog.text


async def test_at_the_turn_of_the_month_the_process_goes_on_as_a_writer_of_the_new_shard(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.write(a_draft())
    first = shard_of(timezone.now())
    monkeypatch.setattr("audit.writer.shard_of", lambda _moment: next_shard(first))
    await writer.write(a_draft())
    monkeypatch.setattr("audit.writer.shard_of", lambda _moment: first)  # a clock that steps back
    await writer.write(a_draft())
    assert {each.shard for each in await writers()} == {first, next_shard(first)}
    assert sorted((await sequences()).values()) == [[1], [1, 2]]


async def test_closing_writes_what_waits_and_then_refuses() -> None:
    writer = GroupCommitWriter(process="test", timeout=PATIENCE)
    writer.start()
    waiting = [asyncio.create_task(writer.write(a_draft())) for _ in range(5)]
    await asyncio.sleep(0)
    await writer.close()
    assert await asyncio.gather(*waiting) == [None] * 5
    with pytest.raises(AuditUnavailable):
        await writer.write(a_draft())


async def test_a_caller_that_went_away_does_not_disturb_the_batch(writer: GroupCommitWriter) -> None:
    gone = asyncio.create_task(writer.write(a_draft()))
    await asyncio.sleep(0)
    gone.cancel()
    await writer.write(a_draft())
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_ready_says_whether_the_database_answers(writer: GroupCommitWriter) -> None:
    assert await writer.ready()
    assert datetime.now(UTC).tzinfo is not None
