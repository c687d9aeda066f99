"""One JSON-RPC message to a server over Streamable HTTP, and what comes back: JSON or a stream of events.

Keeps no sessions and knows no eras; `gateway.upstream` does. Every failure is an `UpstreamFailed` with a class and a
sentence of ours: a server's own words about its failure are not handed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from core import strictjson
from core.outbound import OutboundError
from core.sse import Event, EventDecoder, EventTooLarge
from core.wire import WireAnswer, WireClient, WireLimits
from core.wire_message import Lines, lines_of
from gateway import jsonrpc
from gateway.jsonrpc import Malformed, Message, Notification, Request, Response

MAX_DEPTH: Final = 128  # nesting of an answer; a result may be deeper than what we accept from callers
MAX_VALUES: Final = 1_000_000  # in one message: parsed, each costs up to a hundred bytes, and may be sent in three
MAX_MESSAGES: Final = 100_000  # on the stream of one call
_LONG: Final = 262_144  # bytes
_HEADERS: Final[Mapping[str, str]] = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}

OnMessage = Callable[[Request | Notification], Awaitable[None]]
OnEvent = Callable[[Event], Awaitable[None]]  # of events that have an id, before what they hold is handed on


class UpstreamFailed(Exception):
    """The server gave no usable answer. `cls` is a class of error for records and callers, `sentence` its words."""

    def __init__(self, cls: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cls = cls
        self.sentence = sentence


class Interrupted(UpstreamFailed):
    """The server closed the stream without an answer, but gave it ids, so that it can be gone on with from `last`."""

    def __init__(self, last: str) -> None:
        super().__init__("ended", "The server closed the stream without an answer.")
        self.last = last


class SessionLost(Exception):
    """The server does not know the session (any more); it has not acted on the message."""


class NoStream(Exception):
    """The server offers no stream of its own messages (405); it is not to be asked again."""


class Opened(Struct, frozen=True):
    """A server's answer to `initialize`, and the session id that came with it."""

    response: Response
    session_id: str


class Transport:
    """Posts messages through one guarded, pooled client."""

    def __init__(self, client: WireClient) -> None:
        self._client = client

    async def handshake(self, url: str, body: bytes, limits: WireLimits, *, id_: int, on_message: OnMessage) -> Opened:
        """Post `initialize` as request `id_`, wait for its answer. Raises `UpstreamFailed`."""
        try:
            answer = await self._client.ask("POST", url, _HEADERS, body, limits)
            try:
                response = await _read(answer, id_, on_message, None)
                return Opened(response, answer.headers.get("mcp-session-id", ""))
            finally:
                answer.leave()
        except OutboundError as error:
            raise UpstreamFailed(error.cls.value, error.sentence) from error

    async def ask(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | Lines,
        limits: WireLimits,
        *,
        id_: int,
        on_message: OnMessage,
        on_event: OnEvent | None = None,
        in_session: bool = False,
    ) -> Response:
        """Post request `id_`, wait for its answer. Raises `UpstreamFailed`, and `SessionLost` on 404 in a session.

        Every call goes this way, with nothing around the exchange itself. `headers` are given as they are, or as
        `lines_of_post` made them of these.
        """
        lines = headers if isinstance(headers, Lines) else {**headers, **_HEADERS}
        try:
            answer = await self._client.ask("POST", url, lines, body, limits)
            try:
                response = _at_once(answer, id_)
                if response is not None:
                    return response
                if answer.status == 404 and in_session:
                    raise SessionLost
                return await _read(answer, id_, on_message, on_event)
            finally:
                answer.leave()
        except OutboundError as error:
            raise UpstreamFailed(error.cls.value, error.sentence) from error

    async def notify(self, url: str, body: bytes, headers: Mapping[str, str], limits: WireLimits) -> None:
        """Post a message that has no answer. Raises `UpstreamFailed`, and `SessionLost` on 404."""
        try:
            async with self._client.request("POST", url, {**headers, **_HEADERS}, body, limits) as answer:
                if answer.status == 404:
                    raise SessionLost
                if answer.status >= 300:  # nothing is followed, so what is elsewhere was not taken
                    raise _bad_status(answer)
                if answer.headers.get("content-length", "0") == "0" and answer.status in (202, 204):
                    await answer.read()  # so that the connection can serve again
        except OutboundError as error:
            raise UpstreamFailed(error.cls.value, error.sentence) from error

    async def listen(
        self,
        url: str,
        headers: Mapping[str, str],
        limits: WireLimits,
        *,
        on_message: OnMessage,
        on_event: OnEvent | None = None,
        until: int | None = None,
    ) -> Response | None:
        """Read the server's own stream (GET) to its end, or to the answer of request `until`.

        Raises `UpstreamFailed`, `SessionLost`, `NoStream`.
        """
        try:
            async with self._client.request(
                "GET", url, {**headers, "accept": "text/event-stream"}, b"", limits
            ) as answer:
                if answer.status == 404:
                    raise SessionLost
                if answer.status == 405:
                    raise NoStream
                if answer.status != 200 or answer.kind != "text/event-stream":
                    raise _bad_status(answer)
                return await _read_events(answer, until, on_message, on_event)
        except OutboundError as error:
            raise UpstreamFailed(error.cls.value, error.sentence) from error

    async def end_session(self, url: str, headers: Mapping[str, str], limits: WireLimits) -> None:
        """Ask the server to end a session; it need not agree. Raises `UpstreamFailed`."""
        try:
            async with self._client.request("DELETE", url, headers, b"", limits):
                return
        except OutboundError as error:
            raise UpstreamFailed(error.cls.value, error.sentence) from error


def lines_of_post(headers: Mapping[str, str]) -> Lines:
    """The headers of a post that are written once for many. Raises `OutboundError` for those that are not sent."""
    return lines_of({**headers, **_HEADERS})


def _at_once(answer: WireAnswer, id_: int) -> Response | None:
    """What `_read` returns, of a usual answer that is there already; None of any other, and nothing of it is taken."""
    if answer.status != 200 or answer.kind != "application/json":
        return None
    raw = answer.whole(_LONG)
    if raw is None:
        return None
    message = _parse(raw)
    return message if type(message) is Response and message.id == id_ else _matching(message, id_)


async def _read(answer: WireAnswer, id_: int, on_message: OnMessage, on_event: OnEvent | None) -> Response:
    if answer.status in (401, 403):
        raise UpstreamFailed("needs_credentials", "The server asks for credentials.")
    if answer.kind == "text/event-stream" and answer.status == 200:
        response = await _read_events(answer, id_, on_message, on_event)
        if response is not None:
            return response
        raise UpstreamFailed("ended", "The server closed the stream without an answer.")
    if answer.kind == "application/json":
        response = _matching(await _parsed(await answer.read()), id_)
        # A server may send its JSON-RPC error with any status (2026-07-28 asks for 400 and 404).
        if response.error is not None or 200 <= answer.status < 300:
            return response
    raise _bad_status(answer)


async def _read_events(
    answer: WireAnswer, id_: int | None, on_message: OnMessage, on_event: OnEvent | None
) -> Response | None:
    """The answer of request `id_`, or None at the end of a stream on which none is awaited or came.

    Raises `Interrupted` where one was awaited and the stream can be gone on with.
    """
    decoder, left, last = EventDecoder(), MAX_MESSAGES, ""
    async for chunk in answer.chunks():
        for event in _events(decoder, chunk):
            if event.id and on_event is not None:
                last = event.id
                await on_event(event)
            if not event.data:
                continue  # a server may prime a stream with an event without data
            message = await _parsed(event.data)
            if isinstance(message, Response):
                if id_ is None:
                    raise UpstreamFailed("protocol_error", "The server answered where nothing was asked.")
                return _matching(message, id_)
            left -= 1
            if left < 0:
                raise UpstreamFailed("too_many", "The server sends notifications without end.")
            await on_message(message)
    if last and id_ is not None:
        raise Interrupted(last)
    return None


def _events(decoder: EventDecoder, chunk: bytes) -> list[Event]:
    """The messages that `chunk` completes."""
    try:
        return [event for event in decoder.feed(chunk) if event.name == "message"]
    except EventTooLarge as error:
        raise UpstreamFailed("too_large", "The server's answer is larger than we accept.") from error


async def _parsed(raw: bytes) -> Message:
    """What a long answer says is found out beside the event loop, or one server would hold up everybody's calls."""
    return await asyncio.to_thread(_parse, raw) if len(raw) > _LONG else _parse(raw)


def _parse(raw: bytes) -> Message:
    if len(raw) >= MAX_VALUES and _is_heavy(raw):
        raise UpstreamFailed("too_many", "The server's answer holds more values than we accept.")
    try:
        value = strictjson.loads(raw, max_depth=MAX_DEPTH, parse_float=jsonrpc.exact_float)
        return jsonrpc.message(value, raw=raw)
    except (strictjson.MalformedJSON, Malformed) as error:
        raise UpstreamFailed("malformed", "The server's answer is not a JSON-RPC message.") from error


def _is_heavy(raw: bytes) -> bool:
    """Whether it holds too many values. A long text may hold as many commas as it likes, so that is looked at twice."""
    return sum(raw.count(mark) for mark in (b"[", b"{", b",")) > MAX_VALUES and strictjson.values(raw) > MAX_VALUES


def _matching(message: Message, id_: int) -> Response:
    if not isinstance(message, Response):
        raise UpstreamFailed("protocol_error", "The server answered with something else than an answer.")
    refused_unread = message.id is None and message.error is not None
    if message.id != id_ and not refused_unread:
        raise UpstreamFailed("protocol_error", "The server answered another request than ours.")
    return message


def _bad_status(answer: WireAnswer) -> UpstreamFailed:
    return UpstreamFailed("protocol_error", f"The server answered with HTTP status {answer.status}.")


def body_of(value: Mapping[str, Any], response: Response) -> bytes:
    """A released result's bytes: the server's own, byte for byte, where `value` is the very result it sent."""
    return response.raw if value is response.result and response.raw else jsonrpc.dumps(value)
