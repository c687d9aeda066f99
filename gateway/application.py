"""The gateway as an ASGI application: lifespan, health, metadata and the way of a request into the pipeline."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AsyncExitStack
from types import FrameType
from typing import Any, Final

from django.conf import settings

from access.policy import Reason
from access.resource_uri import canonical_resource
from audit.writer import GroupCommitWriter
from core.outbound import OutboundLimits, outbound_client, policy_from_settings
from gateway import auth, front, jsonrpc
from gateway.calls import CALL_SECONDS, Calls
from gateway.errors import INVALID_REQUEST, SHUTTING_DOWN, Refused, refuse
from gateway.exchange import Exchange
from gateway.front import Doors, Head
from gateway.looking import Looks
from gateway.pipeline import Pipeline
from gateway.recorder import Recorder
from gateway.reply import Channel, Receive, Reply, Send
from gateway.session import Sessions
from gateway.site import Site
from gateway.store import Store
from gateway.upstream import Upstream

logger = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]

DRAIN_SECONDS: Final = 20.0  # how long calls in flight may take once we are told to stop
BODY_SECONDS: Final = 30.0  # how long a client may take to send a request
_GRACE_SECONDS: Final = 5.0  # for the outcomes of calls that were ended
NOTICE_SECONDS: Final = 0.5  # between readiness going false and the listener closing
_HEALTH: Final = frozenset({"/healthz", "/readyz"})
# A call may think for as long as a call may take; what a client of JSON waits for is the head of the answer.
_LIMITS: Final = OutboundLimits(
    head_seconds=CALL_SECONDS, total_seconds=CALL_SECONDS, lifetime_seconds=CALL_SECONDS, connections=256
)


class Gateway:
    """One process's gateway. `owns(path)` says which requests of a shared listener are its own."""

    def __init__(self, *, site: Site, doors: Doors, store: Store, sessions: Sessions) -> None:
        self._site = site
        self._doors = doors
        self._store = store
        self._sessions = sessions
        self._stack = AsyncExitStack()
        self._pipeline: Pipeline | None = None
        self._calls: Calls | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    def owns(self, path: str) -> bool:
        """Whether a path is the gateway's."""
        return self._site.owns(path)

    async def start(self) -> None:
        """Connect to everything. What goes away later leaves the gateway alive and not ready."""
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        writer = await self._stack.enter_async_context(GroupCommitWriter())
        client = await self._stack.enter_async_context(outbound_client(policy_from_settings(), _LIMITS))
        upstream = Upstream(client)
        self._stack.push_async_callback(upstream.close)
        await self._store.start()
        self._stack.push_async_callback(self._store.stop)
        looks = Looks(upstream.send, self._store)
        self._stack.push_async_callback(looks.close)
        self._calls = Calls(upstream)
        self._pipeline = Pipeline(
            site=self._site,
            policy=self._store,
            recorder=Recorder(writer),
            sessions=self._sessions,
            calls=self._calls,
            looks=looks,
        )
        self._stack.enter_context(_readiness_before_exit(self.drain))

    def drain(self) -> None:
        """From now on not ready: new calls are refused, those in flight have `DRAIN_SECONDS` to end. Thread-safe."""
        if not self._stopping and self._loop is not None and self._calls is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, DRAIN_SECONDS, self._calls.abort)
        self._stopping = True

    async def stop(self) -> None:
        """Let calls in flight end, write their outcomes, close everything."""
        self.drain()
        if self._calls is not None and not await self._calls.drained(DRAIN_SECONDS + _GRACE_SECONDS):
            logger.warning("calls were still in flight after %d s", DRAIN_SECONDS)
        await self._stack.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                problems = await self._store.problems()
                if problems:
                    await send({"type": "lifespan.startup.failed", "message": " ".join(problems)})
                    return
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        head = front.read_head(
            scope["method"], _raw_path(scope), scope["query_string"], scope["headers"], client[0] if client else ""
        )
        channel = Channel(send, streams=front.accepts(head, "text/event-stream"))
        try:
            reply = await self._reply(head, channel, receive)
        except Refused as refused:
            reply = _plain_refusal(refused)
        except Exception:
            logger.exception("a request failed")
            reply = Reply(500)
        await channel.finish(reply)

    async def _reply(self, head: Head, channel: Channel, receive: Receive) -> Reply:
        if head.path in _HEALTH and head.method in ("GET", "HEAD"):
            # Health checks come under whatever name the network has for this process, and tell nothing.
            return self._health(head.path)
        self._doors.check(head)
        slug = self._site.slug_of_metadata(head.path)
        if slug is not None:
            return self._metadata(slug, head)
        slug = self._site.slug_of_endpoint(head.path)
        if slug is None:
            return Reply(404)
        return await self._endpoint(slug, head, channel, receive)

    async def _endpoint(self, slug: str, head: Head, channel: Channel, receive: Receive) -> Reply:
        if self._stopping or self._pipeline is None:
            raise Refused(
                "shutting_down", "This gateway is stopping; try again.", code=SHUTTING_DOWN, status=503,
                headers=(("retry-after", "1"), ("connection", "close")),
            )  # fmt: skip
        if head.method not in ("POST", "GET", "DELETE"):
            return Reply(405, headers=(("allow", "POST, DELETE"),))
        front.check_single(head)
        gone = asyncio.Event()
        exchange = Exchange(head=head, slug=slug, channel=channel, gone=gone)
        if head.method != "POST":
            return await self._pipeline.answer(exchange, None)
        if not auth.presents_ours(head, self._store):
            return await self._pipeline.answer(exchange, b"")  # refused unread
        front.check_media(head)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(head, receive)
        except TimeoutError as error:
            raise Refused(
                Reason.INVALID_REQUEST, "The body came too slowly.", code=INVALID_REQUEST, status=408
            ) from error
        watcher = asyncio.get_running_loop().create_task(_notice_hanging_up(receive, gone))
        try:
            return await self._pipeline.answer(exchange, body)
        finally:
            watcher.cancel()

    def _health(self, path: str) -> Reply:
        problem = ""
        if path == "/readyz":
            stopping = self._stopping or self._pipeline is None
            problem = "stopping" if stopping else "policy_stale" if self._store.is_stale() else ""
        status = {"status": problem or "ok"}
        return Reply(503 if problem else 200, jsonrpc.dumps(status), (("cache-control", "no-store"),))

    def _metadata(self, slug: str, head: Head) -> Reply:
        if head.method not in ("GET", "HEAD"):
            return Reply(405, headers=(("allow", "GET"),))
        if slug not in self._store.current().servers:
            return Reply(404)
        return Reply(200, jsonrpc.dumps(self._site.metadata(slug, slug)), (("cache-control", "max-age=300"),))


def from_settings() -> Gateway:
    """The gateway of this installation."""
    site = Site(gateway_url=settings.GATEWAY_URL, issuer=settings.ISSUER)
    return Gateway(
        site=site,
        doors=Doors((settings.PUBLIC_URL, settings.GATEWAY_URL), loopback=settings.IS_LOOPBACK),
        # Tokens hold the canonical form (RFC 8707), whatever way the operator spelled the URL.
        store=Store(resource=lambda slug: canonical_resource(site.resource(slug)) or "", redis_url=settings.REDIS_URL),
        sessions=Sessions(key=settings.SECRETS_KEY, installation=settings.INSTALLATION_ID),
    )


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


async def _body(head: Head, receive: Receive) -> bytes:
    """The whole body. Raises `Refused` with 413 as soon as it is known to be too large."""
    declared = head.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > jsonrpc.MAX_BODY:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise refuse(Reason.INVALID_REQUEST, "The request broke off.", recorded=False)
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > jsonrpc.MAX_BODY:
            raise _too_large()
        if not event.get("more_body", False):
            return b"".join(parts)


def _too_large() -> Refused:
    return Refused(Reason.INVALID_REQUEST, "The body is too large.", code=INVALID_REQUEST, status=413)


async def _notice_hanging_up(receive: Receive, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _plain_refusal(refused: Refused) -> Reply:
    """A refusal before anybody was known: not recorded, and its id is null."""
    return Reply(refused.status or 400, jsonrpc.error_bytes(None, refused.payload("")), refused.headers)


@contextlib.contextmanager
def _readiness_before_exit(drain: Callable[[], None]) -> Iterator[None]:
    """On SIGTERM be unready for a moment before the server's own handler closes the listener.

    The server (uvicorn) sets its handlers before the lifespan starts. Where we do not run in the main thread,
    somebody else handles signals and calls `drain`.
    """
    previous = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        drain()
        if callable(previous):
            loop.call_soon_threadsafe(loop.call_later, NOTICE_SECONDS, previous, number, frame)

    try:
        signal.signal(signal.SIGTERM, stop)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
