"""A connection bounds how long and how much it waits for, and what nobody asked for ends it."""

import asyncio
import os
import socket
import struct
from dataclasses import replace

import pytest

from core.outbound import OutboundError, Refusal
from tests.core.wires import OK, PATIENT, Step, Talk, client, closes, failing, post, serving, stays

pytestmark = pytest.mark.network

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_slow_reader_makes_the_server_wait() -> None:
    sent = 0

    async def flood(talk: Talk) -> None:
        nonlocal sent
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        talk.writer.transport.set_write_buffer_limits(high=0)
        for _ in range(1000):
            await talk.send(b"x" * 100_000)
            sent += 100_000
            wrote.set()

    async def stands_still() -> None:
        """Until the server could not write for a while: what is under way fills the buffers of both sides first."""
        while True:
            wrote.clear()
            try:
                await asyncio.wait_for(wrote.wait(), 0.3)
            except TimeoutError:
                return

    wrote = asyncio.Event()
    limits = replace(PATIENT, body_bytes=100_000_000, total_seconds=300)
    async with serving(flood) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"", limits) as answer:
            chunks = answer.chunks()
            received = len(await anext(chunks))
            await stands_still()
            assert sent < 30_000_000  # the kernel's buffers take some megabytes
            assert answer._reader.buffered < 1_000_000
            async for chunk in chunks:
                received += len(chunk)
        assert received == 100_000_000


async def test_a_timer_of_a_long_wait_does_not_lengthen_a_short_one_nor_end_a_later_one() -> None:
    async def late_body(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        await talk.until_left()

    async def slow(talk: Talk) -> None:
        await asyncio.sleep(3.3)
        await talk.send(OK)

    async with serving(OK, slow, OK, late_body) as server, client() as wire:
        await post(wire, server.url, replace(PATIENT, head_seconds=3))
        # The timer of the call before goes off meanwhile.
        assert await post(wire, server.url, replace(PATIENT, head_seconds=60)) == (200, b"fine")
        await post(wire, server.url, replace(PATIENT, head_seconds=300))
        async with asyncio.timeout(30):
            with pytest.raises(OutboundError) as caught:
                await post(wire, server.url, replace(PATIENT, head_seconds=300, idle_seconds=0.2))
        assert caught.value.cls is Refusal.TIMEOUT
        assert server.connections == 1


BROKEN = {
    "closed without a word": closes(b""),
    "closed in the head": closes(b"HTTP/1.1 200 OK\r\nconte"),
    "closed in the body": closes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfine"),
    "closed in a chunk": closes(CHUNKED + b"100\r\nfine"),
    "bad chunk": stays(CHUNKED + b"4\r\nfine\r\nxyz\r\n"),
    "two lengths": stays(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfine"),
}


@pytest.mark.parametrize("step", BROKEN.values(), ids=BROKEN.keys())
async def test_an_answer_that_breaks_off_is_an_error_and_its_connection_is_closed(step: Step) -> None:
    async with serving(step) as server:
        assert (await failing(server.url)).cls is Refusal.PROTOCOL_ERROR
        await server.until(lambda: server.left == 1)


async def test_what_came_before_an_answer_broke_off_is_still_handed_on() -> None:
    async with serving(closes(CHUNKED + b"4\r\nfine\r\nxyz\r\n")) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"", PATIENT) as answer:
            chunks = answer.chunks()
            assert await anext(chunks) == b"fine"
            with pytest.raises(OutboundError) as caught:
                await anext(chunks)
            assert caught.value.cls is Refusal.PROTOCOL_ERROR


async def test_a_reset_in_a_body_without_length_is_not_its_end() -> None:
    async def reset(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
        talk.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.writer.transport.abort()

    async with serving(reset) as server:
        assert (await failing(server.url)).cls is Refusal.PROTOCOL_ERROR


async def test_what_came_before_a_request_is_not_its_answer_even_if_the_loop_has_not_seen_it() -> None:
    talks: list[Talk] = []

    async def keep(talk: Talk) -> None:
        talks.append(talk)
        await talk.send(OK)

    async with serving(keep, OK) as server, client() as wire:
        await post(wire, server.url)
        # Written past both loops: it is in the client's socket, and nobody was told.
        with socket.socket(fileno=os.dup(talks[0].writer.get_extra_info("socket").fileno())) as below:
            below.send(OK.replace(b"fine", b"evil"))
        assert await post(wire, server.url) == (200, b"fine")
        assert server.connections == 2


async def test_an_answer_before_the_whole_request_ends_the_connection() -> None:
    async def serve(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await gone.wait()

    gone = asyncio.Event()
    async with serving(raw=serve) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"x" * 30_000_000, PATIENT) as answer:
            assert (answer.status, await answer.read()) == (413, b"")
        assert not wire._pool._resting
        gone.set()
