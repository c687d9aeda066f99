"""What a durable record costs: `.venv/bin/python -m benchmarks.records [ROUNDS]`.

On a PostgreSQL of its own that syncs its commits, with the real tables. Three questions, each answered in turns, so
that what else the machine does meets all alternatives alike; medians. First, making a record: the draft, its body and
its row, beside `columns()`, the same bytes the plain way. Second, the driver: batches of 1, 16 and 64 finished rows by
each way that there is, under asyncio and uvloop; the client's time is that of our thread, the server's that of its
process. Third, the whole writer with 1, 16 and 64 callers, each recording an intent and an outcome, beside a commit of
one integer, which is the limit. asyncpg and uvloop are measured where they are installed.
"""

import asyncio
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from audit import wire
from audit.chaining import Chain
from audit.drafts import COLUMNS, Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.rows import Rows
from benchmarks.scratch import make_up_keys
from controlplane import devservices
from core.ids import new_id

MEASURED = (1, 16, 64)
SHARD = shard_of(datetime.now(UTC))
SEQUENCE = itertools.count(1)
WRITER = new_id()
INSTALLATION = "acme"
BEGINNING = Chain(INSTALLATION, WRITER, SHARD, bytes(32))
CALL = {
    "principal": "agent:019a5c1e-7d1b-7c3a-9f00-0123456789ab",
    "actor": "agent:019a5c1e-7d1b-7c3a-9f00-0123456789ab",
    "agent": "019a5c1e-7d1b-7c3a-9f00-0123456789ab",
    "token_id": "019a5c1e-7d1b-7c3a-9f00-ba9876543210",
    "server": "files",
    "environment": "production",
    "owner_team": "platform",
    "subject": "tool:files/read_file",
    "method": "tools/call",
    "kind": "tool",
    "tool": "read_file",
    "tool_hash": "ab" * 32,
    "scopes_used": ("mcp:connect", "mcp:files:call"),
    "client_ip": "10.1.2.3",
    "decision": "allowed",
}


def main(rounds: int) -> None:
    """Print the figures."""
    print("Making a record, us of CPU")
    _making(rounds)
    with _database():
        for name, run in _loops():
            print(f"\nBatches under {name}: us, median (client and server: CPU of one batch)")
            for rows in MEASURED:
                run(_drivers(rows, max(20, rounds * 10 // rows)))
            print(f"\nThe writer under {name}: intent and outcome, one after the other")
            run(_writers(rounds * 20))


def intent(call_id: UUID) -> RecordDraft:
    """As the gateway's recorder makes it."""
    given: Any = CALL
    return RecordDraft(
        type=RecordType.INTENT, event=Event.CALL_INTENDED, time=datetime.now(UTC), call_id=call_id, **given
    )


def outcome(call_id: UUID) -> RecordDraft:
    """As the gateway's recorder makes it."""
    given: Any = {**CALL, "status": "ok", "latency_ms": 12, "bytes": 2345}
    return RecordDraft(
        type=RecordType.OUTCOME, event=Event.CALL_COMPLETED, time=datetime.now(UTC), call_id=call_id, **given
    )


def _making(rounds: int) -> None:
    call_id, maker = new_id(), Rows(INSTALLATION)
    chain = Chain(INSTALLATION, WRITER, SHARD, bytes(32))
    chain.seq = 1234567
    for name, make in (("intent", intent), ("outcome", outcome)):
        draft = make(call_id)
        position = Position(WRITER, 1234567)
        placed = [maker.place(maker.prepare(draft), chain)] * 16
        steps: dict[str, Callable[[], object]] = {
            "columns()": lambda: columns(draft, installation=INSTALLATION, shard=SHARD, position=position),  # noqa: B023
            "draft": lambda: make(call_id),  # noqa: B023
            "row": lambda: maker.place(maker.prepare(draft), chain),  # noqa: B023
            "parameters": lambda: wire.parameters(chain, placed),  # noqa: B023
        }
        took = dict(zip(steps, _cpu(rounds * 10, *steps.values()), strict=True))
        took["parameters"] /= 16
        whole = took["draft"] + took["row"] + took["parameters"]
        parts = ", ".join(f"{step} {took[step]:.1f}" for step in ("draft", "row", "parameters"))
        print(f"  {name}: {whole:.1f} ({parts}); columns() alone {took['columns()']:.1f}, "
              f"ratio of row and parameters to it 1:{took['columns()'] / (whole - took['draft']):.1f}")  # fmt: skip


def _cpu(rounds: int, *steps: Callable[[], object]) -> list[float]:
    """Microseconds of each, the median over rounds of twenty."""
    took: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds):
        for step, times in zip(steps, took, strict=True):
            began = time.thread_time_ns()
            for _ in range(20):
                step()
            times.append((time.thread_time_ns() - began) / 20_000)
    return [statistics.median(times) for times in took]


class Driver(Protocol):
    """A way to write a batch."""

    name: str

    async def open(self) -> Self: ...

    def backend(self) -> int: ...

    def ready(self, rows: list[dict[str, Any]]) -> Any:
        """What is not the driver's work."""

    async def write(self, batch: Any) -> None: ...

    async def close(self) -> None: ...


def _values(rows: list[dict[str, Any]], document: Callable[[Any], Any]) -> list[list[Any]]:
    return [[document(row[name]) if isinstance(row[name], dict) else row[name] for name in COLUMNS] for row in rows]


class PsycopgCopy:
    name = "psycopg COPY"
    _into = sql.SQL("COPY audit_record ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))

    async def open(self) -> Self:
        self.connection = await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True)
        return self

    def backend(self) -> int:
        return self.connection.info.backend_pid

    def ready(self, rows: list[dict[str, Any]]) -> Any:
        return _values(rows, Jsonb)

    async def write(self, batch: Any) -> None:
        async with self.connection.cursor() as cursor, cursor.copy(self._into) as copy:
            for row in batch:
                await copy.write_row(row)

    async def close(self) -> None:
        await self.connection.close()


class PsycopgMany(PsycopgCopy):
    name = "psycopg executemany (pipeline)"
    _insert = sql.SQL("INSERT INTO audit_record ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL(", ").join([sql.Placeholder()] * len(COLUMNS))
    )

    async def write(self, batch: Any) -> None:
        async with self.connection.transaction(), self.connection.cursor() as cursor:
            await cursor.executemany(self._insert, batch)


class AsyncpgCopy:
    name = "asyncpg COPY (binary)"

    async def open(self) -> Self:
        import asyncpg

        self.connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        return self

    def backend(self) -> int:
        return int(self.connection.get_server_pid())

    def ready(self, rows: list[dict[str, Any]]) -> Any:
        return _values(rows, json.dumps)

    async def write(self, batch: Any) -> None:
        await self.connection.copy_records_to_table("audit_record", records=batch, columns=COLUMNS)

    async def close(self) -> None:
        await self.connection.close()


class AsyncpgMany(AsyncpgCopy):
    name = "asyncpg executemany"

    async def open(self) -> Self:
        await super().open()
        names, places = ", ".join(f'"{n}"' for n in COLUMNS), ", ".join(f"${n + 1}" for n in range(len(COLUMNS)))
        self.statement = await self.connection.prepare(f"INSERT INTO audit_record ({names}) VALUES ({places})")
        return self

    async def write(self, batch: Any) -> None:
        await self.statement.executemany(batch)


class AsyncpgUnnest(AsyncpgCopy):
    name = "asyncpg unnest"

    async def open(self) -> Self:
        await super().open()
        self.statement = await self.connection.prepare(wire.INSERT_MANY.decode())
        return self

    def ready(self, rows: list[dict[str, Any]]) -> Any:
        kinds = {name: wire.TYPES.get(name, wire.TEXT) for name in wire.ORDER}
        return [[self._value(kinds[name], row.get(name)) for name in wire.ORDER] for row in rows]

    @staticmethod
    def _value(kind: wire.Type, value: Any) -> Any:
        if kind is wire.TEXTS:
            return wire.array_literal(value).decode()
        return json.dumps(value) if isinstance(value, dict) else value

    async def write(self, batch: Any) -> None:
        await self.statement.fetch(SHARD, WRITER, 0, b"", *map(list, zip(*batch, strict=True)))


class Ours:
    name = "libpq, unnest (ours)"

    async def open(self) -> Self:
        from audit.link import Link, parameters_from_settings

        statements = {"one": wire.INSERT_ONE, "many": wire.INSERT_MANY}
        settings = ["SET plan_cache_mode = force_generic_plan"]
        self.link = await Link.open(parameters_from_settings(), settings, statements)
        return self

    def backend(self) -> int:
        return self.link.backend

    def ready(self, rows: list[dict[str, Any]]) -> Any:
        return [(tuple(wire.encoded(name, row.get(name)) for name in wire.ORDER), (), ()) for row in rows]

    async def write(self, batch: Any) -> None:
        await self.link.run("one" if len(batch) == 1 else "many", wire.parameters(BEGINNING, batch))

    async def close(self) -> None:
        self.link.close()


def _known() -> list[Callable[[], Driver]]:
    theirs = (AsyncpgCopy, AsyncpgMany, AsyncpgUnnest) if importlib.util.find_spec("asyncpg") else ()
    return [PsycopgCopy, PsycopgMany, *theirs, Ours]


async def _drivers(count: int, rounds: int) -> None:
    drivers = [await make().open() for make in _known()]
    took: dict[str, list[tuple[float, float, float]]] = {driver.name: [] for driver in drivers}
    for number in range(rounds + 8):  # the first rounds warm up plans and caches
        for driver in drivers:
            measured = await _measure(driver, [_row() for _ in range(count)])
            if number >= 8:
                took[driver.name].append(measured)
    medians = {name: [statistics.median(part) for part in zip(*times, strict=True)] for name, times in took.items()}
    ours = medians[Ours.name]
    for name, (wall, client, server) in medians.items():
        ratios = f"{wall / ours[0]:.2f}, {client / ours[1]:.1f}, {server / ours[2] if server else 0:.2f}"
        print(
            f"  {count:3d} rows, {name:31s} {wall:7.0f}, client {client:6.0f}, server {server:6.0f}; to ours {ratios}"
        )
    for driver in drivers:
        await driver.close()


def _row() -> dict[str, Any]:
    return columns(outcome(new_id()), installation=INSTALLATION, shard=SHARD, position=Position(WRITER, next(SEQUENCE)))


async def _measure(driver: Driver, rows: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Microseconds: on the clock, of our thread, of the server's process (0 where the system does not tell)."""
    batch, server = driver.ready(rows), _server_time(driver.backend())
    began, thread = time.perf_counter_ns(), time.thread_time_ns()
    await driver.write(batch)
    thread, wall = time.thread_time_ns() - thread, time.perf_counter_ns() - began
    return wall / 1000, thread / 1000, (_server_time(driver.backend()) - server) / 1000


def _server_time(pid: int) -> int:
    """Nanoseconds on a processor."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except OSError:
        return 0


async def _writers(calls: int) -> None:
    from audit.writer import GroupCommitWriter

    limit = await _limit(calls)
    print(f"  a commit of one integer: p50 {limit * 1000:.2f} ms")
    async with GroupCommitWriter(process="benchmark") as writer:
        for callers in MEASURED:
            each = max(10, calls // callers)
            await _calls(writer, callers, 5)
            began, thread = time.perf_counter(), time.thread_time()
            times = await _calls(writer, callers, each)
            thread, wall = time.thread_time() - thread, time.perf_counter() - began
            records = callers * each * 2
            p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[-1]
            print(f"  {callers:3d} callers: {records / wall:6.0f} records/s, p50 {p50 * 1000:.2f} ms "
                  f"({p50 / limit:.1f} commits), p99 {p99 * 1000:.2f} ms, {thread / records * 1e6:.0f} us of our CPU "
                  "a record, drafts and event loop included")  # fmt: skip


async def _calls(writer: Any, callers: int, each: int) -> list[float]:
    times: list[float] = []

    async def timed(draft: RecordDraft) -> None:
        began = time.perf_counter()
        await writer.write(draft)
        times.append(time.perf_counter() - began)

    async def caller() -> None:
        for _ in range(each):
            call_id = new_id()
            await timed(intent(call_id))
            await timed(outcome(call_id))

    await asyncio.gather(*(caller() for _ in range(callers)))
    return times


async def _limit(commits: int) -> float:
    """Seconds of a commit that writes one integer."""
    from audit.link import Link

    statements = {"one": b"INSERT INTO bench_limit VALUES ($1::int4)"}
    parameters = conninfo_to_dict(os.environ["DATABASE_ADMIN_URL"])
    link = await Link.open(parameters, ["CREATE TABLE IF NOT EXISTS bench_limit (n int)"], statements)
    times = []
    for _ in range(min(commits, 300)):
        began = time.perf_counter()
        await link.run("one", [wire.INT(1)])
        times.append(time.perf_counter() - began)
    link.close()
    return statistics.median(times)


def _loops() -> Iterator[tuple[str, Callable[[Coroutine[Any, Any, None]], None]]]:
    yield "asyncio", asyncio.run
    if importlib.util.find_spec("uvloop"):
        import uvloop

        yield "uvloop", uvloop.run


@contextmanager
def _database() -> Iterator[None]:
    """A migrated PostgreSQL that syncs and is gone afterwards, reached as the application's role."""
    with devservices.running({}, durable=True) as found:
        os.environ.update(found.environment())
        make_up_keys()
        _manage("migrate", "--verbosity", "0", "--skip-checks")
        _manage("grant_roles", "--role", "holdfast_app")
        import django

        django.setup()
        yield


def _manage(*command: str) -> None:
    as_owner = {**os.environ, "DATABASE_URL": os.environ["DATABASE_ADMIN_URL"]}
    program: Sequence[str] = (sys.executable, "manage.py", *command)
    subprocess.run(program, env=as_owner, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
