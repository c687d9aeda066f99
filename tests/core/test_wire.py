"""The client of the hot path against servers that misbehave: bounded in time and memory, and nothing is mixed up."""

import asyncio
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.outbound import OutboundError, Refusal
from core.wire import WireAnswer
from tests.core.test_outbound import MISBEHAVIOURS
from tests.core.wires import OK, PATIENT, QUICK, Step, Talk, client, closes, failing, post, serving, stays
from tests.fixtures_mcp.processes import hostile_server

pytestmark = pytest.mark.network

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The misbehaving server's base URL."""
    with hostile_server() as base:
        yield base


@pytest.mark.parametrize(("name", "cls"), MISBEHAVIOURS.items(), ids=MISBEHAVIOURS.keys())
async def test_misbehaviour_ends_in_bounded_time_and_memory(hostile: str, name: str, cls: Refusal) -> None:
    tracemalloc.start()
    try:
        async with asyncio.timeout(30):  # what is not bounded goes on for ever
            error = await failing(f"{hostile}/http/{name}", QUICK if cls is Refusal.TIMEOUT else PATIENT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.cls is cls
    assert peak < 20_000_000
    assert "xxx" not in error.sentence


async def test_redirects_cookies_and_proxies_are_no_concern_of_ours(
    hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with client() as wire:
        assert (await post(wire, f"{hostile}/http/redirect?to=http://169.254.169.254/"))[0] == 302
        assert await post(wire, f"{hostile}/http/ok") == (200, b"fine")
        headers = json.loads((await post(wire, f"{hostile}/http/echo-headers"))[1])
    assert "cookie" not in headers
    assert headers["accept-encoding"] == "identity"


async def test_a_request_arrives_as_it_was_given() -> None:
    async with serving(OK) as server, client() as wire:
        body = b'{"a":1}' * 10_000
        headers = {"Content-Type": "application/json", "Mcp-Method": "tools/call"}
        async with wire.request("POST", f"{server.url}?a=b", headers, body, PATIENT) as answer:
            assert (answer.status, answer.headers) == (200, {"content-length": "4"})
            assert await answer.read() == b"fine"
    assert server.requests == [
        b"POST /mcp?a=b HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nuser-agent: holdfast\r\naccept-encoding: identity\r\n"
        b"content-type: application/json\r\nmcp-method: tools/call\r\ncontent-length: 70000\r\n\r\n"
        % server.port
        + body
    ]


async def test_nothing_is_sent_of_a_request_that_is_refused() -> None:
    async with serving(OK) as server, client() as wire:
        for method, url, headers in [
            ("POST", server.url, {"x-a": "b\r\nx-evil: 1"}),
            ("POST", server.url, {"transfer-encoding": "chunked"}),
            ("CONNECT", server.url, {}),
            ("POST", f"{server.url}\r\nx-evil: 1", {}),
        ]:
            with pytest.raises(OutboundError) as caught:
                async with wire.request(method, url, headers, b"", PATIENT):
                    pass
            assert caught.value.cls is Refusal.BLOCKED
        assert (server.connections, server.requests) == (0, [])


async def test_a_stream_arrives_as_it_is_sent() -> None:
    async def two_events(talk: Talk) -> None:
        await talk.send(EVENTS + chunk(b"data: 1\n\n"))
        await seen.wait()
        await talk.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    seen = asyncio.Event()
    async with serving(two_events, OK) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"", PATIENT) as answer:
            chunks = answer.chunks()
            assert await anext(chunks) == b"data: 1\n\n"
            seen.set()
            assert [each async for each in chunks] == [b"data: 2\n\n"]
        await post(wire, server.url)
        assert server.connections == 1


def drips(start: bytes, drop: bytes) -> Step:
    """Send, then a little more for ever."""

    async def step(talk: Talk) -> None:
        await talk.send(start)
        while True:
            await talk.send(drop)
            await asyncio.sleep(0.02)

    return step


LATE: dict[str, tuple[Step, dict[str, Any]]] = {
    "head": (stays(b"HTTP/1.1 200 OK\r\n"), {"head_seconds": 0.2}),
    "head, byte by byte": (drips(b"HTTP/1.1 200 OK\r\na: ", b"x"), {"head_seconds": 0.2}),
    "body": (stays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"), {"idle_seconds": 0.2}),
    "body, byte by byte": (drips(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", b"x"), {"total_seconds": 0.3}),
    "chunk extension, byte by byte": (
        drips(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=", b"x"),
        {"idle_seconds": 0.3},
    ),
    "trailer, byte by byte": (drips(EVENTS + b"0\r\na: ", b"x"), {"idle_seconds": 0.3}),
    "stream": (stays(EVENTS + chunk(b"data: 1\n\n")), {"idle_seconds": 0.2}),
    "stream that goes on": (drips(EVENTS, chunk(b"data: 1\n\n")), {"lifetime_seconds": 0.3}),
}


@pytest.mark.parametrize(("step", "limit"), LATE.values(), ids=LATE.keys())
async def test_each_limit_of_time_holds_alone(step: Step, limit: dict[str, Any]) -> None:
    async with serving(step) as server, asyncio.timeout(30):
        assert (await failing(server.url, replace(PATIENT, **limit))).cls is Refusal.TIMEOUT


async def slowly(answer: WireAnswer) -> None:
    """Read so that there is always something to take, and the server is never waited for."""
    async for _ in answer.chunks():
        await asyncio.sleep(0.05)


async def test_a_busy_stream_that_is_read_slowly_ends_all_the_same() -> None:
    async with serving(drips(EVENTS, chunk(b"data: 1\n\n"))) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"", replace(PATIENT, lifetime_seconds=0.3)) as answer:
            with pytest.raises(OutboundError) as caught:
                await slowly(answer)
            assert caught.value.cls is Refusal.TIMEOUT


async def test_a_stream_may_last_longer_than_another_answer() -> None:
    async def some(talk: Talk) -> None:
        await talk.send(EVENTS)
        for _ in range(10):
            await talk.send(chunk(b"data: 1\n\n"))
            await asyncio.sleep(0.05)
        await talk.send(b"0\r\n\r\n")

    async with serving(some) as server, client() as wire:
        assert await post(wire, server.url, replace(PATIENT, total_seconds=0.1)) == (200, b"data: 1\n\n" * 10)


async def test_limits_of_size() -> None:
    small = replace(PATIENT, body_bytes=100, event_bytes=50)
    event = b"data: 12345678901234567890\n\n"
    async with serving(b"") as server, client() as wire:
        for head, body, good in [
            (b"HTTP/1.1 200 OK\r\n", b"x" * 100, True),
            (b"HTTP/1.1 200 OK\r\n", b"x" * 101, False),
            (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n", event * 3, True),
            (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n",
                event * 4,
                False,
            ),  # the whole, as `read` wants it
            (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n", b"data: " + b"x" * 60, False),
        ]:
            server.steps = [head + b"content-length: %d\r\n\r\n" % len(body) + body]
            if good:
                assert await post(wire, server.url, small) == (200, body)
            else:
                with pytest.raises(OutboundError) as caught:
                    await post(wire, server.url, small)
                assert caught.value.cls is Refusal.TOO_LARGE
        server.steps = [EVENTS + chunk(event) * 100 + b"0\r\n\r\n"]
        async with wire.request("POST", server.url, {}, b"", replace(PATIENT, event_bytes=50)) as answer:
            assert b"".join([each async for each in answer.chunks()]) == event * 100


PHASES: dict[str, Step] = {
    "waiting for the head": stays(),
    "in the head": stays(b"HTTP/1.1 200 OK\r\na: "),
    "in the body": stays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"),
    "in a chunk": stays(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nx"),
    "in a stream": stays(EVENTS + chunk(b"data: 1\n\n")),
}


@pytest.mark.parametrize("step", PHASES.values(), ids=PHASES.keys())
async def test_cancelling_hangs_up(step: Step) -> None:
    async with serving(step, OK) as server, client(connections=1) as wire:
        call = asyncio.create_task(post(wire, server.url))
        await server.until(lambda: len(server.requests) == 1)
        for _ in range(20):  # so that what was sent has arrived
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.until(lambda: server.left == 1)
        assert await post(wire, server.url) == (200, b"fine")


async def test_leaving_before_the_end_of_a_body_hangs_up() -> None:
    async with serving(stays(EVENTS + chunk(b"data: 1\n\n")), OK) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"", PATIENT) as answer:
            assert answer.status == 200
        await server.until(lambda: server.left == 1)
        await post(wire, server.url)
        assert server.connections == 2


async def test_an_answer_whose_context_is_over_gives_nothing_of_the_next_one() -> None:
    async with serving(OK, OK.replace(b"fine", b"next")) as server, client() as wire:
        async with wire.request("POST", server.url, {}, b"", PATIENT) as first:
            pass
        async with wire.request("POST", server.url, {}, b"", PATIENT) as second:
            with pytest.raises(OutboundError):
                await first.read()
            assert await second.read() == b"next"
        assert server.connections == 1


async def test_a_body_that_is_there_is_had_at_once_and_only_a_whole_one_within_its_limits() -> None:
    events = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 4\r\n\r\nfine"
    for answered, at_most, expected in [
        (OK, 4, b"fine"),
        (OK, 3, None),
        (OK.replace(b"4", b"0").replace(b"fine", b""), 4, b""),
        (OK.replace(b"4", b"6"), 9, None),
        (events, 4, None),
    ]:
        for limits in (PATIENT, replace(PATIENT, body_bytes=3)):
            async with serving(answered) as server, client() as wire:
                answer = await wire.ask("POST", server.url, {}, b"", limits)
                found = answer.whole(at_most)
                assert found == (expected if limits is PATIENT or not expected else None)
                if found is None and answered is OK:  # nothing of it was taken
                    if limits is PATIENT:
                        assert await answer.read() == b"fine"
                    else:
                        with pytest.raises(OutboundError):
                            await answer.read()
                answer.leave()
                answer.leave()
                assert answer.whole(at_most) is None


async def test_a_body_that_is_there_too_late_is_not_had_at_once_either() -> None:
    async with serving(OK) as server, client() as wire:
        answer = await wire.ask("POST", server.url, {}, b"", replace(PATIENT, total_seconds=0))
        with pytest.raises(OutboundError) as caught:
            answer.whole(100)
        assert caught.value.cls is Refusal.TIMEOUT
        answer.leave()


@pytest.mark.parametrize(("content_type", "kind"), [
    ("application/json", "application/json"), ("Application/JSON ; charset=utf-8", "application/json"), ("", ""),
])  # fmt: skip
async def test_the_kind_of_an_answer_is_its_media_type(content_type: str, kind: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: 0\r\n\r\n".encode()
    async with serving(head) as server, client() as wire, wire.request("GET", server.url, {}, b"", PATIENT) as answer:
        assert answer.kind == kind


async def test_answers_with_one_head_are_told_apart_by_their_bodies() -> None:
    bodies = [b"fine", b"", b"a longer body", b"fine", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx-a: b\r\n\r\n"
    async with serving(*(head % len(body) + body for body in bodies)) as server, client() as wire:
        for body in bodies:
            async with wire.request("POST", server.url, {}, b"", PATIENT) as answer:
                assert answer.headers == {"content-length": str(len(body)), "x-a": "b"}
                assert await answer.read() == body
        assert server.connections == 1


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", (200, b"")),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n", (304, b"")),
        ("POST", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\n" + OK, (200, b"fine")),
        ("POST", b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", (202, b"")),
        ("POST", b"HTTP/1.0 200 OK\r\n\r\nfine", (200, b"fine")),
        ("POST", b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfine", (200, b"fine")),
    ],
)
async def test_answers_of_every_shape(method: str, answer: bytes, expected: tuple[int, bytes]) -> None:
    async with serving(closes(answer)) as server, client() as wire:
        assert await post(wire, server.url, method=method) == expected


async def test_many_at_once_to_a_server_that_misbehaves_leave_the_next_call_alone(hostile: str) -> None:
    names = ["hang", "drip", "reset", "closed", "gigabyte", "ok", "idle-events"]
    async with client(connections=16) as wire:
        calls = (post(wire, f"{hostile}/http/{names[number % len(names)]}", QUICK) for number in range(70))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, OutboundError | tuple) for result in results)
        assert await post(wire, f"{hostile}/http/ok") == (200, b"fine")
