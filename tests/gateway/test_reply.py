"""The way back: one JSON answer, or a stream once something came before it."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from gateway.reply import Channel, Reply

ANSWER = Reply(202, b'{"a":1}', (("x-a", "b"),))


class Wire:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.events: list[MutableMapping[str, Any]] = []

    async def send(self, event: MutableMapping[str, Any]) -> None:
        self.events.append(event)

    @property
    def body(self) -> bytes:
        return b"".join(event["body"] for event in self.events[1:])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.events[0]["headers"])


@pytest.mark.parametrize("streams", [True, False])
async def test_an_answer_alone_is_json_that_nobody_stores(*, streams: bool) -> None:
    wire = Wire()
    await Channel(wire.send, streams=streams).finish(ANSWER)
    assert (wire.events[0]["status"], wire.body) == (202, ANSWER.body)
    assert wire.headers[b"content-type"] == b"application/json"
    assert wire.headers[b"cache-control"] == b"no-store"
    assert wire.headers[b"x-a"] == b"b"


async def test_what_comes_before_the_answer_makes_it_a_stream() -> None:
    wire = Wire()
    channel = Channel(wire.send, streams=True)
    await channel.notify(b'{"n":1}')
    await channel.ping()
    await channel.finish(ANSWER)
    assert (wire.events[0]["status"], wire.headers[b"content-type"]) == (200, b"text/event-stream")
    assert wire.body.count(b"event: message") == 2
    assert [event["more_body"] for event in wire.events[1:]] == [True, True, False]


async def test_a_client_of_json_alone_gets_the_answer_alone() -> None:
    wire = Wire()
    channel = Channel(wire.send, streams=False)
    await channel.notify(b'{"n":1}')
    await channel.ping()
    await channel.finish(ANSWER)
    assert wire.body == ANSWER.body


async def test_an_answer_without_a_body_has_no_content_type() -> None:
    wire = Wire()
    await Channel(wire.send, streams=True).finish(Reply(202))
    assert b"content-type" not in wire.headers
    assert wire.headers[b"content-length"] == b"0"
