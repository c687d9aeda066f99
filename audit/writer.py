"""The gateway's way into the audit log: durable before it returns, one commit for many records.

A `GroupCommitWriter` lives in one event loop. Batches form by themselves: what arrives while a batch commits is the
next batch. It is sent behind the other at once, so that the server goes from one to the next by itself; what arrives
while two are under way takes its numbers meanwhile, and anew unless they go well. Each batch is one INSERT, which
PostgreSQL makes all or nothing and which inserts nothing where it continues nothing, so the sequence of a writer never
has a hole. Whether a batch whose connection broke was committed cannot be known; the process then goes on as a new
writer with a sequence of its own, and the records in doubt stay consistent whichever way it went. What the server
itself refused is known not to be there, and the writer goes on. At the turn of the month it goes on as a new writer of
the new shard. Each record is chained to the one before and authenticated (`audit.proof.chain`); a batch is only written
where the last record is as the writer left it. Not for the control plane, which records inside its transactions.
"""

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from types import TracebackType
from typing import Any, Final, Protocol, Self
from uuid import UUID

import psycopg
from django.conf import settings

from audit import boots, kept, wire
from audit.batch import (
    Ahead,
    AuditAltered,
    AuditBusy,
    AuditRefused,
    AuditUnavailable,
    Sent,
    Tail,
    TailChanged,
    Waiting,
    fail,
    refuse,
)
from audit.boots import OwnBoot
from audit.chaining import Chain
from audit.drafts import RecordDraft, Repeat, shard_of
from audit.link import Link, in_short, parameters_from_settings
from audit.payload import Payload
from audit.proof.chain import key_id
from audit.rows import Rows
from audit.wire import Row
from core.deadline import Deadlines
from core.ids import new_id

__all__ = ["AuditAltered", "AuditBusy", "AuditRefused", "AuditUnavailable", "GroupCommitWriter", "Tail"]

logger = logging.getLogger(__name__)
_STATEMENTS: Final = {
    "audit_one": wire.INSERT_ONE,
    "audit_many": wire.INSERT_MANY,
    "audit_one_kept": kept.KEEP_ONE,
    "audit_many_kept": kept.KEEP_MANY,
    "audit_shard": wire.CREATE_SHARD,
    "audit_writer": wire.INSERT_WRITER,
    **boots.STATEMENTS,
}
# One plan for all batches: planning each anew costs the server as much as a record. And a server that was told to
# answer before its commits are durable is told otherwise here; one that waits for standbys as well keeps doing so.
# And a plan that was made for a month with no records yet would go through all of them at each commit, to find the
# writer's last, until the server looks at the table again (a minute): so it is told that there is an index.
_SETTINGS: Final = (
    *boots.SETTINGS,
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
_QUIET: Final = 1.0  # seconds between two lines about a database that is away


class Told(Protocol):
    """What hears of commits."""

    def __call__(self, seconds: float, records: int, *, failed: bool) -> None:
        """One commit took so long for so many records."""


class GroupCommitWriter:
    """Use as `async with GroupCommitWriter(process="gateway-1") as writer: await writer.write(draft)`.

    `capacity`: records that may wait; `batch`: records of one commit; `timeout`: seconds until `AuditUnavailable`;
    `told`: called after each commit; `new_chain` differs in measurements only. `altered`, to be set by who can tell
    it: called with the last record that was there, where it is no longer as it was.
    """

    def __init__(
        self,
        *,
        process: str | None = None,
        capacity: int = 2000,
        batch: int = 500,
        timeout: float = 2.0,
        database: Mapping[str, Any] | None = None,
        told: Told | None = None,
        new_chain: Callable[[str, UUID, int, bytes], Chain] = Chain,
    ) -> None:
        self._process = process or f"pid {os.getpid()}"
        self.boot = OwnBoot(self._process)
        self._capacity = capacity
        self._batch = batch
        self._timeout = timeout
        self._database = dict(database) if database is not None else parameters_from_settings()
        self._told = told
        self.altered: Callable[[Tail], None] | None = None
        self._new_chain = new_chain
        self._rows = Rows(settings.INSTALLATION_ID)
        self._waiting: deque[Waiting] = deque()
        self._batched: list[Waiting] = []  # those of the commit under way
        self._idle: asyncio.Future[None] | None = None  # what the task waits on where there is nothing to do
        self._alarm: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._is_tended = True
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._chain: Chain | None = None  # what is durable
        self._ahead: Ahead | None = None
        self._behind: Sent | None = None  # the batch that was sent behind the one whose commit is waited for
        self._is_single = False  # whether records of a batch are tried by themselves, and nothing may come between
        self._is_called = False  # whether `_follow` will run
        self._shard = 0  # never an earlier one, whatever the clock says
        self._unwritten = 0  # since the last line in the log
        self._silent_until = 0.0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Begin in the running event loop. Connects with the first record, and from then on keeps connected."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="audit writer")
        self._ticking = self._loop.call_later(boots.TICK, self._tick)

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        self._wake()
        if self._task is not None:
            await self._task
        for timer in (self._alarm, self._ticking):
            if timer is not None:
                timer.cancel()
        self._disconnect()

    async def write(self, record: RecordDraft | Repeat, payload: Payload | None = None) -> None:
        """Return once the record is durable, and its payload with it.

        Raises `AuditBusy` or `AuditUnavailable`: then nothing may follow it. A record refused for time may
        become durable later; it then stands for something that was not done.
        """
        if self._closing or self._task is None:
            raise AuditUnavailable("The audit writer is not running.")
        if len(self._waiting) >= self._capacity:
            raise AuditBusy("Too many calls wait to be recorded.")
        loop = self._loop  # asking for the running one costs a system call
        item = Waiting(self._rows.prepare(record), loop.create_future(), loop.time() + self._timeout, payload)
        self._waiting.append(item)
        if self._ahead is not None:
            self._ahead = self._with(self._ahead, item)
            if self._batched and self._behind is None:
                self._call()
        if self._idle is not None:
            self._wake()
        if self._alarm is None:
            self._alarm = loop.call_at(item.deadline, self._expire)
        await item.done

    def _expire(self) -> None:
        """Refuse what waited too long. One alarm for all of them: one for each would cost more than its record."""
        late = self._loop.time() + 0.001  # an alarm may ring a little early
        while self._waiting and self._waiting[0].deadline <= late:
            refuse(self._waiting.popleft(), "The call could not be recorded in time.")
        sent = [*self._batched, *(self._behind.batch if self._behind is not None else ())]
        for item in sent:
            if item.deadline <= late:
                refuse(item, "The call could not be recorded in time.", in_doubt=True)
        following = next((item.deadline for item in chain(sent, self._waiting) if not item.done.done()), None)
        self._alarm = None if following is None else self._loop.call_at(following, self._expire)

    def waiting(self) -> int:
        """How many records wait for their commit."""
        return len(self._waiting) + len(self._batched) + (len(self._behind.batch) if self._behind is not None else 0)

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
        self._deadlines = Deadlines(self._timeout)
        while True:
            while batch := self._next_batch():
                self._batched = batch
                await self._commit(batch)
                self._batched = []
                if not self._is_tended and self._behind is None:  # here too: under load there is always another batch
                    await self._tend()
            if not self._is_tended:
                await self._tend()
            if self._closing and not self._waiting:
                return self._deadlines.close()
            if not self._waiting and self._is_tended:  # both can have changed while it was tended
                await self._rest()

    async def _rest(self) -> None:
        """Until there is something to do."""
        self._idle = self._loop.create_future()
        await self._idle

    def _wake(self) -> None:
        idle, self._idle = self._idle, None  # who comes next finds the task awake
        if idle is not None and not idle.done():
            idle.set_result(None)

    def _tick(self) -> None:
        self._is_tended = False
        self._wake()
        self._ticking = self._loop.call_later(boots.TICK, self._tick)

    async def _tend(self) -> None:
        """Between records: open a lost link again, because its lock says that we live, and beat."""
        self._is_tended = True
        if not self.boot.is_begun:
            return  # nothing was recorded yet
        try:
            with self._deadlines:
                if self.boot.is_given_up:
                    self._start_over()
                self._start_over_if_in_doubt()
                await self.boot.beat(self._link or await self._connect())
        except (psycopg.Error, OSError, TimeoutError):
            self._start_over_if_in_doubt()

    def _next_batch(self) -> list[Waiting]:
        """The batch that was sent already, or else the oldest records that somebody still waits for."""
        return self._behind.batch if self._behind is not None else self._taken_off()

    def _taken_off(self) -> list[Waiting]:
        waiting = self._waiting
        if len(waiting) <= self._batch:
            batch = [item for item in waiting if not item.done.done()]
            waiting.clear()
            return batch
        batch = []
        while waiting and len(batch) < self._batch:
            item = waiting.popleft()
            if not item.done.done():
                batch.append(item)
        return batch

    async def _commit(self, batch: list[Waiting]) -> None:
        """Write them and tell their callers. Raises nothing: what went wrong is the callers'."""
        began = self._behind.began if self._behind is not None else time.monotonic()
        written = await self._tried(batch)
        if self._told is not None:
            self._told(time.monotonic() - began, len(batch), failed=not written)

    async def _tried(self, batch: list[Waiting]) -> bool:
        try:
            with self._deadlines:
                await self._write_batch(batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            await self._take_back()
            await self._commit_singly(batch, error)
        except (psycopg.Error, OSError, TimeoutError) as error:
            self._report(len(batch), error)
            in_doubt = self._link is not None and self._link.lost
            self._start_over_if_in_doubt()
            fail(batch, error, in_doubt=in_doubt)
            await self._take_back()
        except TailChanged as error:
            logger.critical("%s", error)
            self._chain = None
            if self.altered is not None:
                self.altered(error.tail)
            fail(batch, error, AuditAltered)
            await self._take_back()
        except Exception as error:  # the process's edge: a defect fails its callers and never ends the writer
            logger.exception("audit batch of %d not written", len(batch))
            self._start_over()
            fail(batch, error)
            await self._take_back()
        else:
            for item in batch:
                if not item.done.done():
                    item.done.set_result(None)
            return True
        return False

    def _report(self, count: int, error: Exception) -> None:
        """One line a second and no traceback: a database that is away would fill the log with the same one."""
        self._unwritten += count
        now = self._loop.time()
        if now >= self._silent_until:
            logger.error("%d audit records not written: %s", self._unwritten, type(error).__name__)
            self._silent_until, self._unwritten = now + _QUIET, 0

    async def _commit_singly(self, batch: list[Waiting], error: psycopg.Error) -> None:
        """One record that cannot be written must not take its neighbours along."""
        self._start_over_if_in_doubt()
        if len(batch) == 1:
            logger.error("audit record not written: %s", in_short(error))
            # Without a chain it was not this record that was refused, but the shard, the writer or the connection.
            fail(batch, error, AuditUnavailable if self._chain is None else AuditRefused)
            return
        self._is_single = True
        for item in batch:
            if not item.done.done():
                await self._commit([item])
        self._is_single = False

    async def _write_batch(self, batch: list[Waiting]) -> None:
        sent, self._behind = self._behind, None
        if sent is None:
            link, chain = self._link or await self._connect(), self._chain
            shard = self._shard_now()
            if chain is None or shard != chain.shard:
                chain = await self._register(link, shard)
            sent = self._send(link, batch, chain)
        if sent is None:
            return  # no row was left of it
        self._call()
        if await sent.link.answered(sent.answer) != sent.rows:
            after = sent.after
            raise TailChanged(Tail(after.writer, after.shard, after.seq, after.link))
        self._chain = sent.chain

    def _shard_now(self) -> int:
        return max(self._shard, shard_of(datetime.now(UTC)))

    def _send(self, link: Link, batch: list[Waiting], after: Chain) -> Sent | None:
        """Have the server write a batch that continues `after`; None where no record of it has a row."""
        placed, payloads, longer = self._taken(batch, after)
        if not placed:
            return None
        statement, values = _statement(after, placed, payloads)
        self._ahead = Ahead(longer, longer.ahead(), [], [])
        return Sent(batch, after, longer, len(placed), link, link.send(statement, values), time.monotonic())

    def _call(self) -> None:
        """Let `_follow` run once all is there that arrives in this turn of the loop."""
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._follow)

    def _follow(self) -> None:
        """Send what waits behind the batch that commits, where it can only be the next.

        Two at most are under way: with more, batches become small, and each has its price.
        """
        self._is_called = False
        link, ahead = self._link, self._ahead
        if not self._batched or self._behind is not None or self._is_single or not self._is_tended:
            return
        if not self._waiting or ahead is None or link is None or link.lost or self._shard_now() != ahead.after.shard:
            return
        batch = self._taken_off()
        try:
            with suppress(psycopg.Error):  # the link is lost: who waits for the batch before hears of it
                self._behind = self._send(link, batch, ahead.after)
        finally:
            if self._behind is None:
                self._wait_again(batch)

    async def _take_back(self) -> None:
        """After a batch that failed: what was sent behind it was not written, for it continues what is not there.

        So it waits again; but where the link is lost, nobody knows.
        """
        sent, self._ahead = self._behind, None
        if sent is None:
            return
        cause: Exception = AssertionError("a batch continued what is not there")
        try:
            with self._deadlines:
                rows = await sent.link.answered(sent.answer)
        except (psycopg.Error, TimeoutError) as error:
            rows, cause = 0, error
        self._behind = None
        if rows or sent.link.lost:
            self._start_over()
            fail(sent.batch, cause, in_doubt=True)
        else:
            self._wait_again(sent.batch)

    def _wait_again(self, batch: list[Waiting]) -> None:
        self._waiting.extendleft(item for item in reversed(batch) if not item.done.done())

    def _with(self, ahead: Ahead, item: Waiting) -> Ahead | None:
        """The newest of those that wait is placed ahead as well; None where that would not be all, each a usual one."""
        items = ahead.items
        if len(items) < self._batch and len(items) + 1 == len(self._waiting):
            row = self._rows.place_usual(item.prepared, ahead.chain)
            if row is not None:
                items.append(item)
                ahead.rows.append(row)
                return ahead
        return None

    def _taken(self, batch: list[Waiting], chain: Chain) -> tuple[list[Row], list[Payload], Chain]:
        """The rows of a batch, its payloads, and the chain with them.

        What was placed ahead counts only where it stands on this very chain and is this very batch: after a commit
        that failed or is in doubt, at a new writer, or where a caller went away, all are placed anew.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.after is chain and ahead.items == batch:
            return ahead.rows, [item.payload for item in batch if item.payload is not None], ahead.chain
        longer = chain.ahead()
        placed, payloads = self._placed(batch, longer)
        return placed, payloads, longer

    def _placed(self, batch: list[Waiting], chain: Chain) -> tuple[list[Row], list[Payload]]:
        """Each record with its number, in their order, and their payloads: the one place that sees every row.

        A record that no column holds is refused here and takes no number.
        """
        placed: list[Row] = []
        payloads: list[Payload] = []
        for item in batch:
            try:
                placed.append(self._rows.place(item.prepared, chain))
            except Exception as error:  # the process's edge: whatever is wrong with it, it is this record's alone
                logger.exception("an audit record has no row")
                refuse(item, "The call could not be recorded.", error, AuditRefused)
                continue
            if item.payload is not None:
                payloads.append(item.payload)
        return placed, payloads

    async def _connect(self) -> Link:
        limit = f"SET statement_timeout = {int(self._timeout * 750)}"
        self._link = link = await Link.open(self._database, (limit, *_SETTINGS), _STATEMENTS)
        try:
            await self.boot.begin(link)
        except BaseException:
            self._disconnect()  # without its lock nothing may be written
            raise
        return link

    async def _register(self, link: Link, shard: int) -> Chain:
        """Become the writer of a shard. It counts only when both statements went through."""
        self._chain = self._ahead = None
        writer, key = new_id(), settings.AUDIT_KEYS[0]
        await link.run("audit_shard", wire.shard_parameters(shard))
        names = socket.gethostname(), self._process
        now = datetime.now(UTC)
        await link.run("audit_writer", wire.writer_parameters(writer, shard, *names, now, key_id(key).hex()))
        self._shard = shard
        self._chain = self._new_chain(settings.INSTALLATION_ID, writer, shard, key)
        return self._chain

    def _start_over_if_in_doubt(self) -> None:
        """A link that still answers said that nothing was written: the sequence goes on."""
        if self._link is None or self._link.lost:
            self._start_over()

    def _start_over(self) -> None:
        self._chain = self._ahead = None  # nothing continues what another link wrote
        self._disconnect()

    def _disconnect(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def _statement(after: Chain, rows: list[Row], payloads: list[Payload]) -> tuple[str, list[bytes | None]]:
    name, values = "audit_one" if len(rows) == 1 else "audit_many", wire.parameters(after, rows)
    return (f"{name}_kept", values + kept.parameters(payloads)) if payloads else (name, values)
