"""The records of a call: intent before dispatch, outcome before release, one deny per denial. Durable or refused."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from access.policy import Reason
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.writer import AuditUnavailable
from core.frozen import checked_frozen
from gateway.errors import refuse


class Writer(Protocol):
    """What makes records durable (`audit.writer.GroupCommitWriter`)."""

    async def write(self, draft: RecordDraft) -> None:
        """Return once the record is durable. Raises `AuditUnavailable`."""


@dataclass(slots=True)
class Recorded:
    """What the records of one request have in common, as far as it is known yet.

    Texts may be a caller's: the draft bounds them. `parent_call_id` is the call in whose course this one happens.
    """

    call_id: UUID
    principal: str = "anonymous"
    agent: str = ""
    token_id: str = ""
    server: str = ""
    environment: str = ""
    owner_team: str = ""
    method: str = ""
    kind: str = ""
    tool: str = ""
    tool_hash: str = ""
    scopes_used: tuple[str, ...] = ()
    client_ip: str = ""
    trace_id: str = ""
    parent_call_id: UUID | None = None


@checked_frozen
class Outcome:
    """How a call ended.

    `status`: ok, tool_error, input_required (the server asks something first), task (it goes on by itself), error (the
    server's), failed (no usable answer), invalid (wrong arguments, answered here), cancelled, closed (a stream).
    """

    status: str
    error_class: str = ""
    latency_ms: int = 0
    bytes: int = 0


class Recorder:
    """Writes drafts; what cannot be recorded raises the refusal that the caller gets."""

    def __init__(self, writer: Writer, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._writer = writer
        self._now = now

    async def intended(self, call: Recorded, event: Event = Event.CALL_INTENDED) -> None:
        """Before anything is sent. Raises `Refused`: then nothing may be sent."""
        await self._write(call, RecordType.INTENT, event, decision="allowed")

    async def completed(self, call: Recorded, outcome: Outcome, event: Event = Event.CALL_COMPLETED) -> None:
        """Before the answer is released. Raises `Refused`: then the answer stays here."""
        await self._write(
            call,
            RecordType.OUTCOME,
            event,
            decision="allowed",
            status=outcome.status,
            error_class=outcome.error_class,
            latency_ms=outcome.latency_ms,
            bytes=outcome.bytes,
        )

    async def answered(self, call: Recorded, outcome: Outcome) -> None:
        """What is answered from what we hold, without asking the server: one record. Raises `Refused`."""
        await self.completed(call, outcome, Event.REQUEST_ANSWERED)

    async def denied(self, call: Recorded, reason: str) -> None:
        """One record for one denial. Raises `Refused`."""
        await self._write(call, RecordType.DENY, Event.CALL_DENIED, decision="denied", reason=reason, status="denied")

    async def connected(self, call: Recorded) -> None:
        """A session was opened. Raises `Refused`."""
        await self._write(call, RecordType.AUTH, Event.CONNECTION_OPENED, decision="allowed")

    async def _write(self, call: Recorded, type_: RecordType, event: Event, **fields: Any) -> None:
        draft = RecordDraft(
            type=type_,
            event=event,
            time=self._now(),
            principal=call.principal,
            actor=call.principal,
            agent=call.agent,
            token_id=call.token_id,
            call_id=call.call_id,
            server=call.server,
            environment=call.environment,
            owner_team=call.owner_team,
            subject=f"{call.kind or 'tool'}:{call.server}/{call.tool}" if call.tool else f"server:{call.server}",
            method=call.method,
            kind=call.kind,
            tool=call.tool,
            tool_hash=call.tool_hash,
            scopes_used=call.scopes_used,
            client_ip=call.client_ip,
            trace_id=call.trace_id,
            parent_call_id=call.parent_call_id,
            **fields,
        )
        try:
            await self._writer.write(draft)
        except AuditUnavailable as error:
            raise refuse(Reason.AUDIT_UNAVAILABLE) from error
