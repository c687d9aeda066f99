"""What servers ask of clients in the handshake era: sampling, elicitation, roots (MCP 2025-11-25, client features).

The question goes to the client on the stream of the call that it belongs to, under an id that holds the server's own
id, sealed to the client's session. So the answer can come through any process: it is opened there and posted in the
session with the server, and nobody has to be found who waits for it. Both ways are recorded before anything moves.
"""

import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from audit.events import Event
from core.ids import new_id
from gateway import jsonrpc
from gateway.errors import INTERNAL_ERROR, Refused
from gateway.exchange import Exchange, invalid
from gateway.jsonrpc import Request, Response
from gateway.recorder import Outcome, Recorded, Recorder
from gateway.sealing import Seal, Unsealed

ANSWERED_WITHIN: Final = 3600.0  # seconds; a person may be asked
LONGEST: Final = 4096  # characters of a sealed id: it comes back in a header, and with every event
_NOT_ASKED: Final = {"code": INTERNAL_ERROR, "message": "The client cannot be asked now."}


@dataclass(frozen=True, slots=True)
class Question:
    """What a sealed id says: the server's id of its request, the call that it belongs to, the question's own id."""

    upstream_id: jsonrpc.Id
    call: UUID
    id: UUID
    method: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What the id of an event says: where a stream can be gone on with, and which request it answers.

    `method` is empty for the stream of a session, which answers none.
    """

    call: UUID
    client_id: jsonrpc.Id = 0
    method: str = ""
    name: str = ""
    event: str = ""
    upstream_id: int = 0
    token: jsonrpc.Id | None = None  # of progress, which the client chose


class Asks:
    """Hands questions to clients, and their answers back; and the ids of events likewise."""

    def __init__(self, recorder: Recorder, seal: Seal) -> None:
        self._recorder = recorder
        self._seal = seal

    async def put(self, request: Request, exchange: Exchange, place: tuple[str, ...]) -> str | None:
        """Record a server's question; the id under which the client gets it.

        None where it cannot be recorded, or where its id is too long to come back.
        """
        question = Question(request.id, exchange.id, new_id(), request.method)
        content = [question.upstream_id, question.call.hex, question.id.hex, question.method, int(time.time())]
        id_ = self._closed(content, place)
        if not id_:
            return None
        try:
            await self._recorder.intended(_recorded(exchange.recorded, question), Event.CLIENT_ASKED)
        except Refused:
            return None
        return id_

    async def take(self, response: Response, recorded: Recorded, place: tuple[str, ...]) -> bytes:
        """Record a client's answer; what the server is sent. Raises `Refused`."""
        question = self._question(response.id, place)
        status = "ok" if response.error is None else "error"
        cls = "" if response.error is None else f"jsonrpc {response.error['code']}"
        answered = _recorded(recorded, question)
        await self._recorder.completed(answered, Outcome(status, error_class=cls), Event.CLIENT_ANSWERED)
        if response.error is not None:
            return jsonrpc.error_bytes(question.upstream_id, response.error)
        return jsonrpc.result_bytes(question.upstream_id, jsonrpc.dumps(response.result))

    def mark(self, mark: Mark, place: tuple[str, ...]) -> str:
        """The id under which a client is given an event; empty where it would be too long to come back."""
        content = [mark.call.hex, mark.client_id, mark.method, mark.name, mark.event, mark.upstream_id, mark.token]
        return self._closed(content, (*place, "event"))

    def marked(self, id_: str, place: tuple[str, ...]) -> Mark:
        """What the id of an event says. Raises `Refused`."""
        try:
            call, *rest = jsonrpc.parse_value(self._seal.open(id_, *place, "event"))
        except (Unsealed, ValueError) as error:
            raise invalid("There is no event of this id.", status=400) from error
        return Mark(UUID(call), *rest)

    def _closed(self, content: list[Any], place: tuple[str, ...]) -> str:
        raw = jsonrpc.dumps(content)
        sealed = self._seal.close(raw, *place) if len(raw) < LONGEST else ""
        return sealed if len(sealed) <= LONGEST else ""

    def _question(self, id_: Any, place: tuple[str, ...]) -> Question:
        try:
            content = jsonrpc.parse_value(self._seal.open(id_ if isinstance(id_, str) else "", *place))
            upstream_id, call, own, method, asked = content
        except (Unsealed, ValueError) as error:
            raise invalid("Nothing was asked under this id.", status=400) from error
        if not 0 <= time.time() - asked + 60 <= ANSWERED_WITHIN:
            raise invalid("The question was asked too long ago.", status=400)
        return Question(upstream_id, UUID(call), UUID(own), method)


def not_asked(request: Request) -> bytes:
    """What a server is told whose question cannot be handed on."""
    return jsonrpc.error_bytes(request.id, _NOT_ASKED)


def asked_bytes(request: Request, id_: str) -> bytes:
    """The question as the client gets it."""
    return jsonrpc.call_bytes(id_, request.method, request.params)


def _recorded(recorded: Recorded, question: Question) -> Recorded:
    return replace(recorded, call_id=question.id, parent_call_id=question.call, method=question.method, intention="")
