"""What one commit of a writer is made of, what its callers are told where it fails, and why it did."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from audit.chaining import Chain
from audit.link import Link
from audit.payload import Payload
from audit.rows import Prepared
from audit.wire import Row
from core.errors import Unavailable


class AuditUnavailable(Unavailable):
    """The record could not be made durable in time, so what it was about may not happen.

    `in_doubt`: it was sent, and may be there or come to be there.
    """

    code = "audit_unavailable"
    in_doubt = False


class AuditBusy(AuditUnavailable):
    """Too many records wait already; try again in a moment."""

    code = "audit_busy"


class AuditRefused(AuditUnavailable):
    """This record cannot be written for what it is; others can."""


class AuditAltered(AuditUnavailable):
    """Not written, because the writer's last record is not as it left it. A new writer takes the next."""


class Tail(NamedTuple):
    """The last record of a writer, as it was made."""

    writer: UUID
    shard: int
    seq: int
    link: bytes


class TailChanged(Exception):
    """The last record that this writer made is gone, or is not what it was."""

    def __init__(self, tail: Tail) -> None:
        super().__init__(f"the audit log was changed behind record {tail.seq} of writer {tail.writer}")
        self.tail = tail


class Waiting(Struct, eq=False):
    """A record whose caller waits for it to be durable."""

    prepared: Prepared
    done: asyncio.Future[None]
    deadline: float  # by the loop's clock
    payload: Payload | None


class Ahead(Struct, eq=False):
    """All that waits, placed after the batch that commits: good where `after` becomes what is durable, else nothing."""

    after: Chain
    chain: Chain  # with these rows
    items: list[Waiting]
    rows: list[Row]


class Sent(Struct, eq=False):
    """A batch that the server has. It takes the writer from `after` to `chain`, where `answer` is as many `rows`."""

    batch: list[Waiting]
    after: Chain
    chain: Chain
    rows: int
    link: Link
    answer: "asyncio.Future[int]"
    began: float


def fail(
    batch: Iterable[Waiting],
    error: BaseException,
    kind: type[AuditUnavailable] = AuditUnavailable,
    *,
    in_doubt: bool = False,
) -> None:
    """None of a batch was written, or nobody knows."""
    for item in batch:
        refuse(item, "The call could not be recorded.", error, kind, in_doubt=in_doubt)


def refuse(
    item: Waiting,
    message: str,
    cause: BaseException | None = None,
    kind: type[AuditUnavailable] = AuditUnavailable,
    *,
    in_doubt: bool = False,
) -> None:
    """Tell the caller, who may be told already."""
    if not item.done.done():
        refusal = kind(message)
        refusal.__cause__, refusal.in_doubt = cause, in_doubt
        item.done.set_exception(refusal)
