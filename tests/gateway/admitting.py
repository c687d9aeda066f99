"""Requests that were let in, without a process: real parts, a snapshot made by hand, records kept in memory."""

import os
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from access.policy import DefinitionFacts, PinState, ServerFacts
from access.principals import GrantFacts
from audit.drafts import RecordDraft, Repeat, written_out
from audit.events import Event, RecordType
from audit.payload import Payload
from audit.writer import AuditUnavailable
from core.ids import new_id
from core.sse import EventDecoder
from gateway.exchange import Admitted, Exchange, caller_of
from gateway.front import Head
from gateway.jsonrpc import Request
from gateway.outage import Outage
from gateway.protocol import Wire
from gateway.recorder import Recorded, Recorder
from gateway.reply import Channel
from gateway.sealing import Seal
from gateway.session import Session
from gateway.snapshot import AccessPart, Card, Checks, Definition, ServerPart, Shown, Snapshot, Token
from gateway.telemetry import Telemetry

HANDSHAKE = Wire(modern=False, version="2025-11-25")
MODERN = Wire(modern=True, version="2026-07-28")
NOW = datetime(2026, 11, 28, tzinfo=UTC)
RESOURCE = "https://gw.example/mcp/files"
SCOPES = frozenset({"mcp:connect", "mcp:files:call", "mcp:files:read"})
GRANTS = (GrantFacts(SCOPES),)
KEY = os.urandom(32)
HEAD = Head("POST", "/mcp/files", b"", {}, frozenset(), "192.0.2.1")
CARD = Card({"name": "files", "version": "1"})


def seal(purpose: str, *, longest: int = 8192) -> Seal:
    """A seal of this run's installation."""
    return Seal(key=KEY, installation="here", purpose=purpose, longest=longest)


@dataclass
class Sent:
    """What the client of one channel was sent."""

    events: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def send(self, event: MutableMapping[str, Any]) -> None:
        """ASGI."""
        self.events.append(event)

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.events[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Of the answer."""
        return dict(self.events[0]["headers"])

    @property
    def body(self) -> bytes:
        """All of it so far."""
        return b"".join(event["body"] for event in self.events[1:])

    @property
    def is_over(self) -> bool:
        """Whether the answer has ended."""
        return bool(self.events) and self.events[-1].get("more_body") is False

    @property
    def messages(self) -> list[bytes]:
        """The data of events so far."""
        return [event.data for event in EventDecoder().feed(self.body)]


@dataclass
class Kept:
    """A writer that keeps drafts in memory; `away`: nothing can be recorded."""

    drafts: list[RecordDraft] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    away: bool = False

    async def write(self, record: RecordDraft | Repeat, payload: Payload | None = None) -> None:
        """Keep it."""
        if self.away:
            raise AuditUnavailable("The record cannot be written.")
        self.drafts.append(written_out(record))
        self.payloads += [payload] if payload is not None else []

    @property
    def kinds(self) -> list[tuple[RecordType, Event]]:
        """What was recorded, in order."""
        return [(draft.type, draft.event) for draft in self.drafts]


def recorder(kept: Kept) -> Recorder:
    """A recorder that writes there."""

    async def silent(_kind: str, _data: Mapping[str, Any]) -> bool:
        return False

    outage = Outage(kept, alarm=silent, give_up=lambda: None)
    return Recorder(kept, outage, now=lambda: NOW)


def exchange(sent: Sent | None = None, *, wire: Wire = HANDSHAKE, streams: bool = True) -> Exchange:
    """One HTTP request to `files`."""

    async def never() -> None:
        raise AssertionError

    telemetry = Telemetry(is_server={"files"}.__contains__)
    made = Exchange(
        head=HEAD,
        slug="files",
        channel=Channel((sent or Sent()).send, streams=streams),
        hung_up=never,
        operation=telemetry.request("files", HEAD),
        recorded=Recorded(call_id=new_id(), server="files", client_ip=HEAD.client_ip),
        now=NOW,
    )
    made.wire = wire
    return made


def token(**more: Any) -> Token:
    """A token of agent 1 for `files`."""
    known: dict[str, Any] = {
        "id": "t",
        "client_id": "robot",
        "agent": 1,
        "agent_active": True,
        "person": None,
        "person_active": None,
        "principal": "agent:robot",
        "resource": RESOURCE,
        "scopes": SCOPES,
    }
    return Token(**{**known, **more})


def definition(
    name: str, kind: str = "tool", *, state: PinState = PinState.APPROVED, body: bytes | None = None, **more: Any
) -> Definition:
    """A definition whose text is as long as its name asks for."""
    facts = {key: more.pop(key) for key in ("expires_at", "sensitive", "digest", "scheme") if key in more}
    served = state is PinState.APPROVED
    checks = Checks(**{key: more.pop(key) for key in ("input", "output", "headers", "unusable") if key in more})
    text = b'{"name":"%s"}' % name.encode() if body is None else body
    known = DefinitionFacts(kind, name, state, **{"digest": f"d-{name}" if served else "", **facts})
    return Definition(known, body=text if served else b"", checks=checks, **more)


def server(*definitions: Definition, card: Card | None = CARD, **facts: Any) -> ServerPart:
    """The server `files`."""
    known = {"slug": "files", "resource": RESOURCE, "environment": "development", "active": True, **facts}
    return ServerPart(
        ServerFacts(**known),
        url="https://up.example/mcp",
        card=card,
        definitions={(each.facts.kind, each.facts.name): each for each in definitions},
    )


def admitted(
    method: str = "tools/call",
    params: Mapping[str, Any] | None = None,
    *,
    part: ServerPart | None = None,
    grants: Iterable[GrantFacts] = GRANTS,
    wire: Wire = HANDSHAKE,
    definition: Definition | None = None,
    session: Session | None = None,
    within: Exchange | None = None,
    capabilities: Mapping[str, Any] | None = None,
    shown: Shown = None,
    **of_token: Any,
) -> Admitted:
    """A request as the pipeline hands it on."""
    part = part or server()
    within = within or exchange(wire=wire)
    # As the store does it, the tuple itself is what a snapshot holds: an unchanged one is the very same.
    access = AccessPart(agents={1: grants if isinstance(grants, tuple) else tuple(grants)})
    caller = token(**of_token)
    return Admitted(
        exchange=within,
        request=Request(1, method, dict(params or {})),
        token=caller,
        snapshot=Snapshot(servers={"files": part}, access=access, read_at=0.0),
        server=part,
        session=session,
        definition=definition,
        card=part.presented(within.now),
        capabilities=capabilities if capabilities is not None else {"tools": {}},
        shown=shown,
        wire=within.wire,
        caller=caller_of(caller, within.slug, session),
    )


def later(given: Admitted, now: datetime) -> Admitted:
    """The same request at another moment."""
    within = exchange(wire=given.wire)
    within.now = now
    return replace(given, exchange=within, card=given.server.presented(now))
