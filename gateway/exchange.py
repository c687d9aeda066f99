"""One request while it is being answered, and the forms of its answer. Holds values; does nothing."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from access.policy import Reason
from core.ids import new_id
from gateway import jsonrpc
from gateway.errors import INVALID_REQUEST, Refused, http_status
from gateway.front import Head
from gateway.jsonrpc import Request
from gateway.protocol import DEFAULT_VERSION, Wire
from gateway.recorder import Recorded
from gateway.reply import Channel, Reply
from gateway.session import Session
from gateway.snapshot import Definition, ServerPart, Shown, Snapshot, Token

_UNTOLD: Final = Wire(modern=False, version=DEFAULT_VERSION)


@dataclass(slots=True)
class Exchange:
    """What is known of one HTTP request so far. `gone` is set when the client hung up."""

    head: Head
    slug: str
    channel: Channel
    gone: asyncio.Event
    id: UUID = field(default_factory=new_id)
    started: float = field(default_factory=time.monotonic)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    token: Token | None = None
    wire: Wire = _UNTOLD
    request_id: jsonrpc.Id | None = None
    recorded: Recorded = field(init=False)

    def __post_init__(self) -> None:
        self.recorded = Recorded(call_id=self.id, server=self.slug, client_ip=self.head.client_ip)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request whose caller is known and may use the server. `shown`: what the server shows the caller's class."""

    exchange: Exchange
    request: Request
    token: Token
    snapshot: Snapshot
    server: ServerPart
    session: Session | None
    definition: Definition | None
    shown: Shown = None

    @property
    def wire(self) -> Wire:
        """How the client speaks."""
        return self.exchange.wire


def result_reply(admitted: Admitted, result: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The answer around a serialised result."""
    return Reply(200, jsonrpc.result_bytes(admitted.request.id, result), headers)


def error_reply(exchange: Exchange, refused: Refused) -> Reply:
    """The answer of a refusal, in the client's era."""
    body = jsonrpc.error_bytes(exchange.request_id, refused.payload(str(exchange.id)))
    return Reply(http_status(refused, modern=exchange.wire.modern), body, refused.headers)


def invalid(message: str, *, code: int = INVALID_REQUEST, status: int | None = None) -> Refused:
    """A request that does not fit."""
    return Refused(Reason.INVALID_REQUEST, message, code=code, status=status)
