"""Syslog over TLS (RFC 5425).

The protocol has no acknowledgement. What was handed to a connection counts as arrived once that connection has lived on
for a while: a receiver that went away ends it sooner, and then all that is not confirmed is sent again.
"""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from audit.formats import syslog
from audit.sinks.transport import SendFailed, Written
from core.addresses import SYSLOG_PORTS, Address
from core.outbound_dial import OutboundPolicy, judged_addresses, look_up, tls_context
from core.outbound_failure import OutboundError, classify
from core.wire_dial import first_that_answers

_CONNECT_SECONDS: Final = 10.0
_SEND_SECONDS: Final = 30.0
_LOST: Final = "The receiver closed the connection."


class SyslogTransport:
    """One connection, made with the first record that there is to send."""

    def __init__(
        self, policy: OutboundPolicy, host: str, port: int, *, installation: str, settle: float = 30.0
    ) -> None:
        self._policy, self._host, self._port = policy, host, port
        self._installation = installation
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self.settle = settle

    async def send(self, batch: Sequence[Written]) -> None:
        """Hand these to the connection, all of them: what waits in a buffer of ours was not sent."""
        if self._writer is None:
            await self._connect()
        await self.check()
        assert self._writer is not None  # noqa: S101 -- connected above
        messages = (
            syslog.message(record, line.rstrip(b"\r\n"), installation=self._installation) for record, line in batch
        )
        try:
            self._writer.write(b"".join(syslog.framed(message) for message in messages))
            async with asyncio.timeout(_SEND_SECONDS):
                await self._writer.drain()
        except TimeoutError as error:
            raise SendFailed("The receiver takes nothing more.") from error
        except OSError as error:
            raise SendFailed(_LOST) from error

    async def check(self) -> None:
        """Raise `SendFailed` once the other side has closed."""
        if self._listening is not None and self._listening.done():
            raise SendFailed(_LOST)

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._writer.wait_closed()

    async def _connect(self) -> None:
        threads = ThreadPoolExecutor(1, "syslog-dns")
        try:
            addresses = await judged_addresses(
                self._policy, functools.partial(look_up, threads), self._host, self._port,
                encrypted=True, seconds=2.0, ports=SYSLOG_PORTS,
            )  # fmt: skip
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, self._writer = await self._over_tls(addresses)
        except (OSError, TimeoutError, OutboundError) as error:
            raise SendFailed(classify(error).sentence) from error
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
        # A write is over once nothing of it lies here any more. (At 0 asyncio takes an empty buffer for a full one.)
        self._writer.transport.set_write_buffer_limits(high=1, low=0)
        self._listening = asyncio.create_task(_until_closed(reader))

    async def _over_tls(self, addresses: list[Address]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connected = await first_that_answers(addresses, self._port)
        try:
            context: ssl.SSLContext = tls_context(self._policy.ca_file, http=False)
            return await asyncio.open_connection(sock=connected, ssl=context, server_hostname=self._host)
        except BaseException:
            connected.close()
            raise


async def _until_closed(reader: asyncio.StreamReader) -> None:
    """Read and forget what a receiver says, which syslog does not foresee, until it closes."""
    with contextlib.suppress(OSError):
        while await reader.read(65536):
            pass
