"""A batch that is sent behind the one that commits: it continues what becomes of that, or is not there at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async

from audit.link import Link
from audit.models import Record
from audit.writer import AuditAltered, AuditRefused, AuditUnavailable, GroupCommitWriter, Tail
from tests.audit.test_writer import PATIENCE, a_draft
from tests.audit.test_writer_chain import held, started, verified, writer

__all__ = ["writer"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that were sent, newest last."""
    found: list[str] = []
    send = Link.send

    def noted(link: Link, statement: str, values: Sequence[bytes | None]) -> asyncio.Future[int]:
        found.append(statement)
        return send(link, statement, values)

    monkeypatch.setattr(Link, "send", noted)
    return found


async def test_what_arrives_while_a_batch_commits_is_sent_behind_it_and_no_third_batch_is(
    writer: GroupCommitWriter, batches: list[str], owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    del batches[:]
    with held(owner_connection):
        tasks = await started(writer, a_draft())
        assert batches == ["audit_one"]
        tasks += await started(writer, a_draft(), a_draft())
        assert batches == ["audit_one", "audit_many"]
        tasks += await started(writer, a_draft())
        assert batches == ["audit_one", "audit_many"]
        assert writer.waiting() == 4
    await asyncio.gather(*tasks)
    assert batches == ["audit_one", "audit_many", "audit_one"]
    assert writer.waiting() == 0
    assert await verified() == [5]


async def test_behind_a_batch_of_which_one_is_refused_all_others_are_written(
    writer: GroupCommitWriter, batches: list[str], owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    del batches[:]
    with held(owner_connection):
        tasks = await started(writer, a_draft(), a_draft(decision="perhaps"), a_draft())
        tasks += await started(writer, a_draft(), a_draft())
        assert batches == ["audit_many", "audit_many"]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), AuditRefused, *[type(None)] * 3]
    assert await verified() == [5]


async def test_where_both_are_refused_each_good_record_is_written(
    writer: GroupCommitWriter, batches: list[str], owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    with held(owner_connection):
        tasks = await started(writer, a_draft(), a_draft(decision="perhaps"))
        tasks += await started(writer, a_draft(decision="perhaps"), a_draft())
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result is None for result in results] == [True, False, False, True]
    assert await verified() == [3]


async def test_behind_a_batch_that_was_given_up_the_next_is_written_and_leaves_no_hole(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any]
) -> None:
    """The server gave up the first, as it does one that takes too long."""
    await writer.write(a_draft())
    assert writer._link is not None
    with held(owner_connection):
        given_up = await started(writer, a_draft())
        behind = await started(writer, a_draft(), a_draft())
        # Both wait for the table, one after the other: the first alone is meant.
        waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
        async with asyncio.timeout(PATIENCE):
            while not owner_connection.execute(waits, [writer._link.backend]).rowcount:  # noqa: ASYNC110 -- nobody is told
                await asyncio.sleep(0.01)
        owner_connection.execute("SELECT pg_cancel_backend(%s)", [writer._link.backend])
        ((found),) = await asyncio.gather(*given_up, return_exceptions=True)
    assert isinstance(found, AuditUnavailable)
    assert not found.in_doubt
    await asyncio.gather(*behind)
    assert await verified() == [3]


async def test_behind_a_batch_that_found_the_log_changed_the_next_is_written_by_a_new_writer(
    writer: GroupCommitWriter, batches: list[str], owner_connection: psycopg.Connection[Any]
) -> None:
    told: list[Tail] = []
    writer.altered = told.append
    await writer.write(a_draft())
    with owner_connection.transaction():
        owner_connection.execute("ALTER TABLE audit_record DISABLE TRIGGER audit_no_change")
        owner_connection.execute("UPDATE audit_record SET chain = ''")
        owner_connection.execute("ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_no_change")
    del batches[:]
    with held(owner_connection):
        altered = await started(writer, a_draft())
        behind = await started(writer, a_draft(), a_draft())
        assert batches == ["audit_one", "audit_many"]
    assert isinstance((await asyncio.gather(*altered, return_exceptions=True))[0], AuditAltered)
    await asyncio.gather(*behind)
    assert [tail.seq for tail in told] == [1]
    assert await sync_to_async(Record.objects.exclude(writer=told[0].writer).count)() == 2


async def test_what_was_sent_behind_is_refused_for_time_as_in_doubt(
    owner_connection: psycopg.Connection[Any],
) -> None:
    async with GroupCommitWriter(process="test", timeout=4.0) as writer:
        await writer.write(a_draft())
        with held(owner_connection):
            tasks = await started(writer, a_draft())
            tasks += await started(writer, a_draft())
            first, second = await asyncio.gather(*tasks, return_exceptions=True)
    # The server gave the first up, and said so; of the second nobody knew anything when its time was over.
    assert [isinstance(each, AuditUnavailable) and each.in_doubt for each in (first, second)] == [False, True]


async def test_a_batch_that_cannot_be_sent_behind_waits_for_its_turn(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch, owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    send = Link.send

    def fails(*_given: Any) -> asyncio.Future[int]:
        raise psycopg.OperationalError("made up")

    with held(owner_connection):
        tasks = await started(writer, a_draft())
        monkeypatch.setattr(Link, "send", fails)
        tasks += await started(writer, a_draft(), a_draft())
        monkeypatch.setattr(Link, "send", send)
    await asyncio.gather(*tasks)
    assert await verified() == [4]


async def test_until_a_new_link_holds_the_lock_of_its_boot_nothing_is_sent_over_it(
    writer: GroupCommitWriter, batches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.write(a_draft())
    del batches[:]
    begin, may_begin = writer.boot.begin, asyncio.Event()

    async def begins_late(link: Link) -> None:
        await may_begin.wait()
        await begin(link)

    monkeypatch.setattr(writer.boot, "begin", begins_late)
    writer._start_over()
    tasks = await started(writer, a_draft())
    async with asyncio.timeout(PATIENCE):
        while writer._link is None:  # noqa: ASYNC110 -- nobody is told
            await asyncio.sleep(0.01)
    tasks += await started(writer, a_draft(), a_draft())
    assert batches == []
    may_begin.set()
    await asyncio.gather(*tasks)
    assert await verified() == [1, 3]
