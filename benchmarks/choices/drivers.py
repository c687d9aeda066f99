"""The database driver of the audit writer: rows of `audit_record` as calls write them, one connection, one commit
for a batch. What counts is the client's own CPU (it is the gateway's) and how long a batch takes to be durable.

Runs in the environment `choices`; the first argument is the URL of a migrated database.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import psycopg
from psycopg import sql

from audit.drafts import COLUMNS, Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from core.ids import new_id

Row = tuple[Any, ...]
Write = Callable[[Sequence[Row]], Awaitable[object]]
BATCHES: Final = (1, 8, 32)
ROUNDS: Final = 9
SECONDS: Final = 0.15  # one alternative in one round
_TYPES: Final = {
    **dict.fromkeys(("id", "writer", "call_id", "parent_call_id", "batch_id"), "uuid"),
    **dict.fromkeys(("args_commit", "result_commit", "body"), "bytea"),
    **dict.fromkeys(("rule_ids", "scopes_used"), "text[]"),
    **dict.fromkeys(("before", "after"), "jsonb"),
    **dict.fromkeys(("shard", "latency_ms"), "int4"),
    **dict.fromkeys(("seq", "bytes"), "int8"),
    "time": "timestamptz",
}
TYPES: Final = tuple(_TYPES.get(name, "text") for name in COLUMNS)
_NAMES: Final = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_COPY: Final = sql.SQL("COPY audit_record ({}) FROM STDIN").format(_NAMES)
_QUOTED: Final = ", ".join(f'"{name}"' for name in COLUMNS)
# unnest would flatten an array of arrays, so a column of arrays travels as an array of their text forms.
_FLAT: Final = tuple("text" if kind == "text[]" else kind for kind in TYPES)
_UNNEST: Final = (
    f"INSERT INTO audit_record ({_QUOTED}) SELECT "
    + ", ".join(f'"{name}"::{kind}' for name, kind in zip(COLUMNS, TYPES, strict=True))
    + " FROM unnest("
    + ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_FLAT, 1))
    + f") AS given ({_QUOTED})"
)
_INSERT: Final = f"INSERT INTO audit_record ({_QUOTED}) VALUES ({', '.join(f'${n}' for n in range(1, len(TYPES) + 1))})"


class Rows:
    """Makes rows that are new each time, beside the clock."""

    def __init__(self) -> None:
        self._writer = uuid4()
        self._seq = 0

    def take(self, count: int) -> list[Row]:
        """`count` rows: intents and outcomes in turn."""
        return [self._row() for _ in range(count)]

    def _row(self) -> Row:
        self._seq += 1
        now = datetime.now(UTC)
        outcome = self._seq % 2 == 0
        draft = RecordDraft(
            type=RecordType.OUTCOME if outcome else RecordType.INTENT,
            event=Event.CALL_COMPLETED if outcome else Event.CALL_INTENDED,
            time=now,
            principal="agent:b3f0c1d2e4a5968778695a4b",
            actor="agent:b3f0c1d2e4a5968778695a4b",
            agent="b3f0c1d2e4a5968778695a4b",
            token_id=str(uuid4()),
            call_id=new_id(),
            server="files",
            environment="development",
            subject="tool:files/echo",
            method="tools/call",
            kind="tool",
            tool="echo",
            tool_hash="sha256:" + "0" * 64,
            scopes_used=("mcp:files:call",),
            client_ip="127.0.0.1",
            decision="allowed",
            status="ok" if outcome else "",
            latency_ms=3 if outcome else None,
            bytes=119 if outcome else None,
        )
        place = Position(self._writer, self._seq)
        row = columns(draft, installation="development", shard=shard_of(now), position=place)
        return tuple(row[name] for name in COLUMNS)


class WithPsycopg:
    """psycopg 3, asynchronous."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def copy_text(self, rows: Sequence[Row]) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                await copy.write_row(row)

    async def copy_binary(self, rows: Sequence[Row]) -> None:
        async with self._connection.cursor() as cursor:
            async with cursor.copy(_COPY + sql.SQL(" (FORMAT BINARY)")) as copy:
                copy.set_types(TYPES)
                for row in rows:
                    await copy.write_row(row)

    async def executemany(self, rows: Sequence[Row]) -> None:
        values = sql.SQL(", ").join([sql.Placeholder()] * len(COLUMNS))
        insert = sql.SQL("INSERT INTO audit_record ({}) VALUES ({})").format(_NAMES, values)
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await cursor.executemany(insert, rows)


class WithAsyncpg:
    """asyncpg."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def copy_records(self, rows: Sequence[Row]) -> None:
        await self._connection.copy_records_to_table("audit_record", records=rows, columns=COLUMNS)

    async def executemany(self, rows: Sequence[Row]) -> None:
        await self._connection.executemany(_INSERT, rows)  # one implicit transaction

    async def unnest(self, rows: Sequence[Row]) -> None:
        values = [list(column) for column in zip(*rows, strict=True)]
        for index, kind in enumerate(TYPES):
            if kind == "text[]":
                values[index] = [_array_text(each) for each in values[index]]
        await self._connection.execute(_UNNEST, *values)


def _array_text(items: Sequence[str]) -> str:
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"


async def measure(url: str) -> None:
    """Print the figures."""
    rows = Rows()
    postgres = await psycopg.AsyncConnection.connect(url, autocommit=True)
    direct = await connect_asyncpg(url)
    ours, other = WithPsycopg(postgres), WithAsyncpg(direct)
    alternatives: dict[str, Write] = {
        "psycopg COPY, text": ours.copy_text,
        "psycopg COPY, binary": ours.copy_binary,
        "psycopg executemany": ours.executemany,
        "asyncpg copy_records_to_table": other.copy_records,
        "asyncpg executemany": other.executemany,
        "asyncpg INSERT from unnest": other.unnest,
    }
    made = [_cpu(lambda: rows.take(1)) for _ in range(200)]
    print(f"\nDatabase drivers. Making one row (audit.drafts.columns): {statistics.median(made) * 1e6:.0f} CPU us")
    for batch in BATCHES:
        print(f"batches of {batch}: p50 ms until durable, CPU us of the client for a row, rows a second")
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in alternatives}
        for _ in range(ROUNDS):
            for name, write in alternatives.items():
                found[name].append(await _round(write, rows, batch))
        for name, measured in found.items():
            wall = statistics.median(wall for wall, _ in measured)
            cpu = statistics.median(cpu for _, cpu in measured)
            print(f"  {name:<32} {wall * 1e3:7.2f} {cpu / batch * 1e6:8.0f} {batch / wall:9.0f}")
    await postgres.close()
    await direct.close()


async def _round(write: Write, rows: Rows, batch: int) -> tuple[float, float]:
    """Seconds until durable (median) and CPU seconds (mean) of one batch."""
    walls: list[float] = []
    cpu, end = 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < end or not walls:
        given = rows.take(batch)
        began, began_cpu = time.perf_counter(), time.process_time()
        await write(given)
        walls.append(time.perf_counter() - began)
        cpu += time.process_time() - began_cpu
    return statistics.median(walls), cpu / len(walls)


def _cpu(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


async def connect_asyncpg(url: str) -> "asyncpg.Connection[Any]":
    """A connection by a libpq URL that names a socket directory, which asyncpg reads differently."""
    parts = urlsplit(url)
    host = parse_qs(parts.query)["host"][0]
    connection = await asyncpg.connect(host=host, user=parts.username, database=parts.path.lstrip("/"))
    found: asyncpg.Connection[Any] = connection
    return found


if __name__ == "__main__":
    asyncio.run(measure(sys.argv[1]))
