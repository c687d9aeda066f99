"""What cannot be recorded: told outside at once, counted, and set right in the log as soon as it can be.

From the first record that the database did not take to the first that it took is one outage. Calls are refused
meanwhile; those that were sent before, whose end found no place in the log, are known here and become `call.unknown`.
Where they are too many, or an end cannot be written at all, the boot is given up and the reconciler finds them
(docs/adr/0028-boots.md). What was taken out of the log behind the writer is no outage, and told as what it is.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, Protocol
from uuid import UUID

from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.writer import AuditAltered, AuditBusy, AuditRefused, AuditUnavailable, Tail

logger = logging.getLogger(__name__)
UNAVAILABLE: Final = "audit.unavailable"  # the alarms' types
ALTERED: Final = "audit.altered"
UNRECORDED: Final = "the call was carried out, its outcome could not be recorded, and the answer stayed here"
NOT_SENT: Final = "the call was refused, because its intent was not recorded in time: nothing was sent"
_CHANGED: Final = "the last record of a writer is gone, or is not what it was"
_PAUSE: Final = 1.0  # seconds between two attempts
_LAST: Final = 1.0  # seconds for what is being told when the process ends
_ITSELF: Final = "system:gateway"
Alarm = Callable[[str, Mapping[str, Any]], Awaitable[bool]]


class Writer(Protocol):
    """What makes records durable."""

    async def write(self, record: RecordDraft) -> None:
        """Return once the record is durable. Raises `AuditUnavailable`."""


class Outage:
    """Of one process. `give_up`: called where more than `most` calls wait for their end to be recorded."""

    def __init__(self, writer: Writer, *, alarm: Alarm, give_up: Callable[[], None], most: int = 2000) -> None:
        self._writer = writer
        self._alarm = alarm
        self._give_up = give_up
        self._most = most
        self._open: dict[int, UUID] = {}  # by number: an id's own hash is written in Python
        self._lost: dict[UUID, RecordDraft] = {}
        self._since: datetime | None = None
        self._count = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_on(self) -> bool:
        """Whether the last that we know of the database is that it takes no records."""
        return self._since is not None

    def calls(self) -> Iterable[UUID]:
        """Whose intent may be on record, and whose end is not."""
        return chain(self._open.values(), self._lost)

    def began(self, call: UUID) -> None:
        """Before its intent is written."""
        self._open[call.int] = call

    def ended(self, call: UUID) -> None:
        """Its end is on record, or it has no intent there."""
        self._open.pop(call.int, None)

    def lost(self, call: UUID, end: RecordDraft) -> None:
        """Its end is not on record, and `end` shall be as soon as that is possible."""
        self._open.pop(call.int, None)
        if len(self._lost) >= self._most:
            logger.error("%d calls wait for their end to be recorded: left to the reconciler", len(self._lost))
            self._lost.clear()
            self._give_up()
        else:
            self._lost[call] = end
        self._see_through()

    def refused(self) -> None:
        """The database took no records; the first time in an outage sounds the alarm."""
        self._count += 1
        if self._since is None:
            self._since = datetime.now(UTC)
            self._begin(self._sounded(UNAVAILABLE, {"since": self._since.isoformat()}), "alarm")
            self._see_through()

    def altered(self, tail: Tail) -> None:
        """The writer's last record is not as it was: told outside, and on record by the writer that follows."""
        about = {"writer": str(tail.writer), "shard": tail.shard, "seq": tail.seq, "link": tail.link.hex()}
        self._begin(self._sounded(ALTERED, about), "alarm")
        self._begin(self._recorded(_contradicted(about)), "altered")

    async def close(self) -> None:
        """Stop trying: what is left is the reconciler's. What is being told has a moment to get out."""
        if telling := [task for task in self._tasks if task.get_name() != "outage"]:
            await asyncio.wait(telling, timeout=_LAST)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _sounded(self, kind: str, about: Mapping[str, Any]) -> None:
        await self._alarm(kind, {"process": socket.gethostname(), **about})

    async def _recorded(self, draft: RecordDraft) -> None:
        """Written, however long that takes."""
        while True:
            try:
                return await self._writer.write(draft)
            except AuditUnavailable as error:
                if isinstance(error, AuditRefused):
                    return logger.critical("not on record: %s %s", draft.event.value, draft.after)
            await asyncio.sleep(_PAUSE)

    def _see_through(self) -> None:
        if not any(task.get_name() == "outage" and not task.done() for task in self._tasks):
            self._begin(self._ended(), "outage")

    def _begin(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ended(self) -> None:
        while self._since is not None or self._lost:
            await asyncio.sleep(_PAUSE)
            try:
                await self._record()
            except AuditUnavailable:
                continue
            except Exception:  # the task's edge: without it nothing would be tried again
                logger.exception("the end of an outage is not on record")

    async def _record(self) -> None:
        """How long it was, and then how the calls ended. Raises `AuditUnavailable` while it goes on."""
        if self._since is not None:
            count = self._count
            await self._writer.write(_interrupted(self._since, count))
            self._count -= count
            self._since = datetime.now(UTC) if self._count else None
        while self._lost:
            call = next(iter(self._lost))
            await self._write_end(call, self._lost[call])
            self._lost.pop(call, None)

    async def _write_end(self, call: UUID, end: RecordDraft) -> None:
        """One that can never be written must not keep the others from it. Raises `AuditUnavailable`."""
        try:
            await self._writer.write(end)
        except Exception as error:
            if isinstance(error, AuditUnavailable) and not isinstance(error, AuditRefused):
                raise
            logger.critical("the end of call %s cannot be written: left to the reconciler", call, exc_info=error)
            self._give_up()


def is_outage(error: AuditUnavailable) -> bool:
    """Whether the database took no records: neither the queue, nor the record, nor the log was at fault."""
    return not isinstance(error, AuditBusy | AuditRefused | AuditAltered)


def _contradicted(about: Mapping[str, Any]) -> RecordDraft:
    return RecordDraft(
        type=RecordType.CHECKPOINT,
        event=Event.LOG_CONTRADICTED,
        principal=_ITSELF,
        actor=_ITSELF,
        time=datetime.now(UTC),
        subject=f"process:{socket.gethostname()}",
        reason=_CHANGED,
        after={"kind": "tail", **about},
    )


def _interrupted(since: datetime, count: int) -> RecordDraft:
    now = datetime.now(UTC)
    return RecordDraft(
        type=RecordType.ADMIN,
        event=Event.AUDIT_INTERRUPTED,
        principal=_ITSELF,
        actor=_ITSELF,
        time=now,
        subject=f"process:{socket.gethostname()}",
        reason="the database took no records, and calls were refused",
        after={"from": since.isoformat(), "until": now.isoformat(), "refused": count},
    )
