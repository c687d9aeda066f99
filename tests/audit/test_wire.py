"""PostgreSQL reads a row as it was meant, alone and in an array."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from audit import services, wire
from audit.chaining import Chain
from audit.drafts import COLUMNS, Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Record, Writer
from audit.rows import Rows
from core.ids import new_id

pytestmark = pytest.mark.django_db
WRITER = UUID("01890000-0000-7000-8000-0000000000ab")


def a_draft(number: int) -> RecordDraft:
    """What is hard to carry: quotes, braces, nothing at all, signs, years before the epoch."""
    return RecordDraft(
        type=RecordType.INTENT,
        event=Event.CALL_INTENDED,
        principal="agent:a",
        time=datetime(1969, 7, 20, 20, 17, 40, 999999, tzinfo=timezone(timedelta(hours=-4))),
        tool="a\0b \u00fc",
        rule_ids=('quo"te', "back\\slash", "{a,b}", "NULL", " ", "") if number % 2 == 0 else (),
        scopes_used=("mcp:connect",) * number,
        after={"k": ["\0", 1.5, None]} if number != 1 else None,
        args_commit=b"\x00\xff",
        latency_ms=-3,
        bytes=2**62,
        call_id=new_id(),
    )


def execute(statement: bytes, values: list[bytes | None]) -> None:
    connection.ensure_connection()
    done = connection.connection.pgconn.exec_params(statement, values, param_formats=[1] * len(values))
    assert done.status in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK), done.error_message


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_arrives_as_it_was_meant(count: int) -> None:
    services.create_shards()
    shard, maker = shard_of(datetime.now(UTC)), Rows("acme")
    drafts = [a_draft(number) for number in range(count)]
    nothing = Chain("acme", WRITER, shard, bytes(32))
    chain = nothing.ahead()
    placed = [maker.place(maker.prepare(draft), chain) for draft in drafts]
    execute(wire.INSERT_ONE if count == 1 else wire.INSERT_MANY, wire.parameters(nothing, placed))
    for seq, draft in enumerate(drafts, start=1):
        expected = columns(draft, installation="acme", shard=shard, position=Position(WRITER, seq))
        found = Record.objects.get(id=draft.id)
        assert {name: plain(getattr(found, name)) for name in COLUMNS} == {n: expected[n] for n in COLUMNS}


def test_a_writer_is_registered_in_a_shard_that_is_made() -> None:
    now = datetime.now(UTC)
    execute(wire.CREATE_SHARD, wire.shard_parameters(shard_of(now)))
    execute(wire.INSERT_WRITER, wire.writer_parameters(WRITER, shard_of(now), "host \u00fc", "gateway-1", now, "ab"))
    found = Writer.objects.get()
    assert (found.id, found.shard, found.host, found.process) == (WRITER, shard_of(now), "host \u00fc", "gateway-1")
    assert (found.started_at, found.key_id) == (now, "ab")


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
