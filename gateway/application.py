"""The gateway as an ASGI application: lifespan, health, metadata and the way of a request into the pipeline."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Final

from django.conf import settings

from access.resource_uri import canonical_resource
from audit.sealing import Sealer
from audit.writer import GroupCommitWriter
from core.alarm import sound_alarm
from core.ids import new_id
from core.outbound import policy_from_settings
from core.wire import WireClient
from gateway import auth, front, jsonrpc
from gateway.asks import Asks
from gateway.body import body_at_once, read_body
from gateway.bulkhead import CALLS, STREAMS, Bulkheads
from gateway.calls import Calls
from gateway.capture import Captures
from gateway.dispatch import Parts
from gateway.entry import Entry, Scope, entry_of
from gateway.errors import SHUTTING_DOWN, Refused
from gateway.exchange import Exchange
from gateway.front import Doors, Head
from gateway.handles import Handles
from gateway.leaving import notice_before_exit
from gateway.looking import Looks
from gateway.outage import Outage
from gateway.pipeline import Pipeline
from gateway.recorder import Recorded, Recorder
from gateway.reply import Channel, Receive, Reply, Send
from gateway.rounds import Rounds
from gateway.seals import Seals
from gateway.session import Sessions
from gateway.session_store import Shelf
from gateway.shared_sessions import SharedSessions
from gateway.site import METRICS, Site
from gateway.store import Store
from gateway.telemetry import Telemetry
from gateway.transport import Transport
from gateway.upstream import Upstream

logger = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 20.0  # how long calls in flight may take once the listener closes
_GRACE_SECONDS: Final = 5.0  # for the outcomes of calls that were ended
_HEALTH: Final = frozenset({"/healthz", "/readyz"})
# Places are given by `gateway.bulkhead`; what has one must not wait for a connection.
_CONNECTIONS: Final = 2 * (CALLS + STREAMS)


class Gateway:
    """One process's gateway. `owns(path)` says which requests of a shared listener are its own."""

    def __init__(
        self,
        *,
        site: Site,
        doors: Doors,
        store: Store,
        sessions: Sessions,
        seals: Seals,
        notice: float = 0.0,
        make_writer: Callable[..., GroupCommitWriter] | None = None,
    ) -> None:
        """`notice`: seconds between readiness going false and the listener closing, after a signal.

        `make_writer` differs in measurements only.
        """
        self._notice = notice
        self._make_writer = make_writer or GroupCommitWriter
        self._site = site
        self._doors = doors
        self._store = store
        self._sessions = sessions
        self._seals = seals
        self._stack = AsyncExitStack()
        self._telemetry = Telemetry.from_settings(is_server=store.is_server)
        self._pipeline: Pipeline | None = None
        self._calls = Calls()
        self._outage: Outage | None = None
        self._recorder: Recorder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = False
        self._stopping = False

    def owns(self, path: str) -> bool:
        """Whether a path is the gateway's."""
        return self._site.owns(path)

    async def start(self) -> None:
        """Connect to everything. What goes away later leaves the gateway alive and not ready."""
        self._leaving = self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._stack.push_async_callback(self._telemetry.close)
        writer = await self._stack.enter_async_context(self._make_writer(told=self._telemetry.commit))
        client = WireClient(policy_from_settings(), connections=_CONNECTIONS, per_origin=_CONNECTIONS)
        self._stack.push_async_callback(client.close)
        self._store.refreshed = self._telemetry.refreshed
        self._telemetry.watch(snapshot_age=self._store.age, audit_queue=writer.waiting)
        await self._store.start()
        self._stack.push_async_callback(self._store.stop)
        self._pipeline = self._assembled(writer, client)
        self._store.hear(self._pipeline.heard)
        self._stack.enter_context(notice_before_exit(self.leave, self._notice))

    def _assembled(self, writer: GroupCommitWriter, client: WireClient) -> Pipeline:
        transport, ended = Transport(client), self._telemetry.session_ended
        upstream = Upstream(transport, ended)
        self._stack.push_async_callback(upstream.close)
        shelf, seals = Shelf(self._store, told=ended), self._seals
        shared = SharedSessions(transport, upstream.ids, shelf, seals.upstream, told=ended)
        self._stack.push_async_callback(shared.close)
        looks = Looks(upstream.send, self._store, told=self._telemetry.looked)
        self._stack.push_async_callback(looks.close)
        self._outage = outage = Outage(writer, alarm=sound_alarm, give_up=writer.boot.give_up)
        writer.boot.open_calls, writer.altered = outage.calls, outage.altered
        self._stack.push_async_callback(outage.close)
        self._recorder = recorder = Recorder(writer, outage)
        self._calls = Calls()
        parts = Parts(
            upstream=upstream,
            shared=shared,
            shelf=shelf,
            calls=self._calls,
            looks=looks,
            recorder=recorder,
            asks=Asks(recorder, seals.asks),
            rounds=Rounds(seals.rounds),
            handles=Handles(seals.handles),
            bulkheads=Bulkheads(),
            telemetry=self._telemetry,
            captures=Captures(
                Sealer(settings.PAYLOAD_KEYS, settings.INSTALLATION_ID), days=settings.PAYLOAD_RETENTION_DAYS
            ),
        )
        return Pipeline(parts, site=self._site, policy=self._store, sessions=self._sessions, messages=self._store)

    def leave(self) -> None:
        """From now on not ready; calls are served until the notice is over, and then `drain`. Thread-safe."""
        if not self._leaving and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._notice, self.drain)
        self._leaving = True

    def is_leaving(self) -> bool:
        """Whether no connection is to be kept for another call."""
        return self._leaving

    def drain(self) -> None:
        """From now on new calls are refused, streams end, calls in flight have `DRAIN_SECONDS` to end. Thread-safe."""
        self._leaving = True
        if not self._stopping and self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_streams)
            self._loop.call_soon_threadsafe(self._loop.call_later, DRAIN_SECONDS, self._calls.abort)
        self._stopping = True

    def _end_streams(self) -> None:
        if self._pipeline is not None:
            self._pipeline.streams.end_all()

    async def stop(self) -> None:
        """Let calls in flight end, write their outcomes, close everything."""
        self.drain()
        if self._pipeline is not None:
            await self._pipeline.streams.ended(_GRACE_SECONDS)
        if not await self._calls.drained(DRAIN_SECONDS + _GRACE_SECONDS):
            logger.warning("calls were still in flight after %d s", DRAIN_SECONDS)
        await self._stack.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._without_request(scope, receive, send)
            return
        entry = entry_of(scope)
        channel = Channel(send, streams=entry.streams, closes=self.is_leaving)
        try:
            reply = await self._reply(entry, channel, receive)
        except Refused as refused:
            self._telemetry.refused(refused.reason)
            await self._record_plainly(entry, refused)
            reply = _plain_refusal(refused)
        except Exception:
            logger.exception("a request failed")
            reply = Reply(500)
        if not channel.finished_at_once(reply):
            await channel.finish(reply)

    async def _without_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
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

    async def _record_plainly(self, entry: Entry, refused: Refused) -> None:
        """Record a refusal before anybody was looked up: of tokens that we issued each, of strangers a sample."""
        head, bearer = entry.head, entry.bearer
        known = bearer is not None and self._store.is_ours(bearer)
        if self._recorder is None or not (known or auth.is_sampled()):
            return
        slug = self._site.slug_of_endpoint(head.path) or ""
        with suppress(Refused):  # it was refused already
            await self._recorder.denied(
                Recorded(call_id=new_id(), server=slug, client_ip=head.client_ip), refused.reason
            )

    # What only hands on returns the very work, which each of its waits would else pass through.
    def _reply(self, entry: Entry, channel: Channel, receive: Receive) -> Awaitable[Reply]:
        if entry.slug is not None:  # the very same head was let in before
            return self._endpoint(entry, channel, receive)
        head = entry.head
        if head.path in _HEALTH and head.method in ("GET", "HEAD"):
            # Health checks come under whatever name the network has for this process, and tell nothing.
            return _at_once(self._health(head.path))
        if head.path == METRICS:
            return self._telemetry.scraped(head, self._doors.check)
        self._doors.check(head)
        entry.slug = self._site.slug_of_endpoint(head.path)
        if entry.slug is not None:
            return self._endpoint(entry, channel, receive)
        slug = self._site.slug_of_metadata(head.path)
        return _at_once(Reply(404) if slug is None else self._metadata(slug, head))

    async def _endpoint(self, entry: Entry, channel: Channel, receive: Receive) -> Reply:
        slug, head, bearer = entry.slug or "", entry.head, entry.bearer
        if self._stopping or self._pipeline is None:
            raise Refused(
                "shutting_down", "This gateway is stopping; try again.", code=SHUTTING_DOWN, status=503,
                headers=(("retry-after", "1"),),
            )  # fmt: skip
        if head.method not in ("POST", "GET", "DELETE"):
            return Reply(405, headers=(("allow", "POST, GET, DELETE"),))
        if head.repeated:
            front.check_single(head)
        with self._telemetry.request(slug, head) as operation:
            exchange = Exchange(
                head=head, slug=slug, channel=channel, hung_up=partial(_hang_up, receive), operation=operation,
                recorded=Recorded(call_id=new_id(), server=slug, client_ip=head.client_ip), bearer=bearer,
            )  # fmt: skip
            if head.method != "POST":
                return await self._pipeline.answer(exchange, None)
            body = b""
            if bearer is not None and self._store.is_ours(bearer):  # a stranger's is refused unread
                front.check_media(head)
                whole = body_at_once(head, receive)
                body = await read_body(head, receive) if whole is None else whole
            return await self._pipeline.answer(exchange, body)

    def _health(self, path: str) -> Reply:
        problem = ""
        if path == "/readyz":
            problem = self._problem()
        status = {"status": problem or "ok"}
        return Reply(503 if problem else 200, jsonrpc.dumps(status), (("cache-control", "no-store"),))

    def _problem(self) -> str:
        """Why no requests should come here; empty where they should."""
        if self._leaving or self._pipeline is None or self._outage is None:
            return "stopping"
        if self._outage.is_on:
            return "audit_unavailable"
        return "policy_stale" if self._store.is_stale() else ""

    def _metadata(self, slug: str, head: Head) -> Reply:
        if head.method not in ("GET", "HEAD"):
            return Reply(405, headers=(("allow", "GET"),))
        if slug not in self._store.current().servers:
            return Reply(404)
        return Reply(200, jsonrpc.dumps(self._site.metadata(slug, slug)), (("cache-control", "max-age=300"),))


def from_settings(make_writer: Callable[..., GroupCommitWriter] | None = None) -> Gateway:
    """The gateway of this installation."""
    site = Site(gateway_url=settings.GATEWAY_URL, issuer=settings.ISSUER)
    return Gateway(
        site=site,
        doors=Doors((settings.PUBLIC_URL, settings.GATEWAY_URL), loopback=settings.IS_LOOPBACK),
        # Tokens hold the canonical form (RFC 8707), whatever way the operator spelled the URL.
        store=Store(resource=lambda slug: canonical_resource(site.resource(slug)) or "", redis_url=settings.REDIS_URL),
        sessions=Sessions(key=settings.SECRETS_KEY, installation=settings.INSTALLATION_ID),
        seals=Seals(settings.SECRETS_KEY, settings.INSTALLATION_ID),
        notice=settings.NOTICE_SECONDS,
        make_writer=make_writer,
    )


async def _at_once(reply: Reply) -> Reply:
    return reply


async def _hang_up(receive: Receive) -> None:
    """Return when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _plain_refusal(refused: Refused) -> Reply:
    """A refusal before anybody was known: its id is null."""
    return Reply(refused.status or 400, jsonrpc.error_bytes(None, refused.payload("")), refused.headers)
