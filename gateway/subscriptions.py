"""One open stream, and what a `subscriptions/listen` is to its client: every message carries its request's id.

MCP 2026-07-28, patterns, subscriptions. `gateway.streams` opens and ends them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core.sse import Event
from gateway import jsonrpc
from gateway.exchange import Admitted
from gateway.hearing import UPDATED, Hearing
from gateway.jsonrpc import Notification, Request
from gateway.protocol import SERVER_INFO, SUBSCRIPTION_ID
from gateway.upstream_sessions import UpstreamSession

TASKS: Final = "notifications/tasks"


@dataclass(slots=True, eq=False)
class OpenStream:
    """One open stream. `told`: the notes about lists that it carries, with the state of the lists they stand for."""

    admitted: Admitted
    hearing: Hearing
    told: dict[str, str]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""

    def end(self, why: str) -> None:
        self.why = self.why or why
        self.ended.set()

    def may_read(self, uri: str) -> bool:
        """As it is judged now, not as it was when the stream was opened."""
        return self.admitted.may_read(uri)


class Subscription:
    """One `subscriptions/listen` as the client sees it: every message carries its request's id.

    `handles`: the client's handles of tasks by the server's ids.
    """

    def __init__(self, admitted: Admitted, agreed: Mapping[str, Any], handles: Mapping[str, str]) -> None:
        self.admitted = admitted
        self.agreed = agreed
        self.handles = handles
        self._id = admitted.request.id

    def acknowledged(self) -> bytes:
        """The first message of the stream."""
        return self._message("notifications/subscriptions/acknowledged", {"notifications": dict(self.agreed)})

    def upstream_filter(self) -> dict[str, Any]:
        """What the server is asked for, with its own ids for the handles of tasks."""
        wanted = {key: value for key, value in self.agreed.items() if key != "taskIds"}
        return {**wanted, "taskIds": list(self.handles)} if self.handles else wanted

    async def tell(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """One notification."""
        await self.admitted.exchange.channel.notify(self._message(method, params or {}))

    def ended(self, admitted: Admitted) -> bytes:
        """The result that closes the stream (graceful closure)."""
        meta = {SUBSCRIPTION_ID: self._id, SERVER_INFO: admitted.card.identity}
        return jsonrpc.dumps({"resultType": "complete", "_meta": meta})

    def _message(self, method: str, params: Mapping[str, Any]) -> bytes:
        meta = params.get("_meta")
        kept = meta if isinstance(meta, dict) else {}
        return jsonrpc.notification_bytes(method, {**params, "_meta": {**kept, SUBSCRIPTION_ID: self._id}})


class Relay:
    """Hears a server's side of a subscription."""

    def __init__(self, stream: OpenStream, subscription: Subscription) -> None:
        self._stream = stream
        self._subscription = subscription

    async def progressed(self, params: Mapping[str, Any]) -> None:
        """None is asked for."""

    async def asked(self, request: Request, session: UpstreamSession | None) -> bytes | None:
        """The modern era has no requests of servers (2026-07-28, transports)."""
        return None

    async def marked(self, event: Event, request_id: int) -> None:
        """The modern era goes on with no stream (2026-07-28, transports)."""

    async def notified(self, notification: Notification) -> None:
        """Hand on what was agreed, and what may be heard now."""
        method, params = notification.method, notification.params
        if method in self._stream.told:
            self._stream.hearing.changes.note(method)
        elif method == UPDATED:
            uri = params.get("uri")
            subscribed = uri in self._subscription.agreed.get("resourceSubscriptions", ())
            if subscribed and self._stream.admitted.may_read(str(uri)):
                await self._subscription.tell(method, params)
        elif method == TASKS and isinstance(params.get("taskId"), str):
            handle = self._subscription.handles.get(params["taskId"])
            if handle is not None:
                await self._subscription.tell(method, {**params, "taskId": handle})
