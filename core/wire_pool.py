"""Connections in use are bounded, in all and for each origin; those at rest are few, short-lived and checked."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from core.outbound_failure import OutboundError, Refusal
from core.wire_connection import Connection
from core.wire_message import Origin

Dial = Callable[[Origin, float], Awaitable[Connection]]  # the second is a deadline on the event loop's clock


class Permits:
    """A semaphore, first come, first served; asyncio's costs more than all else that the pool does for a call."""

    def __init__(self, count: int) -> None:
        self.free = count  # none while anybody waits: a permit that is given back goes to them directly
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a permit; there is no wait while some are `free`."""
        if self.free:
            self.take_free()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # passed over already
                    self._waiting.remove(turn)
            else:
                self.give()  # it came in the same moment
            raise

    def take_free(self) -> None:
        """Take one of those that are `free`."""
        self.free -= 1

    def give(self) -> None:
        """Give a permit back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


@dataclass(slots=True)
class _Place:
    """One origin: permits to use a connection, who holds or awaits one, and connections at rest (oldest first)."""

    permits: Permits
    users: int = 0
    resting: dict[Connection, None] = field(default_factory=dict)


class Pool:
    """Hands each connection to one exchange at a time."""

    def __init__(self, dial: Dial, *, connections: int, per_origin: int, keepalive_seconds: float) -> None:
        self._dial = dial
        self._connections = connections
        self._per_origin = per_origin
        self._keepalive = keepalive_seconds
        self._permits = Permits(connections)
        self._places: dict[Origin, _Place] = {}
        self._resting: dict[Connection, float] = {}  # of all origins, oldest first, and until when they may rest
        self._sweep: asyncio.TimerHandle | None = None
        self._used = 0
        self._live: set[Connection] = set()
        self._closed = False

    def take_rested(self, origin: Origin) -> Connection | None:
        """What `take` returns where it would neither wait nor dial, else None: then `take` it."""
        place = self._places.get(origin)
        if place is None or not (place.resting and place.permits.free and self._permits.free) or self._closed:
            return None
        connection = self._rested(place)
        if connection is not None:
            place.users += 1
            place.permits.free -= 1
            self._permits.free -= 1
            self._used += 1
        return connection

    async def take(self, origin: Origin, deadline: float) -> Connection:
        """A connection that nobody else uses, until `give`. Raises `OutboundError`; `timeout` when all stay in use."""
        place = self._places.get(origin)
        if place is None:
            place = self._places[origin] = _Place(Permits(self._per_origin))
        place.users += 1
        connection = None
        try:
            await self._permit(place, deadline)
            try:
                connection = self._rested(place) or await self._fresh(origin, deadline)
            finally:
                if connection is None:
                    self._return_permit(place)
        finally:
            if connection is None:
                place.users -= 1
                self._tidy(origin, place)
        return connection

    def give(self, connection: Connection) -> None:
        """The exchange is over; the connection rests if it ended well, and is closed otherwise."""
        place = self._places[connection.origin]
        if connection.release() and not self._closed:
            place.resting[connection] = None
            self._resting[connection] = connection.loop.time() + self._keepalive
            if self._sweep is None:
                self._sweep_later()
        else:
            connection.drop()
        self._return_permit(place)
        place.users -= 1
        if not place.users:
            self._tidy(connection.origin, place)

    async def close(self) -> None:
        """Close every connection, those in use too, and wait until they are gone."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        live = list(self._live)
        for connection in live:
            connection.drop()
        await asyncio.gather(*(connection.lost for connection in live))

    async def _permit(self, place: _Place, deadline: float) -> None:
        if self._closed:
            raise OutboundError(Refusal.REFUSED, "The client is closed.")
        if place.permits.free and self._permits.free:
            place.permits.take_free()  # no timer, and no coroutines that wait for nothing
            self._permits.take_free()
        else:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._acquire(place)
            except TimeoutError as error:
                raise OutboundError(Refusal.TIMEOUT) from error
        self._used += 1

    async def _acquire(self, place: _Place) -> None:
        # The origin's permit first: who waits for a busy server holds nothing that others need.
        await place.permits.take()
        try:
            await self._permits.take()
        except BaseException:
            place.permits.give()
            raise

    def _return_permit(self, place: _Place) -> None:
        self._used -= 1
        self._permits.give()
        place.permits.give()

    def _tidy(self, origin: Origin, place: _Place) -> None:
        if not place.users and not place.resting:
            self._places.pop(origin, None)

    def _rested(self, place: _Place) -> Connection | None:
        """The connection that was used last, of those at rest that are still as they were left."""
        while place.resting:
            connection, _ = place.resting.popitem()
            until = self._resting.pop(connection)
            if connection.loop.time() < until and connection.is_as_left():
                return connection
            connection.drop()
        return None

    async def _fresh(self, origin: Origin, deadline: float) -> Connection:
        while self._resting and len(self._resting) + self._used > self._connections:
            oldest = next(iter(self._resting))
            self._forget(oldest)
            oldest.drop()
        connection = await self._dial(origin, deadline)
        self._live.add(connection)
        connection.lost.add_done_callback(lambda _: self._lost(connection))
        if self._closed:
            connection.drop()
            raise OutboundError(Refusal.REFUSED, "The client is closed.")
        return connection

    def _sweep_later(self) -> None:
        oldest = next(iter(self._resting.values()))
        self._sweep = asyncio.get_running_loop().call_at(oldest, self._sweep_now)

    def _sweep_now(self) -> None:
        """Close those that rested long enough."""
        now, self._sweep = asyncio.get_running_loop().time(), None
        for connection in [each for each, until in self._resting.items() if until <= now]:
            self._forget(connection)
            connection.drop()
        if self._resting:
            self._sweep_later()

    def _lost(self, connection: Connection) -> None:
        self._live.discard(connection)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._resting:
            del self._resting[connection]
            place = self._places[connection.origin]
            del place.resting[connection]
            self._tidy(connection.origin, place)
