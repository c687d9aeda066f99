"""One JSON-RPC message to a server over Streamable HTTP, and what comes back: JSON or a stream of events.

Knows no sessions and no eras; `gateway.upstream` does. Every failure is an `UpstreamFailed` with a class and a
sentence of ours: a server's own words about its failure are not handed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from core import strictjson
from core.outbound import classify
from core.sse import EventDecoder, EventTooLarge
from gateway import jsonrpc
from gateway.jsonrpc import Malformed, Message, Notification, Request, Response

MAX_DEPTH: Final = 128  # nesting of an answer; a result may be deeper than what we accept from callers
MAX_MESSAGES: Final = 100_000  # on the stream of one call
_LONG: Final = 262_144  # bytes
_HEADERS: Final[Mapping[str, str]] = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}

OnMessage = Callable[[Request | Notification], Awaitable[None]]


class UpstreamFailed(Exception):
    """The server gave no usable answer. `cls` is a class of error for records and callers, `sentence` its words."""

    def __init__(self, cls: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cls = cls
        self.sentence = sentence


class SessionLost(Exception):
    """The server does not know the session (any more); it has not acted on the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer to a request, and the session id that came with it."""

    response: Response
    session_id: str


class Transport:
    """Posts messages through one guarded, pooled client."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def request(
        self, url: str, body: bytes, headers: Mapping[str, str], *, id_: int, in_session: bool, on_message: OnMessage
    ) -> Answer:
        """Post request `id_`, wait for its answer. Raises `UpstreamFailed`, and `SessionLost` on 404 in a session."""
        try:
            async with self._client.stream("POST", url, content=body, headers={**headers, **_HEADERS}) as answer:
                if answer.status_code == 404 and in_session:
                    raise SessionLost
                response = await _read(answer, id_, on_message)
                return Answer(response, answer.headers.get("mcp-session-id", ""))
        except httpx2.HTTPError as error:
            raise _failure(error) from error

    async def notify(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a message that has no answer. Raises `UpstreamFailed`."""
        try:
            async with self._client.stream("POST", url, content=body, headers={**headers, **_HEADERS}) as answer:
                if answer.status_code >= 400:
                    raise _bad_status(answer)
        except httpx2.HTTPError as error:
            raise _failure(error) from error

    async def end_session(self, url: str, headers: Mapping[str, str]) -> None:
        """Ask the server to end a session; it need not agree. Raises `UpstreamFailed`."""
        try:
            async with self._client.stream("DELETE", url, headers={**headers}):
                return
        except httpx2.HTTPError as error:
            raise _failure(error) from error


async def _read(answer: httpx2.Response, id_: int, on_message: OnMessage) -> Response:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status_code in (401, 403):
        raise UpstreamFailed("needs_credentials", "The server asks for credentials.")
    if kind == "text/event-stream" and answer.status_code == 200:
        return await _read_events(answer, id_, on_message)
    if kind == "application/json":
        response = _matching(await _parsed(b"".join([chunk async for chunk in answer.aiter_raw()])), id_)
        # A server may send its JSON-RPC error with any status (2026-07-28 asks for 400 and 404).
        if response.error is not None or 200 <= answer.status_code < 300:
            return response
    raise _bad_status(answer)


async def _read_events(answer: httpx2.Response, id_: int, on_message: OnMessage) -> Response:
    decoder, left = EventDecoder(), MAX_MESSAGES
    async for chunk in answer.aiter_raw():
        for data in _events(decoder, chunk):
            message = await _parsed(data)
            if isinstance(message, Response):
                return _matching(message, id_)
            left -= 1
            if left < 0:
                raise UpstreamFailed("too_many", "The server sends notifications without end.")
            await on_message(message)
    raise UpstreamFailed("ended", "The server closed the stream without an answer.")


def _events(decoder: EventDecoder, chunk: bytes) -> list[bytes]:
    """The data of the messages that `chunk` completes; a server may prime a stream with an event without data."""
    try:
        return [event.data for event in decoder.feed(chunk) if event.name == "message" and event.data]
    except EventTooLarge as error:
        raise UpstreamFailed("too_large", "The server's answer is larger than we accept.") from error


async def _parsed(raw: bytes) -> Message:
    """What a long answer says is found out beside the event loop, or one server would hold up everybody's calls."""
    return await asyncio.to_thread(_parse, raw) if len(raw) > _LONG else _parse(raw)


def _parse(raw: bytes) -> Message:
    try:
        return jsonrpc.message(strictjson.loads(raw, max_depth=MAX_DEPTH, parse_float=jsonrpc.exact_float))
    except (strictjson.MalformedJSON, Malformed) as error:
        raise UpstreamFailed("malformed", "The server's answer is not a JSON-RPC message.") from error


def _matching(message: Message, id_: int) -> Response:
    if not isinstance(message, Response):
        raise UpstreamFailed("protocol_error", "The server answered with something else than an answer.")
    refused_unread = message.id is None and message.error is not None
    if message.id != id_ and not refused_unread:
        raise UpstreamFailed("protocol_error", "The server answered another request than ours.")
    return message


def _bad_status(answer: httpx2.Response) -> UpstreamFailed:
    return UpstreamFailed("protocol_error", f"The server answered with HTTP status {answer.status_code}.")


def _failure(error: httpx2.HTTPError) -> UpstreamFailed:
    found = classify(error)
    return UpstreamFailed(found.cls.value, found.sentence)
