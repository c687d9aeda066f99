"""The one way out: an HTTP client that cannot be talked into reaching the internal network, nor into waiting.

Every connection is judged where it is made, in the network backend: the name is looked up once, every answer must
pass, and the address that passed is the address that is dialled, while TLS still verifies the name. So rebinding,
redirects and metadata that names another URL all meet the same gate. The transport above it bounds what comes
back: headers, bytes and time. Nothing here reads proxies or other settings from the environment.

Addresses are judged in `core.addresses`; how a body becomes JSON is `core.strictjson`. Retrying is the caller's.
"""

import asyncio
import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import anyio
import httpcore2
import httpx2

from core.addresses import PUBLIC_PORTS, Address, Network, Reach, is_plain_name, literal, reach

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
_DIALLED: Final = 3  # addresses tried of one name
_HEAD_TOO_LARGE: Final = 431
_LOOKUPS: Final = 16  # threads; a slow name server holds one of them, and the caller leaves after its limit


class Refusal(StrEnum):
    """Classes of failure, and all that a registrant learns about one."""

    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"
    PROTOCOL_ERROR = "protocol_error"


_SENTENCES: Final = {
    Refusal.DNS: "The host name could not be resolved.",
    Refusal.REFUSED: "No connection could be made to the address.",
    Refusal.TLS: "The TLS connection failed; check the certificate and that it names this host.",
    Refusal.TIMEOUT: "The server did not answer in time.",
    Refusal.BLOCKED: "This address is not open to outbound traffic here.",
    Refusal.TOO_LARGE: "The server's answer is larger than we accept.",
    Refusal.PROTOCOL_ERROR: "The server's answer is not valid HTTP, or the connection broke off.",
}


class OutboundError(httpx2.TransportError):
    """Outbound traffic failed. `cls` and `sentence` may be shown; they hold nothing that the other side sent."""

    def __init__(self, cls: Refusal, sentence: str = "") -> None:
        self.cls = cls
        self.sentence = sentence or _SENTENCES[cls]
        super().__init__(self.sentence)


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


def policy_from_settings() -> OutboundPolicy:
    """The installation's policy: `OUTBOUND_ALLOW` and `OUTBOUND_CA_FILE`."""
    from django.conf import settings  # noqa: PLC0415 -- this module is used where no settings are loaded

    return OutboundPolicy(allow=tuple(settings.OUTBOUND_ALLOW), ca_file=settings.OUTBOUND_CA_FILE)


@asynccontextmanager
async def outbound_client(
    policy: OutboundPolicy, limits: OutboundLimits | None = None, *, resolver: Resolver | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A guarded, pooled client; every failure of its requests is an `OutboundError` (or passes `classify`)."""
    bounds = limits or OutboundLimits()
    with ThreadPoolExecutor(_LOOKUPS, "outbound-dns") as threads:
        transport = GuardedTransport(policy, bounds, resolver or functools.partial(_look_up, threads))
        try:
            async with httpx2.AsyncClient(
                transport=transport,
                trust_env=False,
                follow_redirects=False,
                headers={"accept-encoding": "identity"},
                # The jar keeps nothing: one principal's cookie must not travel with another's request.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                timeout=None,  # noqa: S113 -- the transport bounds every phase
            ) as client:
                yield client
        finally:
            # A lookup that hangs must not hold up whoever closes the client.
            threads.shutdown(wait=False, cancel_futures=True)


def classify(error: BaseException) -> OutboundError:
    """The failure of an HTTP exchange in our classes, told apart by the chain of causes."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in chain:
        if isinstance(each, OutboundError):
            return each
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return OutboundError(Refusal.TLS)
    return OutboundError(next((_CLASSES[kind] for kind in _CLASSES if isinstance(error, kind)), Refusal.PROTOCOL_ERROR))


_CLASSES: Final[dict[type[BaseException], Refusal]] = {
    httpcore2.TimeoutException: Refusal.TIMEOUT,
    httpx2.TimeoutException: Refusal.TIMEOUT,
    TimeoutError: Refusal.TIMEOUT,
    httpcore2.ConnectError: Refusal.REFUSED,
    httpx2.ConnectError: Refusal.REFUSED,
    ConnectionRefusedError: Refusal.REFUSED,
    httpx2.UnsupportedProtocol: Refusal.BLOCKED,
    httpx2.InvalidURL: Refusal.BLOCKED,
}


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
        addresses = await self._permitted(host, port)
        failure: Exception | None = None
        with anyio.move_on_after(self._limits.connect_seconds):
            for address in addresses[:_DIALLED]:
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

    async def _permitted(self, host: str, port: int) -> list[Address]:
        addresses = await self._addresses(host, port)
        for address in addresses:
            verdict = reach(address, self._policy.allow)
            public = verdict is Reach.PUBLIC and self._encrypted and port in PUBLIC_PORTS
            if not public and verdict is not Reach.ALLOWED:
                raise OutboundError(Refusal.BLOCKED)
        return addresses

    async def _addresses(self, host: str, port: int) -> list[Address]:
        given = literal(host)
        if given is not None:
            return [given]
        if not is_plain_name(host):
            raise OutboundError(Refusal.BLOCKED, "The host must be a plain host name or an IP address.")
        try:
            with anyio.fail_after(self._limits.dns_seconds):
                answers = await self._resolver(host, port)
            found = [ipaddress.ip_address(answer.partition("%")[0]) for answer in dict.fromkeys(answers)]
        except (TimeoutError, OSError, ValueError) as error:
            raise OutboundError(Refusal.DNS) from error
        if not found:
            raise OutboundError(Refusal.DNS)
        return found


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Bounds what comes back and turns every failure into an `OutboundError`."""

    def __init__(self, policy: OutboundPolicy, limits: OutboundLimits, resolver: Resolver) -> None:
        self._limits = limits
        # Two pools, because a network backend is not told the scheme: plain http never leaves the allowed networks.
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=_ssl_context(policy.ca_file),
                max_connections=limits.connections,
                keepalive_expiry=30.0,
                network_backend=GuardedBackend(policy, limits, resolver, encrypted=scheme == "https"),
            )
            for scheme in ("http", "https")
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`. Raises `OutboundError`, here or while the body is read."""
        pool = self._pools.get(request.url.scheme)
        if pool is None or request.url.userinfo:
            raise OutboundError(Refusal.BLOCKED, "The address must be an http or https URL without a user name.")
        started = time.monotonic()
        try:
            with anyio.fail_after(self._limits.head_seconds):
                answer = await pool.handle_async_request(_core_request(request))
        except (*_FAILURES, ssl.SSLError, TimeoutError, OSError) as error:
            raise classify(_oversized_head(error)) from error
        body = _BoundedBody(answer, self._limits, started)
        try:
            self._check_head(answer)
        except OutboundError:
            await body.aclose()
            raise
        return httpx2.Response(answer.status, headers=answer.headers, stream=body)

    async def aclose(self) -> None:
        """Close every pooled connection."""
        for pool in self._pools.values():
            await pool.aclose()

    def _check_head(self, answer: httpcore2.Response) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in answer.headers)
        if size > self._limits.header_bytes or len(answer.headers) > self._limits.header_count:
            raise OutboundError(Refusal.TOO_LARGE, "The server's answer has more headers than we accept.")
        encodings = {value.strip().lower() for name, value in answer.headers if name.lower() == b"content-encoding"}
        if encodings - {b"", b"identity"}:
            # A small compressed body can be an endless one; we asked for none.
            raise OutboundError(Refusal.PROTOCOL_ERROR, "The server compressed its answer although we asked it not to.")


_FAILURES: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


class _BoundedBody(httpx2.AsyncByteStream):
    """A body that ends at its limits: bytes and total time, or per event and idle time for a stream of events."""

    def __init__(self, answer: httpcore2.Response, limits: OutboundLimits, started: float) -> None:
        self._answer = answer
        self._limits = limits
        self._is_stream = any(
            name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
            for name, value in answer.headers
        )
        span = limits.lifetime_seconds if self._is_stream else limits.total_seconds
        self._deadline = started + span
        self._counted = 0
        self._tail = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._answer.aiter_stream())
        while True:
            chunk = await self._next(chunks)
            if chunk is None:
                return
            self._count(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        left = self._deadline - time.monotonic()
        # The scope is closed before the chunk is handed on: a cancel scope must not stay open across a yield.
        try:
            with anyio.fail_after(min(left, self._limits.idle_seconds) if self._is_stream else left):
                return await anext(chunks, None)
        except (*_FAILURES, ssl.SSLError, TimeoutError, OSError) as error:
            raise classify(error) from error

    def _count(self, chunk: bytes) -> None:
        if not self._is_stream:
            self._counted += len(chunk)
            limit = self._limits.body_bytes
        else:
            self._count_event(chunk)
            limit = self._limits.event_bytes
        if self._counted > limit:
            raise OutboundError(Refusal.TOO_LARGE)

    def _count_event(self, chunk: bytes) -> None:
        # An event ends at an empty line (HTML standard, 9.2.5); the seam of two chunks is looked at too.
        seen = (self._tail + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = seen.rfind(b"\n\n")
        self._counted = len(seen) - end if end >= 0 else self._counted + len(chunk)
        self._tail = (self._tail + chunk)[-3:]


def _core_request(request: httpx2.Request) -> httpcore2.Request:
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
    )


def _oversized_head(error: BaseException) -> BaseException:
    # h11 gives up on a head beyond 100 KB with a protocol error that only its hint of status 431 tells apart.
    if any(getattr(each, "error_status_hint", None) == _HEAD_TOO_LARGE for each in error.args):
        return OutboundError(Refusal.TOO_LARGE, "The server's answer has more headers than we accept.")
    return error


async def _checked_peer(stream: httpcore2.AsyncNetworkStream, address: Address) -> httpcore2.AsyncNetworkStream:
    peer = stream.get_extra_info("server_addr")
    if peer and ipaddress.ip_address(str(peer[0]).partition("%")[0]) in {address, getattr(address, "ipv4_mapped", None)}:
        return stream
    await stream.aclose()
    raise OutboundError(Refusal.BLOCKED)


async def _look_up(threads: ThreadPoolExecutor, host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    look = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in await loop.run_in_executor(threads, look)]


@functools.lru_cache(maxsize=4)
def _ssl_context(ca_file: str) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context
