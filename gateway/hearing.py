"""What a server says on a stream, as far as the client it is meant for may hear it.

Progress, log messages and questions belong to a call; that a list or a resource changed is told once and then no more
than every few seconds. What the protocol does not know is not handed on.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from core.sse import Event
from gateway import jsonrpc
from gateway.asks import Asks, Mark, asked_bytes, not_asked
from gateway.capabilities import may_ask
from gateway.exchange import Exchange
from gateway.jsonrpc import Notification, Request
from gateway.protocol import LIST_CHANGED
from gateway.upstream import declined
from gateway.upstream_sessions import UpstreamSession

COALESCED_SECONDS: Final = 5.0  # between two notes about the same list on one stream
UPDATED: Final = "notifications/resources/updated"
LOGGED: Final = "notifications/message"
ELICITED: Final = "notifications/elicitation/complete"
_PENDING_MAX: Final = 100  # questions of one stream that wait at once

Readable = Callable[[str], bool]


@dataclass(slots=True)
class Changes:
    """Tells a client that lists changed: the first time at once, then coalesced."""

    tell: Callable[[str], Coroutine[Any, Any, None]]
    _told: dict[str, float] = field(default_factory=dict)
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _telling: "set[asyncio.Task[Any]]" = field(default_factory=set)

    def note(self, method: str) -> None:
        """A list changed."""
        loop = asyncio.get_running_loop()
        if method in self._timers:
            return
        wait = self._told.get(method, float("-inf")) + COALESCED_SECONDS - loop.time()
        if wait <= 0:
            self._tell(method)
        else:
            self._timers[method] = loop.call_later(wait, self._tell, method)

    async def finish(self) -> None:
        """Before the stream ends: tell what waits."""
        for method, timer in list(self._timers.items()):
            timer.cancel()
            self._tell(method)
        if self._telling:
            await asyncio.wait(self._telling)

    def _tell(self, method: str) -> None:
        loop = asyncio.get_running_loop()
        self._timers.pop(method, None)
        self._told[method] = loop.time()
        task = loop.create_task(self.tell(method))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


class Hearing:
    """The listener of one request or stream of a client, `gateway.upstream.Listener`.

    `place` is the client's session, to which questions are sealed; empty where nothing can be asked. `readable` tells
    whether the client may read a resource now. `mark` makes the mark of the request that this is about; most
    are never asked for it.
    """

    def __init__(
        self,
        exchange: Exchange,
        asks: Asks,
        *,
        capabilities: Mapping[str, Any],
        server: Mapping[str, Any],
        place: tuple[str, ...],
        readable: Readable,
        mark: Callable[[], Mark],
        asks_for_log: bool,
    ) -> None:
        self._exchange = exchange
        self._asks = asks
        self._capabilities = capabilities
        self._place = place
        self.readable = readable
        # In the modern era a request says whether it wants to hear of it; before, the session does.
        self._logs = "logging" in server and (asks_for_log or not exchange.wire.modern)
        self._mark = mark
        self.marks = 0  # events whose ids the client was given
        self._pending: dict[jsonrpc.Id, str] = {}
        self._changes: Changes | None = None  # made when something is told: of most calls nothing is

    @property
    def has_told(self) -> bool:
        """Whether anything may wait to be told, which `finish` then tells."""
        return self._changes is not None

    @property
    def changes(self) -> Changes:
        """Which lists changed while this goes on."""
        if self._changes is None:
            self._changes = Changes(self._tell)
        return self._changes

    async def finish(self) -> None:
        """Before the stream ends: tell what waits."""
        if self._changes is not None:
            await self._changes.finish()

    @property
    def wants_progress(self) -> bool:
        """Whether the client gave a token for it."""
        return self._mark().token is not None

    async def progressed(self, params: Mapping[str, Any]) -> None:
        """Progress, under the token that the client chose."""
        if self.wants_progress:
            await self._notify("notifications/progress", {"progressToken": self._mark().token, **params})

    async def notified(self, notification: Notification) -> None:
        """Hand on what is the client's to hear."""
        method, params = notification.method, notification.params
        if method in LIST_CHANGED and not self._exchange.wire.modern:
            self.changes.note(method)
        elif method == "notifications/cancelled":
            await self._withdrawn(params)
        elif self._may_hear(method, params):
            await self._notify(method, params)

    def _may_hear(self, method: str, params: Mapping[str, Any]) -> bool:
        if method == UPDATED:
            return not self._exchange.wire.modern and self.readable(str(params.get("uri")))
        return (method == LOGGED and self._logs) or (method == ELICITED and "elicitation" in self._capabilities)

    async def asked(self, request: Request, session: UpstreamSession | None) -> bytes | None:
        """Put a server's question to the client, if it said that it takes such; else what the server is answered."""
        able = self._place and self._exchange.channel.streams and session is not None
        if request.method == "ping" or not able or not may_ask(request.method, self._capabilities):
            return declined(request)
        id_ = None
        if len(self._pending) < _PENDING_MAX:
            id_ = await self._asks.put(request, self._exchange, self._place)
        if id_ is None:
            return not_asked(request)
        self._pending[request.id] = id_
        await self._exchange.channel.notify(asked_bytes(request, id_))
        return None

    async def marked(self, event: Event, request_id: int) -> None:
        """Give the client an id in place of the server's, from which it can go on when it loses the stream."""
        channel = self._exchange.channel
        if not self._place or not channel.streams:
            return
        id_ = self._asks.mark(replace(self._mark(), event=event.id, upstream_id=request_id), self._place)
        if not id_:
            return
        self.marks += 1
        if event.data:
            channel.event_id = id_
        else:
            await channel.prime(id_, event.retry)

    async def _withdrawn(self, params: Mapping[str, Any]) -> None:
        """The server does not want an answer any more."""
        upstream_id = params.get("requestId")
        id_ = self._pending.pop(upstream_id, None) if isinstance(upstream_id, str | int) else None
        if id_ is not None:
            await self._notify("notifications/cancelled", {**params, "requestId": id_})

    async def _tell(self, method: str) -> None:
        await self._exchange.channel.notify(jsonrpc.notification_bytes(method))

    async def _notify(self, method: str, params: Mapping[str, Any]) -> None:
        await self._exchange.channel.notify(jsonrpc.notification_bytes(method, params))
