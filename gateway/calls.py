"""Calls in flight: sent, watched while they run, cancelled when the client says so, and how each ended.

A client of the modern era cancels by hanging up; one of the handshake era sends a notification, which may reach
another process, and its hanging up means nothing. Most calls end before anything about them needs watching, so the
watching begins a moment later, by one timer for all of them. Nothing is recorded here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from msgspec import Struct

from gateway.errors import REQUEST_CANCELLED, SHUTTING_DOWN, UPSTREAM_FAILED, Refused
from gateway.in_flight import InFlight
from gateway.protocol import Wire
from gateway.reply import Channel
from gateway.transport import UpstreamFailed

PING_SECONDS: Final = 15.0
WATCHED_AFTER: Final = 0.05  # seconds, and at most half as many more
T = TypeVar("T")

Key = tuple[str, Any]  # whose call, and the client's request id


class Waiting(Struct, frozen=True):
    """The client's side of a call: how it speaks, the way back to it, and what returns when it has hung up."""

    key: Key
    wire: Wire
    channel: Channel
    hung_up: Callable[[], Awaitable[None]]


class Ended(Exception):
    """A call that did not come to an answer; `status` is that of its record, `refused` what the client is told."""

    def __init__(self, status: str, cls: str, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.status = status
        self.cls = cls
        self.refused = Refused(cls, sentence, code=code)


class _Call(Struct, eq=False):
    """`began` and `until` are times of the event loop's clock."""

    task: "asyncio.Task[Any]"
    waiting: Waiting
    began: float
    until: float
    why: str = ""
    watch: "asyncio.Task[None] | None" = None
    end: asyncio.TimerHandle | None = None

    def cancel(self, why: str) -> None:
        if not self.why:
            self.why = why
            self.task.cancel()


class Calls:
    """Carries calls and knows which are in flight."""

    def __init__(self) -> None:
        self._running: InFlight[_Call] = InFlight()
        self._cancellable: dict[Key, _Call] = {}
        self._unwatched: dict[_Call, None] = {}  # oldest first
        self._look: asyncio.TimerHandle | None = None  # at those that may be watched by then
        self._loop: asyncio.AbstractEventLoop | None = None  # from the first call on: asking for it is dear
        self._aborted = False

    def __len__(self) -> int:
        return len(self._running)

    async def carry(self, work: Awaitable[T], waiting: Waiting, *, seconds: float) -> T:
        """What `work` returns. Raises `Ended` for every other way in which it can end."""
        if self._aborted:  # let in before, and only now ready to be sent
            if isinstance(work, Coroutine):
                work.close()
            raise _cut_short("shutdown")
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 -- a coroutine runs in a task
        now = loop.time()
        call = _Call(task, waiting, now, now + seconds)
        self._begin(call, loop)
        try:
            return await work
        except UpstreamFailed as error:
            raise Ended("failed", error.cls, error.sentence, UPSTREAM_FAILED) from error
        except asyncio.CancelledError as error:
            if not call.why:
                raise  # somebody else's: the process gives up on the request
            task.uncancel()
            raise _cut_short(call.why) from error
        finally:
            self._end(call)

    def cancel(self, key: Key) -> bool:
        """Cancel a caller's own call, if it is under way here; any other key is nobody's."""
        try:
            call = self._cancellable.get(key)
        except TypeError:  # a request id that is no id
            return False
        if call is not None:
            call.cancel("cancelled")
        return call is not None

    def cancel_where(self, fits: Callable[[str, Any], bool]) -> None:
        """Cancel the calls whose caller and request id fit; another process was asked to."""
        for (caller, request_id), call in list(self._cancellable.items()):
            if fits(caller, request_id):
                call.cancel("cancelled")

    def abort(self) -> None:
        """End every call in flight, and whatever comes yet; each is answered and recorded as such."""
        self._aborted = True
        for call in self._running:
            call.cancel("shutdown")

    async def drained(self, timeout: float) -> bool:  # noqa: ASYNC109 -- the caller's own patience
        """Wait until no call is in flight, at most `timeout` seconds; whether that was reached."""
        return await self._running.emptied(timeout)

    def _begin(self, call: _Call, loop: asyncio.AbstractEventLoop) -> None:
        # A client that uses an id twice at once can cancel the later call only.
        self._cancellable[call.waiting.key] = call
        self._running.add(call)
        if call.until - call.began <= 2 * WATCHED_AFTER:  # it may end before anybody looks
            self._watch(call, loop)
            return
        self._unwatched[call] = None
        if self._look is None:
            self._look = loop.call_later(WATCHED_AFTER, self._watch_old, loop)

    def _watch_old(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch whatever began long enough ago."""
        began = loop.time() - WATCHED_AFTER
        for call in list(self._unwatched):
            if call.began > began:
                break
            del self._unwatched[call]
            self._watch(call, loop)
        # A timer for each call would cost more than all else that is done here for it.
        self._look = loop.call_later(WATCHED_AFTER / 2, self._watch_old, loop) if self._unwatched else None

    def _watch(self, call: _Call, loop: asyncio.AbstractEventLoop) -> None:
        call.watch = loop.create_task(_watched(call))
        call.end = loop.call_at(call.until, call.cancel, "timeout")

    def _end(self, call: _Call) -> None:
        """It has ended: nothing is watched any more."""
        if call.watch is not None:
            call.watch.cancel()
        if call.end is not None:
            call.end.cancel()
        self._unwatched.pop(call, None)
        key = call.waiting.key
        if self._cancellable.get(key) is call:
            del self._cancellable[key]
        self._running.discard(call)


def _cut_short(why: str) -> Ended:
    if why == "timeout":
        return Ended("failed", "timeout", "The server did not answer in time.", UPSTREAM_FAILED)
    if why == "shutdown":
        return Ended("cancelled", "shutdown", "This gateway is stopping.", SHUTTING_DOWN)
    return Ended("cancelled", "cancelled", "Request cancelled", REQUEST_CANCELLED)


async def _watched(call: _Call) -> None:
    """Keep the client's stream alive, and cancel when a client of the modern era hangs up."""
    waiting = call.waiting
    hung_up = asyncio.ensure_future(waiting.hung_up())
    try:
        while not (await asyncio.wait({hung_up}, timeout=PING_SECONDS))[0]:
            await waiting.channel.ping()
        if waiting.wire.modern:
            call.cancel("cancelled")
    finally:
        hung_up.cancel()
