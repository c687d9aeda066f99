"""Making outbound connections: look a name up once, judge every answer, dial what was judged."""

import asyncio
import functools
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpcore2
import httpx2

from core.addresses import PUBLIC_PORTS, Address, Network, Reach, is_plain_name, literal, reach
from core.outbound_failure import OutboundError, Refusal

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
DIALLED: Final = 3  # addresses tried of one name


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """Where traffic may go. `allow`: networks in which http and any port are open; `ca_file`: further authorities."""

    allow: tuple[Network, ...] = ()
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """Bounds of one exchange; seconds and bytes. A stream (`text/event-stream`) has its own instead of a total."""

    dns_seconds: float = 2.0
    connect_seconds: float = 5.0
    head_seconds: float = 15.0  # from sending the request to the end of the answer's headers
    total_seconds: float = 30.0  # the whole exchange, when the answer is no stream
    body_bytes: int = 16 * 1024 * 1024
    header_bytes: int = 64 * 1024
    header_count: int = 200
    idle_seconds: float = 60.0
    event_bytes: int = 16 * 1024 * 1024
    lifetime_seconds: float = 3600.0
    connections: int = 64


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Looks a name up once, judges every answer and dials what it judged."""

    def __init__(self, policy: OutboundPolicy, limits: OutboundLimits, resolver: Resolver, *, encrypted: bool) -> None:
        self._policy = policy
        self._limits = limits
        self._resolver = resolver
        self._encrypted = encrypted
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the base class's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to `host`. Raises `OutboundError`; the time is bounded by our limits, not by `timeout`."""
        addresses = await judged_addresses(
            self._policy, self._resolver, host, port, encrypted=self._encrypted, seconds=self._limits.dns_seconds
        )
        failure: Exception | None = None
        with anyio.move_on_after(self._limits.connect_seconds):
            for address in addresses[:DIALLED]:
                try:
                    stream = await self._inner.connect_tcp(
                        str(address), port, local_address=local_address, socket_options=socket_options
                    )
                except httpcore2.ConnectError as error:
                    failure = error
                    continue
                return await _checked_peer(stream, address)
            raise OutboundError(Refusal.REFUSED) from failure
        raise OutboundError(Refusal.TIMEOUT)

    async def connect_unix_socket(self, *_args: Any, **_options: Any) -> httpcore2.AsyncNetworkStream:
        """Never."""
        raise OutboundError(Refusal.BLOCKED)

    async def sleep(self, seconds: float) -> None:
        """Wait; the pool asks for it between retries."""
        await anyio.sleep(seconds)


async def judged_addresses(
    policy: OutboundPolicy,
    resolver: Resolver,
    host: str,
    port: int,
    *,
    encrypted: bool,
    seconds: float,
    ports: frozenset[int] = PUBLIC_PORTS,
) -> list[Address]:
    """The addresses of `host`, looked up once within `seconds`. Raises `OutboundError` unless every one may be dialled.

    `encrypted` says whether TLS will be spoken: public addresses are open to nothing else, and at `ports` only.
    """
    addresses = await _addresses(resolver, host, port, seconds)
    for address in addresses:
        verdict = reach(address, policy.allow)
        public = verdict is Reach.PUBLIC and encrypted and port in ports
        if not public and verdict is not Reach.ALLOWED:
            raise OutboundError(Refusal.BLOCKED)
    return addresses


async def _addresses(resolver: Resolver, host: str, port: int, seconds: float) -> list[Address]:
    given = literal(host)
    if given is not None:
        return [given]
    if not is_plain_name(host):
        raise OutboundError(Refusal.BLOCKED, "The host must be a plain host name or an IP address.")
    try:
        with anyio.fail_after(seconds):
            answers = await resolver(host, port)
        found = [ipaddress.ip_address(answer.partition("%")[0]) for answer in dict.fromkeys(answers)]
    except (TimeoutError, OSError, ValueError) as error:
        raise OutboundError(Refusal.DNS) from error
    if not found:
        raise OutboundError(Refusal.DNS)
    return found


def is_peer(peer: object, address: Address) -> bool:
    """Whether a connected socket's other end (`getpeername`'s answer) is the address that was judged."""
    if not isinstance(peer, tuple) or not peer:
        return False
    reached = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    return reached in {address, getattr(address, "ipv4_mapped", None)}


async def _checked_peer(stream: httpcore2.AsyncNetworkStream, address: Address) -> httpcore2.AsyncNetworkStream:
    if is_peer(stream.get_extra_info("server_addr"), address):
        return stream
    await stream.aclose()
    raise OutboundError(Refusal.BLOCKED)


async def look_up(threads: ThreadPoolExecutor, host: str, port: int) -> Sequence[str]:
    """The system's answers for `host`; a slow name server holds one of `threads`. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    look = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in await loop.run_in_executor(threads, look)]


@functools.lru_cache(maxsize=4)
def tls_context(ca_file: str, *, http: bool = True) -> ssl.SSLContext:
    """Verifies certificate and name against the usual authorities and those of `ca_file`; HTTP/1.1 only, or none."""
    context = httpx2.create_ssl_context(trust_env=False)
    if http:
        context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context
