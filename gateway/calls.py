"""Calls in flight: sent, watched while they run, cancelled when the client says so, and how each ended.

Progress reaches the client while it waits. A client of the modern era cancels by hanging up; one of the handshake
era sends a notification, and its hanging up means nothing. Nothing is recorded here.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway import jsonrpc, protocol
from gateway.errors import (
    HEADER_MISMATCH,
    NOT_CARRIED,
    REQUEST_CANCELLED,
    SHUTTING_DOWN,
    UNSUPPORTED_PROTOCOL_VERSION,
    UPSTREAM_FAILED,
    Refused,
)
from gateway.jsonrpc import Response
from gateway.protocol import NotCarried, Wire
from gateway.recorder import Outcome
from gateway.reply import Channel
from gateway.transport import UpstreamFailed
from gateway.upstream import Outgoing

CALL_SECONDS: Final = 300.0  # the longest that a call may take
PING_SECONDS: Final = 15.0
_OURS: Final = frozenset({HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION})  # about our own message to the server

Key = tuple[str, Any]  # whose call, and the client's request id


class Sender(Protocol):
    """What reaches servers (`gateway.upstream.Upstream`)."""

    async def send(self, outgoing: Outgoing) -> Response:
        """The server's answer. Raises `UpstreamFailed`."""

    def forget(self, owner: str) -> None:
        """End what was kept for one caller."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The client's side of a call: how it speaks, the way back to it, and whether it hung up."""

    key: Key
    wire: Wire
    channel: Channel
    gone: asyncio.Event
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Carried:
    """How a call ended: a result, an error of the server, or a failure of ours. Exactly one of the three is set."""

    outcome: Outcome
    result: bytes | None = None
    error: Mapping[str, Any] | None = None
    failure: Refused | None = None


class Calls:
    """Carries calls and knows which are in flight."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._running: set[asyncio.Task[Response]] = set()
        self._cancellable: dict[Key, asyncio.Task[Response]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._aborted = False

    async def carry(self, outgoing: Outgoing, waiting: Waiting) -> Carried:
        """Send and wait; every way in which that can end is a `Carried`."""
        started = time.monotonic()
        task = asyncio.get_running_loop().create_task(self._sender.send(outgoing))
        self._track(waiting.key, task)
        try:
            response = await _watched(task, waiting)
        except UpstreamFailed as error:
            return _failed("failed", error.cls, error.sentence, UPSTREAM_FAILED, started)
        except TimeoutError:
            return _failed("failed", "timeout", "The server did not answer in time.", UPSTREAM_FAILED, started)
        except _Cancelled:
            if self._aborted:
                return _failed("cancelled", "shutdown", "This gateway is stopping.", SHUTTING_DOWN, started)
            return _failed("cancelled", "cancelled", "Request cancelled", REQUEST_CANCELLED, started)
        finally:
            task.cancel()
            self._untrack(waiting.key, task)
        return _carried(response, waiting, started)

    def cancel(self, key: Key) -> None:
        """Cancel a caller's own call; any other key is nobody's."""
        try:
            task = self._cancellable.get(key)
        except TypeError:  # a request id that is no id
            return
        if task is not None:
            task.cancel()

    def abort(self) -> None:
        """End every call in flight; each is answered and recorded as such."""
        self._aborted = True
        for task in self._running:
            task.cancel()

    def forget(self, owner: str) -> None:
        """End what servers keep for one caller."""
        self._sender.forget(owner)

    async def drained(self, timeout: float) -> bool:  # noqa: ASYNC109 -- the caller's own patience
        """Wait until no call is in flight, at most `timeout` seconds; whether that was reached."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _track(self, key: Key, task: "asyncio.Task[Response]") -> None:
        # A client that uses an id twice at once can cancel the later call only.
        self._cancellable[key] = task
        self._running.add(task)
        self._idle.clear()

    def _untrack(self, key: Key, task: "asyncio.Task[Response]") -> None:
        if self._cancellable.get(key) is task:
            del self._cancellable[key]
        self._running.discard(task)
        if not self._running:
            self._idle.set()


class _Cancelled(Exception):
    """The client does not want the answer any more, or we cannot wait for it."""


async def _watched(task: "asyncio.Task[Response]", waiting: Waiting) -> Response:
    """The task's result. Keeps the client's stream alive meanwhile. Raises what the task raises, `TimeoutError`."""
    hung_up = asyncio.get_running_loop().create_task(waiting.gone.wait())
    try:
        async with asyncio.timeout(CALL_SECONDS):
            while not task.done():
                watched = {task, hung_up} if waiting.wire.modern else {task}
                await asyncio.wait(watched, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if waiting.wire.modern and hung_up.done() and not task.done():
                    raise _Cancelled
                if not task.done():
                    await waiting.channel.ping()
        if task.cancelled():
            raise _Cancelled
        return task.result()
    finally:
        hung_up.cancel()


def _carried(response: Response, waiting: Waiting, started: float) -> Carried:
    if response.error is not None:
        return _upstream_error(response.error, started)
    try:
        released = protocol.released_result(response.result, waiting.wire, waiting.identity)
    except NotCarried as error:
        return _failed("failed", "not_carried", str(error), NOT_CARRIED, started)
    body = jsonrpc.dumps(released)
    status = "tool_error" if released.get("isError") is True else "ok"
    return Carried(Outcome(status, latency_ms=_since(started), bytes=len(body)), result=body)


def _upstream_error(error: Mapping[str, Any], started: float) -> Carried:
    if error["code"] in _OURS:
        return _failed("failed", "protocol_error", "The server did not accept our message.", UPSTREAM_FAILED, started)
    kept = {member: error[member] for member in ("code", "message", "data") if member in error}
    return Carried(Outcome("error", error_class=f"jsonrpc {error['code']}", latency_ms=_since(started)), error=kept)


def _failed(status: str, cls: str, sentence: str, code: int, started: float) -> Carried:
    outcome = Outcome(status, error_class=cls, latency_ms=_since(started))
    return Carried(outcome, failure=Refused(cls, sentence, code=code))


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
