"""What each method does once its caller was let in. A method that is not in the table is not supported."""

import time
from collections.abc import Awaitable, Callable, Mapping

from gateway import protocol
from gateway.capabilities import passed_on
from gateway.dispatch import Dispatch, Parts
from gateway.errors import INVALID_PARAMS
from gateway.exchange import Admitted, invalid, result_reply
from gateway.lists import Lists
from gateway.protocol import LEVELS
from gateway.recorder import Outcome
from gateway.reply import Reply
from gateway.session import Sessions
from gateway.session_store import keepable
from gateway.streams import Streams

Handler = Callable[[Admitted], Awaitable[Reply]]


class Methods:
    """The supported methods of both eras."""

    def __init__(
        self,
        parts: Parts,
        *,
        sessions: Sessions,
        dispatch: Dispatch,
        lists: Lists,
        streams: Streams,
    ) -> None:
        self._parts = parts
        self._sessions = sessions
        self._dispatch = dispatch
        self._lists = lists
        other = dispatch.other
        both: dict[str, Handler] = {
            "completion/complete": other,
            "prompts/get": other,
            "prompts/list": self._list,
            "resources/list": self._list,
            "resources/read": other,
            "resources/templates/list": self._list,
            "tasks/cancel": dispatch.task,
            "tasks/get": dispatch.task,
            "tools/call": dispatch.tool,
            "tools/list": self._list,
        }
        self._handshake: Mapping[str, Handler] = both | {
            "initialize": self._initialize,
            "logging/setLevel": self._set_level,
            "ping": self._ping,
            "resources/subscribe": other,
            "resources/unsubscribe": other,
            "tasks/result": dispatch.task,
        }
        self._modern: Mapping[str, Handler] = both | {
            "server/discover": self._discover,
            "subscriptions/listen": streams.listen,
            "tasks/update": dispatch.task,
        }

    def find(self, method: str, *, modern: bool) -> Handler | None:
        """What answers a method, or None."""
        return (self._modern if modern else self._handshake).get(method)

    async def _initialize(self, admitted: Admitted) -> Reply:
        exchange, token, params = admitted.exchange, admitted.token, admitted.request.params
        version = protocol.negotiated(params.get("protocolVersion"))
        capabilities = passed_on(params.get("capabilities"), admitted.capabilities)
        if not keepable(capabilities):
            raise invalid("The parameter capabilities holds NUL, or more than we keep.", code=INVALID_PARAMS)
        await self._parts.recorder.connected(exchange.recorded)
        id_, session = self._sessions.issue(
            principal=token.holder, slug=exchange.slug, version=version, now=time.time()
        )
        await self._parts.shelf.open(
            session.id, holder=token.holder, slug=exchange.slug, version=version, capabilities=capabilities
        )
        card = admitted.card
        body = protocol.initialize_result(version, card.identity, card.instructions, admitted.capabilities)
        exchange.operation.ended("ok")
        return result_reply(admitted, body, (("mcp-session-id", id_),))

    async def _discover(self, admitted: Admitted) -> Reply:
        card = admitted.card
        await self._parts.recorder.connected(admitted.exchange.recorded)
        body = protocol.discover_result(card.identity, card.instructions, admitted.capabilities)
        admitted.exchange.operation.ended("ok")
        return result_reply(admitted, body)

    async def _ping(self, admitted: Admitted) -> Reply:
        return await self._answered(admitted, b"{}")

    async def _list(self, admitted: Admitted) -> Reply:
        return await self._answered(admitted, self._lists.page(admitted))

    async def _set_level(self, admitted: Admitted) -> Reply:
        if admitted.request.params.get("level") not in LEVELS:
            raise invalid("The parameter level must be a level of RFC 5424.", code=INVALID_PARAMS)
        return await self._dispatch.other(admitted)

    async def _answered(self, admitted: Admitted, body: bytes) -> Reply:
        """What is answered from what we hold: recorded once, nothing is sent."""
        await self._parts.recorder.answered(admitted.exchange.recorded, Outcome("ok", bytes=len(body)))
        admitted.exchange.operation.ended("ok")
        return result_reply(admitted, body)
