"""Connections are used by one exchange at a time, bounded in number, and rest only where nothing is left on them."""

import asyncio
from dataclasses import replace

import pytest

from core.outbound import OutboundError, Refusal
from core.wire import WireClient
from core.wire_pool import Permits
from tests.core.exchanges import LOOPBACK, answering
from tests.core.wires import OK, PATIENT, QUICK, Step, Talk, client, closes, post, serving, stays

pytestmark = pytest.mark.network


@pytest.mark.parametrize("cancelled_first", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
async def test_permits_go_to_whoever_waits_longest_and_none_is_lost(*, cancelled_first: bool, at_once: bool) -> None:
    """The first of three leaves in the same moment in which a permit is given back, a moment before or after."""
    permits, served = Permits(1), list[int]()

    async def wait(number: int) -> None:
        await permits.take()
        served.append(number)

    await permits.take()
    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0)
    for leaves in (True, False) if cancelled_first else (False, True):
        tasks[0].cancel() if leaves else permits.give()
        if not at_once:
            await asyncio.sleep(0)
    await asyncio.wait(tasks[:1])
    expected = [0] if not cancelled_first and not at_once else [1]
    if expected == [1]:
        await asyncio.wait([tasks[1]], timeout=60)
    for _ in range(10):  # whoever is served in vain would be by now
        await asyncio.sleep(0)
    assert (served, permits.free) == (expected, 0)
    assert tasks[0].cancelled() == (expected == [1])
    for _ in range(2):
        permits.give()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (served[-1], len(permits._waiting)) == (2, 0)
    assert permits.free + len(served) - len(expected) == 2


async def test_a_finished_exchange_leaves_its_connection_to_the_next_one() -> None:
    async with serving(OK) as server, client() as wire:
        for _ in range(5):
            assert await post(wire, server.url) == (200, b"fine")
        assert server.connections == 1


async def test_exchanges_at_the_same_time_have_connections_of_their_own() -> None:
    async def answer_own(talk: Talk) -> None:
        await asyncio.sleep(0)
        name = talk.request.partition(b"x-name: ")[2].partition(b"\r\n")[0]
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(name), name))

    async def call(wire: WireClient, url: str, name: str) -> bool:
        async with wire.request("POST", url, {"x-name": name}, b"", PATIENT) as answer:
            return await answer.read() == name.encode()

    async with serving(answer_own) as server, client(per_origin=8) as wire:
        assert all(await asyncio.gather(*(call(wire, server.url, f"caller {number}") for number in range(200))))
        assert server.connections <= 8


# How an answer ends, and whether its connection may be used again.
ENDS: dict[str, tuple[Step, str]] = {
    "extra bytes": (OK + b"x", "POST"),
    "a second answer": (OK + OK.replace(b"fine", b"evil"), "POST"),
    "a second answer after HEAD": (OK.replace(b"fine", b"evil"), "HEAD"),
    "a body where there is none": (b"HTTP/1.1 204 No\r\ncontent-length: 4\r\n\r\nevil", "POST"),
    "close": (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nfine", "POST"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nfine", "POST"),
    "closed by the server": (closes(OK), "POST"),
    "until the end": (closes(b"HTTP/1.1 200 OK\r\n\r\nfine"), "POST"),
}


@pytest.mark.parametrize(("first", "method"), ENDS.values(), ids=ENDS.keys())
async def test_a_connection_that_did_not_end_clean_is_not_used_again(first: Step, method: str) -> None:
    async with serving(first, OK) as server, client() as wire:
        status, body = await post(wire, server.url, method=method)
        assert status in (200, 204)
        assert body in (b"fine", b"")
        assert await post(wire, server.url) == (200, b"fine")
        assert server.connections == 2


async def test_bytes_that_arrive_at_rest_are_never_read_as_an_answer() -> None:
    async def and_later(talk: Talk) -> None:
        await talk.send(OK)
        await rested.wait()
        await talk.send(OK.replace(b"fine", b"evil"))
        await talk.until_left()

    rested = asyncio.Event()
    async with serving(and_later, OK) as server, client(keepalive_seconds=60) as wire:
        await post(wire, server.url)
        rested.set()
        await server.until(lambda: server.left == 1)  # dropped when they came, not when it was wanted again
        assert await post(wire, server.url) == (200, b"fine")


async def test_a_connection_that_the_server_closed_at_rest_is_replaced() -> None:
    async with serving(closes(OK)) as server, client(keepalive_seconds=60) as wire:
        for _ in range(3):
            assert await post(wire, server.url) == (200, b"fine")
            await server.until(lambda: server.left == server.connections)
        assert server.connections == 3


async def test_a_request_that_was_written_is_never_written_again() -> None:
    async with serving(OK, closes(b""), OK) as server, client() as wire:
        await post(wire, server.url)
        with pytest.raises(OutboundError) as caught:
            await post(wire, server.url)
        assert caught.value.cls is Refusal.PROTOCOL_ERROR
        assert len(server.requests) == 2


async def test_connections_rest_for_a_while_only() -> None:
    async with serving(OK) as server, client(keepalive_seconds=0.2) as wire:
        await asyncio.gather(*(post(wire, server.url) for _ in range(3)))
        await server.until(lambda: server.left == server.connections)
        assert not wire._pool._places
        await post(wire, server.url)
        await server.until(lambda: server.left == server.connections)


async def test_a_rest_that_is_over_is_not_ended_by_the_next_request() -> None:
    async with serving(OK) as server, client(keepalive_seconds=0.0) as wire:
        for _ in range(3):
            await post(wire, server.url)
        assert server.connections == 3


async def test_waiting_for_a_connection_counts_as_connecting() -> None:
    async with serving(stays()) as server, client(per_origin=1) as wire:
        holder = asyncio.create_task(post(wire, server.url))
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(OutboundError) as caught:
            await post(wire, server.url, replace(QUICK, connect_seconds=0.2))
        assert caught.value.cls is Refusal.TIMEOUT
        assert server.connections == 1
        holder.cancel()


async def test_whoever_asks_when_a_connection_comes_to_rest_does_not_overtake_those_who_wait_for_it() -> None:
    async with serving(OK) as server, client(per_origin=1) as wire:
        served: list[str] = []

        async def call(name: str) -> None:
            await post(wire, server.url)
            served.append(name)

        first = await wire.ask("POST", server.url, {}, b"", PATIENT)
        assert await first.read() == b"fine"
        waits = asyncio.create_task(call("waits"))
        await asyncio.sleep(0)
        first.leave()
        comes = asyncio.create_task(call("comes"))
        await asyncio.gather(waits, comes)
        assert (served, server.connections) == (["waits", "comes"], 1)


async def test_a_busy_server_does_not_hold_up_calls_to_another() -> None:
    async with serving(stays()) as busy, serving(OK) as other, client(connections=3, per_origin=2) as wire:
        waiting = [asyncio.create_task(post(wire, busy.url)) for _ in range(20)]
        await busy.until(lambda: len(busy.requests) == 2)
        for _ in range(3):
            assert await post(wire, other.url) == (200, b"fine")
        assert busy.connections == 2
        for task in waiting:
            task.cancel()


async def test_a_connection_at_rest_gives_way_to_a_new_one_elsewhere() -> None:
    async with serving(OK) as one, serving(OK) as other, client(connections=2) as wire:
        await asyncio.gather(post(wire, one.url), post(wire, one.url))
        assert one.connections == 2
        await post(wire, other.url)
        await one.until(lambda: one.left == 1)  # one of the two had to go
        assert await post(wire, one.url) == (200, b"fine")
        assert one.connections == 2


async def test_cancelled_and_failed_exchanges_give_their_place_back() -> None:
    resolver, _ = answering(*[["127.0.0.1"], [], ["10.0.0.1"]] * 10)
    async with serving(stays()) as server, client(connections=1, per_origin=1, resolver=resolver) as wire:
        for number in range(30):
            url = f"http://named.example:{server.port}/"
            call = asyncio.create_task(post(wire, url, replace(QUICK, head_seconds=0.05)))
            queued = asyncio.create_task(post(wire, url))
            await asyncio.sleep(0)
            queued.cancel()
            if number % 2:
                call.cancel()
            await asyncio.gather(call, queued, return_exceptions=True)
        await server.until(lambda: server.left == server.connections)
        server.steps = [OK]
        assert await post(wire, server.url) == (200, b"fine")
        assert (wire._pool._used, wire._pool._permits.free) == (0, 1)


async def test_whoever_waits_for_any_connection_and_gives_up_leaves_its_server_free() -> None:
    async with serving(stays()) as busy, serving(OK) as other, client(connections=1, per_origin=1) as wire:
        holder = asyncio.create_task(post(wire, busy.url))
        await busy.until(lambda: len(busy.requests) == 1)
        first, second = (asyncio.create_task(post(wire, other.url)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        holder.cancel()
        assert await second == (200, b"fine")


async def test_closing_ends_what_rests_and_what_goes_on_and_refuses_what_comes() -> None:
    async with serving(OK, stays()) as server:
        wire = WireClient(LOOPBACK)
        await post(wire, server.url)
        going_on = asyncio.create_task(post(wire, server.url))
        await server.until(lambda: len(server.requests) == 2)
        await wire.close()
        with pytest.raises(OutboundError) as caught:
            await going_on
        assert caught.value.cls is Refusal.PROTOCOL_ERROR
        with pytest.raises(OutboundError) as caught:
            await post(wire, server.url)
        assert caught.value.cls is Refusal.REFUSED
        assert not wire._pool._live
        assert not wire._pool._places
