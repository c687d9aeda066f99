"""A guarded connection for the hot path: judged addresses only, and the peer is checked before a byte is sent."""

import asyncio
import socket
import ssl

from core.addresses import Address
from core.outbound_dial import DIALLED, OutboundPolicy, Resolver, is_peer, judged_addresses, tls_context
from core.outbound_failure import OutboundError, Refusal
from core.wire_connection import Connection
from core.wire_message import Origin


async def dial(policy: OutboundPolicy, resolver: Resolver, origin: Origin, deadline: float) -> Connection:
    """Connect to `origin` before `deadline` (the event loop's clock), the name lookup included.

    Raises `OutboundError`: `dns`, `blocked`, `refused`, `tls` or `timeout`.
    """
    left = deadline - asyncio.get_running_loop().time()
    addresses = await judged_addresses(
        policy, resolver, origin.host, origin.port, encrypted=origin.encrypted, seconds=max(left, 0)
    )
    context = tls_context(policy.ca_file) if origin.encrypted else None
    try:
        async with asyncio.timeout_at(deadline):
            connected = await first_that_answers(addresses, origin.port)
            return await _over(connected, origin, context)
    except TimeoutError as error:
        raise OutboundError(Refusal.TIMEOUT) from error


async def first_that_answers(addresses: list[Address], port: int) -> socket.socket:
    """A socket that is connected to the first judged address that answers. Raises `OutboundError`."""
    failure: OSError | None = None
    for address in addresses[:DIALLED]:
        try:
            return await _connected(address, port)
        except OSError as error:
            failure = error
    raise OutboundError(Refusal.REFUSED) from failure


async def _connected(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connected, (str(address), port))
        _require_peer(connected, address)
    except BaseException:
        connected.close()
        raise
    return connected


def _require_peer(connected: socket.socket, address: Address) -> None:
    if not is_peer(connected.getpeername(), address):
        raise OutboundError(Refusal.BLOCKED)


async def _over(connected: socket.socket, origin: Origin, context: ssl.SSLContext | None) -> Connection:
    """The connection over `connected`; TLS verifies the name that was asked for, whatever address it has."""
    # Two steps: cancelled early in `create_connection(ssl=...)`, asyncio loses the transport, and with it the socket.
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(lambda: Connection(origin), sock=connected)
    if context is None:
        return connection
    try:
        # A server that spoke already was hung up on: there is nobody to shake hands with.
        secured = (
            None
            if transport.is_closing()
            else await loop.start_tls(transport, connection, context, server_hostname=origin.host)
        )
    except OSError as error:  # ssl.SSLError is one; who hangs up during the handshake speaks no TLS either
        raise OutboundError(Refusal.TLS) from error
    if secured is None:
        raise OutboundError(Refusal.TLS)
    connection.secured(secured)
    return connection
