"""One request while it is being answered, and the forms of its answer. Holds values; does nothing."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from access.policy import Allowed, Call, Decision, Reason
from gateway import jsonrpc
from gateway.errors import INVALID_REQUEST, Refused, http_status
from gateway.front import Head
from gateway.jsonrpc import Request
from gateway.kept_tokens import Bearer
from gateway.operation import Operation
from gateway.protocol import DEFAULT_VERSION, Wire
from gateway.recorder import Recorded
from gateway.reply import Channel, Reply
from gateway.session import Session
from gateway.snapshot import Card, Definition, ServerPart, Shown, Snapshot, Token

_NEVER: Final = datetime.max.replace(tzinfo=UTC)  # by which whatever can end has ended
REFUSAL: Final = "holdfast/refusal"  # member of `_meta`
_UNTOLD: Final = Wire(modern=False, version=DEFAULT_VERSION)


class Exchange(Struct, eq=False):
    """What is known of one HTTP request so far. `hung_up` returns when the client has."""

    head: Head
    slug: str
    channel: Channel
    hung_up: Callable[[], Awaitable[None]]
    operation: Operation
    recorded: Recorded
    bearer: Bearer | None = None
    now: datetime = _NEVER  # when it was decided
    token: Token | None = None
    wire: Wire = _UNTOLD
    request_id: jsonrpc.Id | None = None

    @property
    def id(self) -> UUID:
        """The call's, in records and in refusals."""
        return self.recorded.call_id


class Admitted(Struct, frozen=True):
    """A request whose caller is known and may use the server.

    `card` is how the server presents itself now, `capabilities` what it is presented as able to do, `shown` what it
    shows the caller's class. `wire` is how the client speaks, `caller` whose request ids these are (`caller_of`).
    """

    exchange: Exchange
    request: Request
    token: Token
    snapshot: Snapshot
    server: ServerPart
    session: Session | None
    definition: Definition | None
    card: Card
    capabilities: Mapping[str, Any]
    shown: Shown
    wire: Wire
    caller: str

    @property
    def place(self) -> tuple[str, str]:
        """Whom what is sealed for this caller is sealed to, and where."""
        return self.token.holder, self.exchange.slug

    def decide_read(self, uri: str) -> Decision:
        """Whether the caller may read a resource, saying why, by the snapshot that this request was decided by."""
        candidates = self.server.readable(uri, self.shown)
        exchange = self.exchange
        asked = Call("resources/read", intention=True)
        judged = self.snapshot.decide_any(
            asked, candidates, self.token, exchange.slug, exchange.now, exchange.head.client_ip
        )
        return judged[1]

    def may_read(self, uri: str) -> bool:
        """The same as a truth value."""
        return isinstance(self.decide_read(uri), Allowed)


def caller_of(token: Token, slug: str, session: Session | None) -> str:
    """Whose request ids and sessions with a server these are: a client's session, or else the caller at this server."""
    return session.owner if session is not None else f"{token.holder}@{slug}"


def result_reply(admitted: Admitted, result: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The answer around a serialised result."""
    return Reply(200, jsonrpc.result_bytes(admitted.request.id, result), headers)


def error_reply(exchange: Exchange, refused: Refused) -> Reply:
    """The answer of a refusal, in the client's era."""
    if refused.readable and exchange.request_id is not None:
        return Reply(200, jsonrpc.result_bytes(exchange.request_id, _readable(exchange, refused)))
    body = jsonrpc.error_bytes(exchange.request_id, refused.payload(str(exchange.id)))
    return Reply(http_status(refused, modern=exchange.wire.modern), body, refused.headers)


def _readable(exchange: Exchange, refused: Refused) -> bytes:
    """A refusal as a tool's result, which the model reads (MCP, tools, error handling)."""
    result: dict[str, Any] = {"resultType": "complete"} if exchange.wire.modern else {}
    result |= {"content": [{"type": "text", "text": refused.message}], "isError": True}
    return jsonrpc.dumps({**result, "_meta": {REFUSAL: refused.details(str(exchange.id))}})


def invalid(message: str, *, code: int = INVALID_REQUEST, status: int | None = None) -> Refused:
    """A request that does not fit."""
    return Refused(Reason.INVALID_REQUEST, message, code=code, status=status)
