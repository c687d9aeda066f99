"""The chain that the writer makes in a real PostgreSQL: unbroken, made again by nobody without the key."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from audit.chaining import Chain
from audit.drafts import RecordDraft, next_shard, shard_of
from audit.models import Record, Writer
from audit.proof.chain import WriterMac, first_link, key_id, leaf, next_link
from audit.rows import Prepared, Rows
from audit.wire import Row
from audit.writer import AuditAltered, AuditUnavailable, GroupCommitWriter, Tail
from tests.audit.test_writer import PATIENCE, a_draft, end_backends

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def writer() -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as running:
        yield running


@sync_to_async
def verified() -> list[int]:
    """How many records each writer has in an unbroken chain, by what stands in the tables alone."""
    lengths = []
    for writer in Writer.objects.order_by("id"):
        key = settings.AUDIT_KEYS[0]
        assert writer.key_id == key_id(key).hex()
        link, mac = first_link(settings.INSTALLATION_ID, writer.id, writer.shard), WriterMac(key, writer.id)
        rows = list(Record.objects.filter(writer=writer.id).order_by("seq"))
        for seq, row in enumerate(rows, start=1):
            link = next_link(link, leaf(bytes(row.body)))
            assert (row.seq, bytes(row.chain or b"")) == (seq, link)
            assert bytes(row.mac or b"") == mac.mac(writer.shard, seq, link)
        lengths.append(len(rows))
    return lengths


async def test_the_chain_goes_on_from_batch_to_batch(writer: GroupCommitWriter) -> None:
    await asyncio.gather(*(writer.write(a_draft(intention="x" * number)) for number in range(40)))
    await writer.write(a_draft(before={"unusual": True}))
    await writer.write(a_draft())
    assert await verified() == [42]


async def test_a_refused_record_leaves_the_chain_where_it_was(writer: GroupCommitWriter) -> None:
    drafts = (a_draft(), a_draft(latency_ms=2**40), a_draft(), a_draft(decision="perhaps"), a_draft())
    await asyncio.gather(*(writer.write(draft) for draft in drafts), return_exceptions=True)
    assert await verified() == [3]


async def test_after_a_cut_link_the_new_writer_begins_a_chain_of_its_own(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    end_backends(owner_connection)
    with pytest.raises(AuditUnavailable):
        await writer.write(a_draft())
    await writer.write(a_draft())
    assert await verified() == [1, 1]


async def test_the_turn_of_the_month_begins_a_chain(writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    await writer.write(a_draft())
    following = next_shard(shard_of(a_draft().time))
    monkeypatch.setattr("audit.writer.shard_of", lambda _moment: following)
    await writer.write(a_draft())
    assert await verified() == [1, 1]


class Placings:
    """How many records the writer placed ahead, and how many when their batch was taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = self.anew = 0
        place, place_usual = Rows.place, Rows.place_usual

        def counted(rows: Rows, prepared: Prepared, chain: Chain) -> Row:
            self.anew, self.ahead = self.anew + 1, self.ahead - 1  # because it asks the other one
            return place(rows, prepared, chain)

        def counted_ahead(rows: Rows, prepared: Prepared, chain: Chain) -> Row | None:
            self.ahead += 1
            return place_usual(rows, prepared, chain)

        monkeypatch.setattr(Rows, "place", counted)
        monkeypatch.setattr(Rows, "place_usual", counted_ahead)


@pytest.fixture
def placings(monkeypatch: pytest.MonkeyPatch) -> Placings:
    return Placings(monkeypatch)


@contextmanager
def held(owner: "psycopg.Connection[Any]") -> Iterator[None]:
    """Nothing commits meanwhile, however long it takes."""
    with owner.transaction():
        owner.execute("LOCK TABLE audit_record")
        yield


async def started(writer: GroupCommitWriter, *drafts: RecordDraft) -> list[asyncio.Task[None]]:
    """These are in the batch that commits, or in the one behind it, or wait."""
    tasks = [asyncio.create_task(writer.write(draft)) for draft in drafts]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_arrives_while_batches_commit_is_placed_once_and_before_its_batch_is_taken(
    writer: GroupCommitWriter, placings: Placings, owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    for number in range(3):
        with held(owner_connection):
            tasks = await started(writer, a_draft())
            tasks += await started(writer, a_draft())
            tasks += await started(writer, *(a_draft(intention="x" * size) for size in range(number, 8)))
        await asyncio.gather(*tasks)
    assert (placings.anew, placings.ahead) == (1, 6 + 8 + 7 + 6)
    assert await verified() == [1 + 6 + 8 + 7 + 6]


@pytest.mark.parametrize("unusual", [{"before": {"a": 1}}, {"latency_ms": 2**40}, {"intention": "\0"}])
async def test_with_what_is_unusual_among_them_all_are_placed_anew(
    writer: GroupCommitWriter, placings: Placings, owner_connection: psycopg.Connection[Any], unusual: dict[str, Any]
) -> None:
    await writer.write(a_draft())
    with held(owner_connection):
        tasks = await started(writer, a_draft())
        tasks += await started(writer, a_draft(), a_draft(**unusual), a_draft())
    results = await asyncio.gather(*tasks, return_exceptions=True)
    is_refused = "latency_ms" in unusual
    assert [result is None for result in results] == [True, True, not is_refused, True]
    assert placings.anew >= 1 + 3
    assert await verified() == [4 if is_refused else 5]


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_a_caller_that_went_away_leaves_no_gap_where_its_record_was_placed_ahead(
    writer: GroupCommitWriter, placings: Placings, owner_connection: psycopg.Connection[Any], gone: int
) -> None:
    await writer.write(a_draft())
    with held(owner_connection):
        tasks = await started(writer, a_draft())
        tasks += await started(writer, a_draft())
        waiting = await started(writer, a_draft(), a_draft(), a_draft())
        waiting.pop(gone).cancel()
    await asyncio.gather(*tasks, *waiting)
    assert placings.anew == 1 + 2
    assert await verified() == [5]


async def test_after_a_batch_that_is_refused_what_was_sent_and_placed_behind_it_is_placed_anew(
    writer: GroupCommitWriter, placings: Placings, owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    with held(owner_connection):
        refused = await started(writer, a_draft(decision="perhaps"))
        waiting = await started(writer, a_draft(), a_draft())
        waiting += await started(writer, a_draft())
    await asyncio.gather(*waiting)
    assert isinstance((await asyncio.gather(*refused, return_exceptions=True))[0], AuditUnavailable)
    assert placings.anew == 1 + 3
    assert await verified() == [4]


async def test_after_a_cut_link_what_was_placed_ahead_begins_the_new_writers_chain(
    writer: GroupCommitWriter, placings: Placings, owner_connection: psycopg.Connection[Any]
) -> None:
    await writer.write(a_draft())
    with held(owner_connection):
        lost = await started(writer, a_draft())
        lost += await started(writer, a_draft())
        waiting = await started(writer, a_draft(), a_draft())
        end_backends(owner_connection)
        found = await asyncio.gather(*lost, return_exceptions=True)
    assert [isinstance(each, AuditUnavailable) and each.in_doubt for each in found] == [True, True]
    await asyncio.gather(*waiting)
    assert placings.anew == 1 + 2
    assert await verified() == [1, 2]


async def test_at_the_turn_of_the_month_what_was_placed_ahead_is_placed_in_the_new_shard(
    writer: GroupCommitWriter,
    placings: Placings,
    owner_connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await writer.write(a_draft())
    following = next_shard(shard_of(a_draft().time))
    with held(owner_connection):
        tasks = await started(writer, a_draft())
        monkeypatch.setattr("audit.writer.shard_of", lambda _moment: following)
        tasks += await started(writer, a_draft(), a_draft())
    await asyncio.gather(*tasks)
    assert placings.anew == 1 + 2
    assert await verified() == [2, 2]


async def test_where_more_wait_than_a_batch_takes_each_is_placed_with_its_batch(
    placings: Placings, owner_connection: psycopg.Connection[Any]
) -> None:
    async with GroupCommitWriter(process="test", timeout=PATIENCE, batch=2) as writer:
        await writer.write(a_draft())
        with held(owner_connection):
            tasks = await started(writer, a_draft())
            tasks += await started(writer, a_draft())
            tasks += await started(writer, *(a_draft() for _ in range(5)))
        await asyncio.gather(*tasks)
    assert await verified() == [8]


@pytest.mark.parametrize(
    "change", ["DELETE FROM audit_record WHERE seq = 2", "UPDATE audit_record SET chain = '' WHERE seq = 2"]
)
async def test_who_changes_the_last_record_is_noticed_at_the_next(
    writer: GroupCommitWriter, owner_connection: psycopg.Connection[Any], change: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    told: list[Tail] = []
    writer.altered = told.append
    for _ in range(2):
        await writer.write(a_draft())
    link = bytes((await Record.objects.aget(seq=2)).chain or b"")
    with owner_connection.transaction():
        owner_connection.execute("ALTER TABLE audit_record DISABLE TRIGGER audit_no_change")
        owner_connection.execute(change.encode())
        owner_connection.execute("ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_no_change")
    with pytest.raises(AuditAltered):
        await writer.write(a_draft())
    ((first, shard),) = await sync_to_async(lambda: list(Writer.objects.values_list("id", "shard")))()
    assert told == [(first, shard, 2, link)]
    assert [str(first) in record.message for record in caplog.records if record.levelname == "CRITICAL"] == [True]
    await writer.write(a_draft())
    assert await sync_to_async(Record.objects.exclude(writer=first).count)() == 1


async def test_nobody_makes_a_mac_without_the_key(writer: GroupCommitWriter) -> None:
    await writer.write(a_draft())
    row = await Record.objects.aget()
    assert isinstance(row.writer, UUID)
    forged = WriterMac(bytes(32), row.writer).mac(row.shard, 1, bytes(row.chain or b""))
    assert forged != bytes(row.mac or b"")
