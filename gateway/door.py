"""How requests come in: uvicorn's own protocol, which does not parse a head again that it has parsed.

`uvicorn --http gateway.door:Door`; without it everything is the same, and slower. What an agent sends over one
connection has few heads, but for the digits of their lengths: one for each method, and in the modern era one for each
tool. The connection remembers some of those with which uvicorn's parser has read a whole request and found nothing
unusual. A request that arrives in one piece, begins with the very same bytes and ends where its length says, means the
same: it is handed on without the parser, and with what the gateway has found out about its head (`Seen.kept`). All
else that arrives is the parser's. A test holds both ways equal on the wire (docs/adr/0030-shorter-ways.md).
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from core.wire_known import Cut, cut

SEEN: Final = "holdfast.seen"  # where the ASGI scope of a request has its head's `Seen`
_HEADS: Final = 4  # of a connection
_HEAD_MAX: Final = 8192  # bytes
_LENGTH: Final = b"content-length"
# A request with one of these is more than a head and a body.
_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


class Seen:
    """A head that the parser read: its bytes, and what the gateway keeps with them. Ends with its connection."""

    __slots__ = ("_after", "_before", "cut", "kept", "scope")

    def __init__(self, cut_: Cut, scope: dict[str, Any]) -> None:
        """`scope` as the parser's callbacks made it. Raises `ValueError` where there is not one length in it."""
        (at,) = (index for index, (name, _) in enumerate(scope["headers"]) if name == _LENGTH)
        self.cut = cut_
        self.scope = scope.copy()
        self.kept: Any = None
        self._before, self._after = tuple(scope["headers"][:at]), tuple(scope["headers"][at + 1 :])

    def headers(self, length: int) -> list[tuple[bytes, bytes]]:
        """Those of a request whose body has so many bytes."""
        return [*self._before, (_LENGTH, b"%d" % length), *self._after]


class Door(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._seen: list[Seen] = []
        self._begun = 0  # requests that the parser began to read
        self._ended = 0  # and read to their end
        self._is_resting = False  # since the last answer, which was sent at `_rested`
        self._rested = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """What came over the connection: a request, a piece of one, or several."""
        ended, cycle = self._ended, self.cycle
        is_between = self._begun == ended and (cycle is None or cycle.response_complete)
        if is_between:
            for seen in self._seen:
                body = seen.cut.body_of(data)
                if body is not None and len(body) <= HIGH_WATER_LIMIT:
                    self._take(seen, body)
                    return
        super().data_received(data)
        if is_between and self._begun == self._ended == ended + 1:
            self._remember(data)

    def _take(self, seen: Seen, body: bytes) -> None:
        """What the parser's callbacks do, for a request that is whole."""
        self._is_resting = False
        scope: Any = {**seen.scope, SEEN: seen, "headers": seen.headers(len(body)), "state": self.app_state.copy()}
        self.cycle = cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        cycle.body += body
        cycle.more_body = False
        cycle.message_event.set()
        self._start_asgi_task(cycle, self.app)

    def _remember(self, data: bytes) -> None:
        """The head of the one request that `data` is, which nobody has begun to answer."""
        cycle, names = self.cycle, [name for name, _ in self.headers]
        if self.limit_concurrency is not None or self.scope["method"] != "POST":
            return
        if len(data) - len(cycle.body) > _HEAD_MAX:  # it is kept before anybody knows whose it is
            return
        found = cut(data, len(cycle.body)) if names.count(_LENGTH) == 1 and _UNUSUAL.isdisjoint(names) else None
        if found is not None:
            scope: Any = self.scope  # which the application has not seen yet
            scope[SEEN] = seen = Seen(found, scope)
            self._seen = [seen, *self._seen[: _HEADS - 1]]

    def on_message_begin(self) -> None:
        """The parser has the first byte of a request."""
        self._begun += 1
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The parser has its last byte."""
        self._ended += 1
        super().on_message_complete()

    # One timer for a connection that rests time and again: one after each answer costs a call two microseconds.

    def on_response_complete(self) -> None:
        """An answer was sent: the connection rests, or goes on with what was sent ahead."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._is_resting, self._rested = True, self.loop.time()
        if self._alarm is None:
            self._alarm = self.loop.call_later(self.timeout_keep_alive, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if not self._is_resting:
            return
        left = self._rested + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._alarm = self.loop.call_later(left, self._ring)
        else:
            self.timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self._is_resting = False
        super()._unset_keepalive_if_required()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we are."""
        super().connection_lost(exc)
        self._seen = []
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
