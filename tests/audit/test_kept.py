"""Payload rows become durable with their records, in one commit, or neither does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from audit.drafts import RecordDraft
from audit.models import Record
from audit.models.payloads import StoredPayload
from audit.payload import ARGUMENTS, RESULT, Payload
from audit.writer import AuditUnavailable, GroupCommitWriter
from core.ids import new_id
from tests.audit.test_writer import PATIENCE, a_draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def writer() -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as running:
        yield running


def a_payload(draft: RecordDraft, **fields: Any) -> Payload:
    assert draft.call_id is not None
    given: dict[str, Any] = {
        "part": ARGUMENTS, "key_id": b"\0key", "secret": b"\0" * 48, "sealed": b"\xff\0" * 30, "size": 2**33, **fields,
    }  # fmt: skip
    return Payload(record_id=draft.id, call_id=draft.call_id, expires_at=timezone.now() + timedelta(days=30), **given)


@sync_to_async
def stored(call: UUID | None) -> list[Payload]:
    assert call is not None
    rows = StoredPayload.objects.filter(call_id=call).order_by("part")
    return [
        Payload(
            record_id=row.record_id, call_id=row.call_id, part=ARGUMENTS if row.part == ARGUMENTS else RESULT,
            expires_at=row.expires_at, key_id=bytes(row.key_id), secret=bytes(row.secret), sealed=bytes(row.sealed),
            size=row.size,
        )
        for row in rows
    ]  # fmt: skip


@pytest.mark.parametrize("neighbours", [0, 5])
async def test_a_payload_stands_as_it_was_given_in_its_records_commit(
    writer: GroupCommitWriter, neighbours: int
) -> None:
    draft = a_draft(call_id=new_id())
    payload = a_payload(draft)
    await asyncio.gather(writer.write(draft, payload), *(writer.write(a_draft()) for _ in range(neighbours)))
    assert await stored(draft.call_id) == [payload]
    assert await same_transaction(draft.id)


@sync_to_async
def same_transaction(record: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT made.xmin = kept.xmin AND made.shard = kept.shard FROM audit_record AS made "
            "JOIN audit_payload AS kept ON kept.record_id = made.id WHERE made.id = %s",
            [record],
        )
        return bool(cursor.fetchone()[0])


async def test_a_record_that_is_refused_keeps_no_payload_and_a_payload_no_record(writer: GroupCommitWriter) -> None:
    bad, good = (a_draft(call_id=new_id(), latency_ms=number) for number in (2**40, 1))
    unkeepable = a_draft(call_id=new_id())
    results = await asyncio.gather(
        writer.write(bad, a_payload(bad)),
        writer.write(unkeepable, a_payload(unkeepable, secret=b"")),
        writer.write(good, a_payload(good)),
        return_exceptions=True,
    )
    assert [isinstance(result, AuditUnavailable) for result in results] == [True, True, False]
    assert await stored(bad.call_id) == await stored(unkeepable.call_id) == []
    assert len(await stored(good.call_id)) == 1
    assert await sync_to_async(Record.objects.count)() == 1
