"""The records of a call: intent before dispatch, outcome before release, one deny per denial. Durable or refused."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from access.policy import Reason
from audit.drafts import Pattern, RecordDraft, Repeat
from audit.events import Event, RecordType
from audit.payload import Payload
from audit.writer import AuditUnavailable
from core.ids import new_id
from gateway.capture import Captured, Said
from gateway.errors import refuse
from gateway.outage import NOT_SENT, UNRECORDED, Outage, is_outage

_PATTERNS: Final = 512
_REMEMBERED: Final = 2048  # characters of a pattern's words
_SILENT: Final = Said()
_clock: Final = partial(datetime.now, UTC)
# A member is read from its enumeration by a function of the standard library, and each call reads several.
_CALL_INTENDED, _CALL_COMPLETED, _OUTCOME = Event.CALL_INTENDED, Event.CALL_COMPLETED, RecordType.OUTCOME


class What(NamedTuple):
    """What is recorded of a call, in words that many calls share."""

    type: RecordType
    event: Event
    decision: str = "allowed"
    reason: str = ""
    status: str = ""
    error_class: str = ""


_INTENT: Final = What(RecordType.INTENT, _CALL_INTENDED)


@lru_cache(maxsize=256)
def _ended(event: Event, status: str, error_class: str) -> What:
    return What(_OUTCOME, event, status=status, error_class=error_class)


class Writer(Protocol):
    """What makes records durable (`audit.writer.GroupCommitWriter`)."""

    async def write(self, record: RecordDraft | Repeat, payload: Payload | None = None) -> None:
        """Return once the record is durable, and its payload with it. Raises `AuditUnavailable`."""


class Recorded(Struct):
    """What the records of one request have in common, as far as it is known yet.

    Texts may be a caller's: the draft bounds them. `rule_ids` is what policy decided by, whatever happened later;
    `scopes_needed` what a token had to hold and did not (step-up).
    `parent_call_id` is the call in whose course this one happens; `intention` why the caller makes it,
    `policy_digest` which state of policy it was decided by.
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
    rule_ids: tuple[str, ...] = ()
    scopes_used: tuple[str, ...] = ()
    scopes_needed: tuple[str, ...] = ()
    client_ip: str = ""
    trace_id: str = ""
    parent_call_id: UUID | None = None
    intention: str = ""
    policy_digest: str = ""


# What many calls share, besides the words of `What`.
_SHARED: Final = (
    "principal", "agent", "token_id", "server", "environment", "owner_team", "method", "kind", "tool", "tool_hash",
    "rule_ids", "scopes_used", "scopes_needed", "client_ip", "policy_digest",
)  # fmt: skip
_shared_of: Final = attrgetter(*_SHARED)


class Outcome(Struct, frozen=True):
    """How a call ended.

    `status`: ok, tool_error, input_required (the server asks something first), task (it goes on by itself), error (the
    server's), failed (no usable answer), invalid (wrong arguments, answered here), cancelled, closed (a stream), sent
    (a notification, which nobody answers), withheld (the answer stays here), unknown (see `gateway.outage`).
    `answer` is what was found in the answer (`gateway.answers`); None where nothing was.
    """

    status: str
    error_class: str = ""
    latency_ms: int = 0
    bytes: int = 0
    answer: Mapping[str, Any] | None = None


class Recorder:
    """Writes drafts; what cannot be recorded raises the refusal that the caller gets."""

    def __init__(self, writer: Writer, outage: Outage, now: Callable[[], datetime] = _clock) -> None:
        self._writer = writer
        self._outage = outage
        self._now = now
        self._patterns: dict[tuple[What, tuple[object, ...]], Pattern] = {}

    async def intended(self, call: Recorded, event: Event = _CALL_INTENDED, captured: Captured | None = None) -> None:
        """Before anything is sent. Raises `Refused`: then nothing may be sent."""
        if event is not _CALL_INTENDED:  # what a client is asked, any process may hear the answer of
            return await self._write(call, What(RecordType.INTENT, event), captured=captured)
        self._outage.began(call.call_id)
        try:
            await self._write(call, _INTENT, captured=captured)
        except BaseException as error:
            # What was refused for time, or given up meanwhile, may be on record all the same.
            cause = error.__cause__
            if cause.in_doubt if isinstance(cause, AuditUnavailable) else True:
                self._outage.lost(call.call_id, self._unknown(call, NOT_SENT))
            else:
                self._outage.ended(call.call_id)
            raise

    async def completed(
        self,
        call: Recorded,
        outcome: Outcome,
        event: Event = _CALL_COMPLETED,
        captured: Captured | None = None,
        released: bytes | None = None,
    ) -> None:
        """Before the answer is released. Raises `Refused`: then the answer stays here.

        `released`: the result or error as the client gets it, None where it gets none of the server's.
        """
        try:
            await self._write(call, _ended(event, outcome.status, outcome.error_class), outcome, captured, released)
        except BaseException:
            if event is _CALL_COMPLETED:
                self._outage.lost(call.call_id, self._unknown(call, UNRECORDED))
            raise
        self._outage.ended(call.call_id)

    async def answered(self, call: Recorded, outcome: Outcome) -> None:
        """What is answered from what we hold, without asking the server: one record. Raises `Refused`."""
        await self.completed(call, outcome, Event.REQUEST_ANSWERED)

    async def denied(self, call: Recorded, reason: str) -> None:
        """One record for one denial. Raises `Refused`."""
        await self._write(call, What(RecordType.DENY, Event.CALL_DENIED, "denied", reason, "denied"))

    async def connected(self, call: Recorded) -> None:
        """A session was opened. Raises `Refused`."""
        await self._write(call, What(RecordType.AUTH, Event.CONNECTION_OPENED))

    async def _write(
        self,
        call: Recorded,
        what: What,
        outcome: Outcome | None = None,
        captured: Captured | None = None,
        released: bytes | None = None,
    ) -> None:
        """`captured` goes with an intent, and with an outcome of which something is `released`."""
        pattern, id_, now, call_id = self._pattern(call, what), new_id(), self._now(), call.call_id
        said: Said | Awaitable[Said] = _SILENT
        latency = size = answer = None
        if outcome is None:
            if captured is not None:
                said = captured.arguments(call_id, id_, now)
        else:
            latency, size, answer = outcome.latency_ms, outcome.bytes, outcome.answer
            if captured is not None and released is not None:
                said = captured.result(call_id, id_, released)
        if not isinstance(said, Said):
            said = await said
        intention = "" if what.event is _CALL_COMPLETED else call.intention  # the intent has said it
        commitments = said.args_commit, said.result_commit
        record: RecordDraft | Repeat
        record = again = Repeat(pattern, id_, now, call_id, latency, size, call.trace_id, *commitments, intention)
        if call.parent_call_id or answer:
            draft = again.draft()
            after = {**(draft.after or {}), "answer": answer} if answer else draft.after
            record = replace(draft, parent_call_id=call.parent_call_id, after=after)
        try:
            await self._writer.write(record, said.payload)
        except AuditUnavailable as error:
            if is_outage(error):
                self._outage.refused()
            raise refuse(Reason.AUDIT_UNAVAILABLE) from error

    def _unknown(self, call: Recorded, why: str) -> RecordDraft:
        """The end of a call of which nobody is told."""
        what = What(RecordType.OUTCOME, Event.CALL_UNKNOWN, reason=why, status="unknown")
        now = self._now()
        place = {"call_id": call.call_id, "parent_call_id": call.parent_call_id, "trace_id": call.trace_id}
        return replace(_draft(call, what, now), **place)

    def _pattern(self, call: Recorded, what: What) -> Pattern:
        """What this record has in common with others: most of what an agent does it does again."""
        shared = _shared_of(call)
        key = (what, shared)
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = Pattern(_draft(call, what, self._now()))
            if sum(map(len, shared)) > _REMEMBERED:  # callers choose some of them
                return pattern
            if len(self._patterns) >= _PATTERNS:
                self._patterns.clear()
            self._patterns[key] = pattern
        return pattern


def _draft(call: Recorded, what: What, now: datetime) -> RecordDraft:
    return RecordDraft(
        **what._asdict(),
        time=now,
        principal=call.principal,
        actor=call.principal,
        agent=call.agent,
        token_id=call.token_id,
        server=call.server,
        environment=call.environment,
        owner_team=call.owner_team,
        subject=f"{call.kind or 'tool'}:{call.server}/{call.tool}" if call.tool else f"server:{call.server}",
        method=call.method,
        kind=call.kind,
        tool=call.tool,
        tool_hash=call.tool_hash,
        rule_ids=call.rule_ids,
        policy_digest=call.policy_digest,
        scopes_used=call.scopes_used,
        client_ip=call.client_ip,
        after={"scopes_needed": list(call.scopes_needed)} if call.scopes_needed else None,
    )
