"""One connection: it asks, and hands what comes back to the reader of that answer. Never two answers at a time."""

import asyncio
import select
import ssl
from typing import Final, cast

from core.outbound_failure import OutboundError, Refusal
from core.wire_answer import AnswerReader
from core.wire_known import KnownHead
from core.wire_message import Origin

_BUFFERED: Final = 262_144  # bytes of body that wait for a slow reader before we stop reading from the socket


class Connection(asyncio.Protocol):
    """A connection to `origin`. `lost` is done when it is gone."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self.known: KnownHead | None = None  # of the last answer
        self._transport: asyncio.Transport  # from connection_made on; nobody has the connection before
        self._poll = select.poll()
        self._reader: AnswerReader | None = None  # of the exchange that goes on
        self._error: OutboundError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._latest = 0.0  # when whoever waits has waited long enough
        self._paused = False

    # --- for whoever owns the exchange ----------------------------------------------------------------------

    def ask(self, reader: AnswerReader, head: bytes, body: bytes) -> None:
        """Write a request whose answer `reader` will read. Does not wait: nothing is larger than what we hold."""
        self._reader = reader
        self._transport.write(head + body)

    def arrival(self, latest: float) -> "asyncio.Future[None]":
        """Done when the reader may have more. Raises `OutboundError`, `timeout` at `latest` (the loop's clock)."""
        if self._error is not None:
            raise self._error
        self._latest = latest
        if self._timer is None or self._timer.when() > latest:
            self._set_timer(latest)
        # No coroutine around it: one would cost more than all of this.
        self._waiter = waiter = self.loop.create_future()
        return waiter

    def resume(self) -> None:
        """The reader's buffer was taken: read on."""
        if self._paused and self._is_open():
            self._paused = False
            self._transport.resume_reading()

    def release(self) -> bool:
        """End the exchange. True if another one may follow on this connection."""
        reader, self._reader = self._reader, None
        if reader is None or not (reader.complete and reader.reusable) or self._paused or not self._is_open():
            return False
        self.known = reader.known
        # A server may answer before it has read everything; what is left would be read as the next request.
        return self._transport.get_write_buffer_size() == 0

    # --- for the pool ---------------------------------------------------------------------------------------

    def is_as_left(self) -> bool:
        """Whether the connection is open and nothing arrived on it since the exchange.

        The socket itself is asked, because the event loop may not have looked at it yet: bytes that came before a
        request must not be read as its answer.
        """
        return not self._transport.is_closing() and not self._poll.poll(0)

    def drop(self) -> None:
        """Close at once."""
        self._transport.abort()

    # --- called by the event loop ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; TLS, where it is spoken, comes next."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def secured(self, transport: asyncio.Transport) -> None:
        """TLS is established: from now on everything goes through `transport`."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes; where no answer is awaited they are nobody's, and the connection ends."""
        reader = self._reader
        if reader is None or reader.complete:
            self.drop()
            return
        try:
            reader.feed(data)
        except OutboundError as error:
            self._fail(error)
            return
        if reader.buffered > _BUFFERED and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._notify()

    def eof_received(self) -> None:
        """The server has no more to say: for some answers that is their end."""
        if self._reader is not None and self._said_goodbye():
            try:
                self._reader.end()
            except OutboundError as error:
                self._fail(error)
        self._notify()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone, by either side."""
        if self._error is None:
            self._error = OutboundError(Refusal.TLS if isinstance(exc, ssl.SSLError) else Refusal.PROTOCOL_ERROR)
        self._notify()
        if self._timer is not None:
            self._timer.cancel()
        if not self.lost.done():
            self.lost.set_result(None)

    def _said_goodbye(self) -> bool:
        # Anybody on the way can end TCP and so cut a body short; TLS ends with a message of its own (RFC 8446, 6.1).
        tls = self._transport.get_extra_info("ssl_object")
        try:
            return tls is None or tls.read(1) == b""
        except ssl.SSLError:
            return False

    def _is_open(self) -> bool:
        return not self._transport.is_closing()

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._look_at_clock)

    def _look_at_clock(self) -> None:
        # One timer serves many waits: most end early, and making two timers for each call is dear.
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self.loop.time() < self._latest:
            self._set_timer(self._latest)
        else:
            self._fail(OutboundError(Refusal.TIMEOUT))

    def _fail(self, error: OutboundError) -> None:
        if self._error is None:
            self._error = error
        self.drop()
        self._notify()

    def _notify(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():  # who waited may have been cancelled
            waiter.set_result(None)
