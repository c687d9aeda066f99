"""The way back: one JSON answer, or a stream once something came before it."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from core.sse import Event, EventDecoder
from gateway.reply import Channel, Reply
from tests.gateway.admitting import Sent

ANSWER = Reply(202, b'{"a":1}', (("x-a", "b"),))
PLAIN = Reply(200, b'{"a":1}')
NOTE = b'{"n":1}'


def events(sent: Sent) -> list[Event]:
    """The events of a stream."""
    return EventDecoder().feed(sent.body)


def is_one_answer(sent: Sent) -> bool:
    """Whether this is what ASGI allows: one head, pieces, and exactly one end."""
    kinds = [event["type"] for event in sent.events]
    ends = [event for event in sent.events[1:] if not event["more_body"]]
    return kinds == ["http.response.start", *["http.response.body"] * (len(kinds) - 1)] and ends == sent.events[-1:]


@pytest.mark.parametrize("streams", [True, False])
async def test_an_answer_alone_is_json_that_nobody_stores(*, streams: bool) -> None:
    sent = Sent()
    await Channel(sent.send, streams=streams).finish(ANSWER)
    assert (sent.status, sent.body) == (202, ANSWER.body)
    assert sent.headers[b"content-type"] == b"application/json"
    assert sent.headers[b"content-length"] == b"7"
    assert sent.headers[b"cache-control"] == b"no-store"
    assert sent.headers[b"x-a"] == b"b"
    assert is_one_answer(sent)


async def test_an_answer_that_may_be_stored_says_so_itself() -> None:
    sent = Sent()
    await Channel(sent.send, streams=True).finish(Reply(200, b"{}", (("cache-control", "max-age=300"),)))
    assert [value for name, value in sent.events[0]["headers"] if name == b"cache-control"] == [b"max-age=300"]


async def test_what_comes_before_the_answer_makes_it_a_stream() -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    await channel.notify(NOTE)
    await channel.ping()
    await channel.finish(ANSWER)
    assert (sent.status, sent.headers[b"content-type"]) == (200, b"text/event-stream")
    assert events(sent) == [Event("message", NOTE), Event("message", ANSWER.body)]
    assert is_one_answer(sent)


@pytest.mark.parametrize("before", ["notify", "ping", "open", "prime"])
async def test_a_client_of_json_alone_gets_the_answer_alone(before: str) -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=False)
    arguments: dict[str, tuple[Any, ...]] = {"notify": (NOTE,), "prime": ("id", 5)}
    await getattr(channel, before)(*arguments.get(before, ()))
    await channel.finish(PLAIN)
    assert sent.body == PLAIN.body
    assert is_one_answer(sent)


async def test_an_answer_without_a_body_has_no_content_type() -> None:
    sent = Sent()
    await Channel(sent.send, streams=True).finish(Reply(202))
    assert b"content-type" not in sent.headers
    assert sent.headers[b"content-length"] == b"0"


async def test_a_stream_that_is_over_without_an_answer_just_ends() -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    await channel.open()
    await channel.finish(Reply(200))
    assert (sent.body, is_one_answer(sent)) == (b"", True)


async def test_opening_shows_the_client_at_once_that_the_stream_is_there() -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    await channel.open()
    assert (sent.status, sent.is_over) == (200, False)
    await channel.open()
    assert len([event for event in sent.events if event["type"] == "http.response.start"]) == 1


async def test_an_event_has_the_id_that_was_set_for_it_and_the_next_none() -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    await channel.prime("e-0", 100)
    channel.event_id = "e-1"
    await channel.notify(NOTE)
    await channel.notify(NOTE)
    channel.event_id = "e-2"
    await channel.finish(PLAIN)
    assert events(sent) == [
        Event("message", b"", "e-0", 100),
        Event("message", NOTE, "e-1"),
        Event("message", NOTE),
        Event("message", PLAIN.body, "e-2"),
    ]


async def test_a_ping_takes_no_id_away() -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    channel.event_id = "e-1"
    await channel.ping()
    await channel.notify(NOTE)
    assert events(sent) == [Event("message", NOTE, "e-1")]


@pytest.mark.parametrize("started", [True, False])
async def test_a_stream_that_was_closed_gets_no_answer(*, started: bool) -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    if started:
        await channel.notify(NOTE)
    await channel.close()
    assert (sent.status, sent.headers[b"content-type"]) == (200, b"text/event-stream")
    before = len(sent.events)
    await channel.notify(NOTE)
    await channel.finish(PLAIN)
    await channel.close()
    assert len(sent.events) == before
    assert is_one_answer(sent)


async def test_nothing_follows_the_answer() -> None:
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    await channel.notify(NOTE)
    await channel.finish(PLAIN)
    before = len(sent.events)
    for again in (channel.notify(NOTE), channel.ping(), channel.open(), channel.prime("x", None), channel.close()):
        await again
    await channel.finish(PLAIN)
    assert len(sent.events) == before


async def test_who_speaks_at_once_with_others_does_not_cut_them_short() -> None:
    """A send may wait for a slow client; what else is to be said meanwhile waits its turn."""
    sent = Sent()

    async def slowly(event: MutableMapping[str, Any]) -> None:
        await asyncio.sleep(0)
        await sent.send(event)
        await asyncio.sleep(0)

    channel = Channel(slowly, streams=True)
    notes = [b'{"n":%d}' % number for number in range(20)]
    await asyncio.gather(*(channel.notify(note) for note in notes), channel.finish(PLAIN))
    told = events(sent)
    assert is_one_answer(sent)
    assert told[-1].data == PLAIN.body
    assert [event.data for event in told[:-1]] == notes[: len(told) - 1]


async def test_an_answer_waits_for_what_is_being_said() -> None:
    sent, gate = Sent(), asyncio.Event()

    async def held(event: MutableMapping[str, Any]) -> None:
        await gate.wait()
        await sent.send(event)

    channel = Channel(held, streams=True)
    note = asyncio.create_task(channel.notify(NOTE))
    await asyncio.sleep(0)
    answer = asyncio.create_task(channel.finish(PLAIN))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(note, answer)
    assert [event.data for event in events(sent)] == [NOTE, PLAIN.body]


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("reply", [ANSWER, PLAIN, Reply(202)])
async def test_what_cannot_be_sent_at_once_is_left_to_be_sent(reply: Reply, said: bool) -> None:  # noqa: FBT001
    sent = Sent()
    channel = Channel(sent.send, streams=True)
    if said:
        await channel.notify(b"{}")
    before = len(sent.events)
    assert not channel.finished_at_once(reply)
    assert len(sent.events) == before
    await channel.finish(reply)
    assert len(sent.events) > before
    assert not channel.finished_at_once(reply), "it has its answer"
