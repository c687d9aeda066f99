"""The gateway's way into the audit log: durable before it returns, one commit for many records.

A `GroupCommitWriter` lives in one event loop. Batches form by themselves: what arrives while a batch commits is the
next batch. Each batch is one COPY, which PostgreSQL makes all or nothing, so the sequence of a writer never has a
hole. Whether a batch whose connection broke was committed cannot be known; the process then goes on as a new writer
with a sequence of its own, and the records in doubt stay consistent whichever way it went. At the turn of the month
it goes on as a new writer of the new shard. Not for the control plane, which records inside its transactions.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql
from psycopg.types.json import Jsonb

from audit.drafts import COLUMNS, Position, RecordDraft, columns, shard_of
from core.errors import Unavailable
from core.ids import new_id

logger = logging.getLogger(__name__)
_COPY: Final = sql.SQL("COPY audit_record ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
_WRITER: Final = "INSERT INTO audit_writer (id, shard, host, process, started_at, key_id) VALUES (%s,%s,%s,%s,%s,'')"
_CONNECTION_PARTS: Final = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


class AuditUnavailable(Unavailable):
    """The record could not be made durable in time, so what it was about may not happen."""

    code = "audit_unavailable"


class AuditBusy(AuditUnavailable):
    """Too many records wait already; try again shortly."""

    code = "audit_busy"


@dataclass(slots=True)
class _Waiting:
    draft: RecordDraft
    done: asyncio.Future[None]


class GroupCommitWriter:
    """Use as `async with GroupCommitWriter(process="gateway-1") as writer: await writer.write(draft)`.

    `capacity`: records that may wait; `batch`: records of one commit; `timeout`: seconds until `AuditUnavailable`.
    """

    def __init__(
        self,
        *,
        process: str | None = None,
        capacity: int = 2000,
        batch: int = 500,
        timeout: float = 2.0,
        database: Mapping[str, Any] | None = None,
    ) -> None:
        self._process = process or f"pid {os.getpid()}"
        self._capacity = capacity
        self._batch = batch
        self._timeout = timeout
        self._database = dict(database) if database is not None else _connection_parameters()
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._writer: UUID | None = None
        self._shard = 0
        self._seq = 0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Begin in the running event loop. Connects with the first record."""
        self._task = asyncio.create_task(self._run(), name="audit writer")

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        await self._disconnect()

    async def write(self, draft: RecordDraft) -> None:
        """Return once the record is durable. Raises `AuditBusy` or `AuditUnavailable`: then nothing may follow it.

        A record refused for time may become durable later; it then stands for something that was not done.
        """
        if self._closing or self._task is None:
            raise AuditUnavailable("The audit writer is not running.")
        if len(self._waiting) >= self._capacity:
            raise AuditBusy("Too many calls wait to be recorded.")
        item = _Waiting(draft, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        self._arrived.set()
        try:
            async with asyncio.timeout(self._timeout):
                await item.done
        except TimeoutError as error:
            raise AuditUnavailable("The call could not be recorded in time.") from error

    async def ready(self) -> bool:
        """Whether the database answers now; for readiness checks, connects if need be."""
        try:
            async with asyncio.timeout(self._timeout):
                async with await psycopg.AsyncConnection.connect(**self._database, autocommit=True) as probe:
                    await probe.execute("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError):
            return False
        return True

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                await self._commit(batch)
            if self._closing and not self._waiting:
                return

    def _next_batch(self) -> list[_Waiting]:
        """The oldest records that somebody still waits for."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._batch:
            item = self._waiting.popleft()
            if not item.done.done():
                batch.append(item)
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._write_batch([item.draft for item in batch])
        except (psycopg.OperationalError, OSError, TimeoutError) as error:
            # No traceback: a database that is away would fill the log with the same one.
            logger.error("audit batch of %d not written: %s", len(batch), type(error).__name__)  # noqa: TRY400
            await self._start_over()
            _fail(batch, error)
        except Exception as error:  # the process's edge: a defect fails its callers and never ends the writer
            logger.exception("audit batch of %d not written", len(batch))
            await self._start_over()
            if len(batch) > 1:
                await self._commit_singly(batch)
            else:
                _fail(batch, error)
        else:
            for item in batch:
                if not item.done.done():
                    item.done.set_result(None)

    async def _commit_singly(self, batch: list[_Waiting]) -> None:
        """One record that cannot be written must not take its neighbours along."""
        for item in batch:
            if not item.done.done():
                await self._commit([item])

    async def _write_batch(self, drafts: list[RecordDraft]) -> None:
        connection = await self._connected()
        shard = max(self._shard, shard_of(datetime.now(UTC)))
        if self._writer is None or shard != self._shard:
            await self._register(connection, shard)
        writer = self._writer
        assert writer is not None  # noqa: S101 -- registered above
        rows = [
            columns(draft, installation=settings.INSTALLATION_ID, shard=shard, position=Position(writer, seq))
            for seq, draft in enumerate(drafts, start=self._seq + 1)
        ]
        async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                await copy.write_row([_adapted(row[name]) for name in COLUMNS])
        self._seq += len(drafts)

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(**self._database, autocommit=True)
            await self._connection.execute(f"SET statement_timeout = {int(self._timeout * 750)}")
        return self._connection

    async def _register(self, connection: psycopg.AsyncConnection[Any], shard: int) -> None:
        await connection.execute("SELECT audit_create_shard(%s)", (shard,))
        writer = new_id()
        await connection.execute(_WRITER, (writer, shard, socket.gethostname(), self._process, datetime.now(UTC)))
        self._writer, self._shard, self._seq = writer, shard, 0

    async def _start_over(self) -> None:
        self._writer = None
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()


def _fail(batch: list[_Waiting], error: BaseException) -> None:
    for item in batch:
        if not item.done.done():
            refusal = AuditUnavailable("The call could not be recorded.")
            refusal.__cause__ = error
            item.done.set_exception(refusal)


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


def _connection_parameters() -> dict[str, Any]:
    """Parameters for libpq from Django's settings, without opening a connection of the ORM."""
    entry = connections["default"].settings_dict
    given = {_CONNECTION_PARTS[key]: entry[key] for key in _CONNECTION_PARTS if entry.get(key)}
    return {**given, **entry.get("OPTIONS", {})}
