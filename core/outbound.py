"""The one way out: an HTTP client that cannot be talked into reaching the internal network, nor into waiting.

Every connection is judged where it is made, in the network backend: the name is looked up once, every answer must
pass, and the address that passed is the address that is dialled, while TLS still verifies the name. So rebinding,
redirects and metadata that names another URL all meet the same gate. The transport above it bounds what comes
back: headers, bytes and time. Nothing here reads proxies or other settings from the environment.

Addresses are judged in `core.addresses`; how a body becomes JSON is `core.strictjson`. Retrying is the caller's.
"""

import functools
import ssl
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import anyio
import httpcore2
import httpx2

from core.outbound_dial import GuardedBackend, OutboundLimits, OutboundPolicy, Resolver, look_up, tls_context
from core.outbound_failure import TRANSPORT_FAILURES, OutboundError, Refusal, classify
from core.outbound_meter import BodyMeter, is_event_stream

__all__ = [
    "GuardedTransport",
    "OutboundError",
    "OutboundLimits",
    "OutboundPolicy",
    "Refusal",
    "Resolver",
    "classify",
    "outbound_client",
    "policy_from_settings",
]
_HEAD_TOO_LARGE: Final = 431
_LOOKUPS: Final = 16  # threads; a slow name server holds one of them, and the caller leaves after its limit


def policy_from_settings() -> OutboundPolicy:
    """The installation's policy: `OUTBOUND_ALLOW` and `OUTBOUND_CA_FILE`."""
    from django.conf import settings

    return OutboundPolicy(allow=tuple(settings.OUTBOUND_ALLOW), ca_file=settings.OUTBOUND_CA_FILE)


@asynccontextmanager
async def outbound_client(
    policy: OutboundPolicy, limits: OutboundLimits | None = None, *, resolver: Resolver | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A guarded, pooled client; every failure of its requests is an `OutboundError` (or passes `classify`)."""
    bounds = limits or OutboundLimits()
    threads = ThreadPoolExecutor(_LOOKUPS, "outbound-dns")
    transport = GuardedTransport(policy, bounds, resolver or functools.partial(look_up, threads))
    try:
        async with httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            headers={"accept-encoding": "identity", "user-agent": "holdfast"},
            # The jar keeps nothing: one principal's cookie must not travel with another's request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=None,  # the transport bounds every phase
        ) as client:
            yield client
    finally:
        # A lookup that hangs must not hold up whoever closes the client.
        threads.shutdown(wait=False, cancel_futures=True)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Bounds what comes back and turns every failure into an `OutboundError`."""

    def __init__(self, policy: OutboundPolicy, limits: OutboundLimits, resolver: Resolver) -> None:
        self._limits = limits
        # Two pools, because a network backend is not told the scheme: plain http never leaves the allowed networks.
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=tls_context(policy.ca_file),
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
        except (*TRANSPORT_FAILURES, ssl.SSLError, TimeoutError, OSError) as error:
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


class _BoundedBody(httpx2.AsyncByteStream):
    """A body that ends at its limits: bytes and total time, or per event and idle time for a stream of events."""

    def __init__(self, answer: httpcore2.Response, limits: OutboundLimits, started: float) -> None:
        self._answer = answer
        self._limits = limits
        self._is_stream = any(
            name.lower() == b"content-type" and is_event_stream(value.decode("latin-1"))
            for name, value in answer.headers
        )
        span = limits.lifetime_seconds if self._is_stream else limits.total_seconds
        self._deadline = started + span
        self._meter = BodyMeter(limits.event_bytes if self._is_stream else limits.body_bytes, by_event=self._is_stream)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._answer.aiter_stream())
        while True:
            chunk = await self._next(chunks)
            if chunk is None:
                return
            self._meter.count(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        left = self._deadline - time.monotonic()
        # The scope is closed before the chunk is handed on: a cancel scope must not stay open across a yield.
        try:
            with anyio.fail_after(min(left, self._limits.idle_seconds) if self._is_stream else left):
                return await anext(chunks, None)
        except (*TRANSPORT_FAILURES, ssl.SSLError, TimeoutError, OSError) as error:
            raise classify(error) from error


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
