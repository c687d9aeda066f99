"""The chain that the writer makes in a real PostgreSQL: unbroken, made again by nobody without the key."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from audit.drafts import next_shard, shard_of
from audit.models import Record, Writer
from audit.proof.chain import WriterMac, first_link, key_id, leaf, next_link
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
