"""Long-lived streams: what a server has to say on its own account, for as long as the client may hear it.

The handshake era opens one with GET, the modern era with `subscriptions/listen` (MCP 2026-07-28, patterns,
subscriptions). Lists that our own policy changes are told of as well: to a client it is all the same who changed them.
While a stream is open it is asked every second whether its caller may still have it; it ends cleanly when not, when
the token runs out, and when the process stops. It has an intent before anything is opened and an outcome at its end.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from access.policy import Allowed
from core.sse import Event
from gateway import bounds
from gateway.asks import Mark
from gateway.dispatch import Dispatch, Parts
from gateway.errors import INVALID_PARAMS, Refused
from gateway.exchange import Admitted, invalid, result_reply
from gateway.handles import require_tasks
from gateway.hearing import Hearing
from gateway.in_flight import InFlight
from gateway.jsonrpc import Notification, Request
from gateway.lists import Lists
from gateway.recorder import Outcome
from gateway.reply import Reply
from gateway.subscriptions import OpenStream, Relay, Subscription
from gateway.transport import NoStream, SessionLost, UpstreamFailed
from gateway.upstream import Outgoing
from gateway.upstream_sessions import UpstreamSession

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 1.0
PING_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = (1.0, 2.0, 5.0, 15.0, 30.0)  # pauses between attempts to hear the server again
SUBSCRIPTIONS_MAX: Final = 1000
_FILTERS: Final[Mapping[str, tuple[str, str]]] = {
    "promptsListChanged": ("prompts", "notifications/prompts/list_changed"),
    "resourcesListChanged": ("resources", "notifications/resources/list_changed"),
    "toolsListChanged": ("tools", "notifications/tools/list_changed"),
}
# Which list methods a note about a list stands for.
_LISTED: Final[Mapping[str, tuple[str, ...]]] = {
    "notifications/prompts/list_changed": ("prompts/list",),
    "notifications/resources/list_changed": ("resources/list", "resources/templates/list"),
    "notifications/tools/list_changed": ("tools/list",),
}

Again = Callable[[Admitted], Awaitable["Admitted | None"]]


class Streams:
    """The open streams of one process. `again` judges a request once more."""

    def __init__(self, parts: Parts, dispatch: Dispatch, lists: Lists, *, again: Again) -> None:
        self._parts = parts
        self._dispatch = dispatch
        self._lists = lists
        self._again = again
        self._open: InFlight[OpenStream] = InFlight()
        self._ending = False

    def end_all(self) -> None:
        """End every stream cleanly, and from now on each as soon as it opens: the process stops."""
        self._ending = True
        for stream in self._open:
            stream.end("shutdown")

    async def ended(self, timeout: float) -> bool:  # noqa: ASYNC109 -- the caller's own patience
        """Wait until no stream is open, at most `timeout` seconds; whether that was reached."""
        return await self._open.emptied(timeout)

    async def of_session(self, admitted: Admitted, last_event: str = "") -> Reply:
        """GET: what the server says in this session outside of any call (MCP 2025-11-25, transports)."""
        mark = partial(Mark, admitted.exchange.id)
        hearing = self._dispatch.hearing(admitted, await self._capabilities(admitted), mark)
        stream = self._stream(admitted, hearing, _FILTERS)
        hearing.readable = stream.may_read
        await self._run(stream, lambda: self._hear_session(stream, last_event), b"")
        return Reply(200)

    async def listen(self, admitted: Admitted) -> Reply:
        """`subscriptions/listen`."""
        wanted = admitted.request.params.get("notifications")
        if not isinstance(wanted, Mapping):
            raise invalid("The parameter notifications must be an object.", code=INVALID_PARAMS)
        agreed = await self._agreed(admitted, wanted)
        handles = {self._parts.handles.take(each, admitted.place).task_id: each for each in agreed.get("taskIds", ())}
        subscription = Subscription(admitted, agreed, handles)
        hearing = self._dispatch.hearing(admitted, {}, partial(Mark, admitted.exchange.id))
        stream = self._stream(admitted, hearing, [name for name in _FILTERS if agreed.get(name)])
        hearing.changes.tell = subscription.tell
        await self._run(stream, lambda: self._hear_subscription(stream, subscription), subscription.acknowledged())
        return result_reply(admitted, subscription.ended(admitted))

    def _stream(self, admitted: Admitted, hearing: Hearing, filters: Any) -> OpenStream:
        notes = [_FILTERS[name] for name in filters]
        carried = {note for capability, note in notes if _tells(admitted.capabilities, capability)}
        return OpenStream(admitted, hearing, {note: self._state(admitted, note) for note in sorted(carried)})

    def _state(self, admitted: Admitted, note: str) -> str:
        return ".".join(self._lists.digest(admitted, method) for method in _LISTED[note])

    async def _run(self, stream: OpenStream, hear: Callable[[], Awaitable[None]], first: bytes) -> None:
        """Intent, the open stream, outcome. `hear` is called once there is a place and an intent."""
        admitted, exchange = stream.admitted, stream.admitted.exchange
        server, started = admitted.server, time.monotonic()
        place = self._parts.bulkheads.stream(exchange.slug, server.limits, admitted.token.holder)
        with place, self._parts.telemetry.stream():
            await self._parts.recorder.intended(exchange.recorded)
            self._open.add(stream)
            if self._ending:
                stream.end("shutdown")
            tasks = [asyncio.ensure_future(work) for work in (hear(), self._watch(stream), self._hang_up(stream))]
            try:
                await exchange.channel.open()
                if first:
                    await exchange.channel.notify(first)
                await stream.ended.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                await self._closed(stream, started)

    async def _closed(self, stream: OpenStream, started: float) -> None:
        self._open.discard(stream)
        latency = round((time.monotonic() - started) * 1000)
        outcome = Outcome("closed", error_class=stream.why or "cancelled", latency_ms=min(latency, 2**31 - 1))
        exchange = stream.admitted.exchange
        await asyncio.shield(self._parts.recorder.completed(exchange.recorded, outcome))
        exchange.operation.ended("ok")

    async def _hang_up(self, stream: OpenStream) -> None:
        await stream.admitted.exchange.hung_up()
        stream.end("client")

    async def _watch(self, stream: OpenStream) -> None:
        """Every second: may the caller still have it, and are its lists what they were?"""
        pinged = time.monotonic()
        began = pinged
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                again = await self._again(stream.admitted)
            except Refused:
                again = None
            if again is None:
                return stream.end("revoked")
            stream.admitted = again
            for note, state in stream.told.items():
                now = self._state(again, note)
                if now != state:
                    stream.told[note] = now
                    stream.hearing.changes.note(note)
            if time.monotonic() - began > again.server.limits.stream_seconds:
                return stream.end("lifetime")
            if time.monotonic() - pinged > PING_SECONDS:
                pinged = time.monotonic()
                await stream.admitted.exchange.channel.ping()

    async def _hear_session(self, stream: OpenStream, last_event: str) -> None:
        """Keep the server's own stream open as long as the client's is."""
        admitted, attempt = stream.admitted, 0
        session = admitted.session
        if session is None:
            return None
        behind = self._parts.shared.behind(session.id)
        while True:
            began = time.monotonic()
            try:
                await self._hear_once(stream, await behind.get(admitted.server.url), last_event)
                last_event = ""
            except NoStream:
                return None
            except SessionLost:
                logger.info("a server forgot a session whose stream was open")
            except UpstreamFailed as error:
                if error.cls == "session_ended":
                    return stream.end("server")
            except Refused as refused:
                # The watch ends the stream where that lasts; until then it must not stay open and deaf.
                logger.info("a stream of a server is not heard for a moment: %s", refused.reason)
            attempt = await _paused(attempt, began)

    async def _hear_once(self, stream: OpenStream, upstream: UpstreamSession, last_event: str) -> None:
        hearing = stream.hearing
        way = self._parts.look(stream.admitted.token, stream.admitted.server, stream.admitted.session)

        async def hear(message: Request | Notification) -> None:
            if isinstance(message, Request):
                answered = await hearing.asked(message, upstream)
                if answered is not None:
                    self._parts.upstream.later(upstream.url, answered, upstream)
                return
            if message.method in _LISTED:
                self._parts.looks.heard(way)
            await hearing.notified(message)

        async def mark(event: Event) -> None:
            await hearing.marked(event, 0)

        limits = bounds.of_stream(stream.admitted.server.limits)
        headers = upstream.headers() | ({"last-event-id": last_event} if last_event else {})
        await self._parts.upstream.transport.listen(upstream.url, headers, limits, on_message=hear, on_event=mark)

    async def _hear_subscription(self, stream: OpenStream, subscription: Subscription) -> None:
        """Listen at the server for what was agreed. One that has no such method leaves us our own changes to tell."""
        admitted = stream.admitted
        if not admitted.server.upstream.modern:
            return
        way = self._parts.look(admitted.token, admitted.server, admitted.session)
        listener = Relay(stream, subscription)
        outgoing = Outgoing(
            url=admitted.server.url,
            wire=admitted.server.upstream,
            method="subscriptions/listen",
            params={"notifications": subscription.upstream_filter()},
            owner=way.owner,
            listener=listener,
            changed=lambda: self._parts.looks.heard(way),
            limits=bounds.of_stream(admitted.server.limits),
        )
        attempt = 0
        while True:
            began = time.monotonic()
            try:
                response = await self._parts.upstream.send(outgoing)
                if response.error is not None:
                    return
            except UpstreamFailed:
                logger.info("a server ended a subscription without saying so")
            attempt = await _paused(attempt, began)

    async def _capabilities(self, admitted: Admitted) -> Mapping[str, Any]:
        row = await self._parts.shelf.get(admitted.session.id) if admitted.session else None
        return row.capabilities if row is not None else {}

    async def _agreed(self, admitted: Admitted, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """What of a filter the caller may hear: lists whose changes the server tells, resources that it may read."""
        agreed: dict[str, Any] = {
            name: True
            for name, (capability, _) in _FILTERS.items()
            if wanted.get(name) is True and _tells(admitted.capabilities, capability)
        }
        uris = _texts(wanted.get("resourceSubscriptions"), "resourceSubscriptions")
        if uris and admitted.capabilities.get("resources", {}).get("subscribe") is True:
            readable = [uri for uri in uris if await self._may_read(admitted, uri)]
            agreed |= {"resourceSubscriptions": readable} if readable else {}
        tasks = _texts(wanted.get("taskIds"), "taskIds")
        if tasks:
            require_tasks(admitted.request)
            agreed["taskIds"] = tasks
        return agreed

    async def _may_read(self, admitted: Admitted, uri: str) -> bool:
        decision = admitted.decide_read(uri)
        if isinstance(decision, Allowed):
            return True
        recorded = replace(admitted.exchange.recorded, kind="resource", tool=uri, rule_ids=decision.rule_ids)
        recorded.scopes_needed = tuple(sorted(decision.needed))
        await self._parts.recorder.denied(recorded, decision.reason)
        return False


async def _paused(attempt: int, began: float) -> int:
    """Wait before a server is heard again, and count the attempts. `began` is when the last one did."""
    # A stream that lasted was a good one: begin with short pauses again.
    lasted = time.monotonic() - began > AGAIN_SECONDS[-1]
    attempt = 0 if lasted else min(attempt + 1, len(AGAIN_SECONDS) - 1)
    await asyncio.sleep(AGAIN_SECONDS[attempt])
    return attempt


def _tells(capabilities: Mapping[str, Any], capability: str) -> bool:
    found = capabilities.get(capability)
    return isinstance(found, Mapping) and found.get("listChanged") is True


def _texts(value: Any, name: str) -> list[str]:
    if value is None:
        return []
    if (
        not isinstance(value, list)
        or len(value) > SUBSCRIPTIONS_MAX
        or not all(isinstance(each, str) for each in value)
    ):
        raise invalid(
            f"The parameter notifications.{name} must be a list of at most {SUBSCRIPTIONS_MAX} texts.",
            code=INVALID_PARAMS,
        )
    return value
