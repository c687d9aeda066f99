"""Requests whose heads are known are handed on as uvicorn's own protocol hands them on, and nothing else is."""

import asyncio
import gc
import json
from contextlib import closing
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.door import SEEN, Door, Seen
from tests.gateway.test_shortcut import listening


def request(body: bytes = b"{}", *, line: bytes = b"POST /mcp/files?q=%20 HTTP/1.1", more: bytes = b"") -> bytes:
    head = b"host: h\r\nContent-Type: application/json\r\n" + more
    return line + b"\r\n" + head + b"Content-Length: %d\r\nmcp-name: echo\r\n\r\n" % len(body) + body


class Echo:
    """Answers with all that it was handed, and notes whether the head had been handed on before."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.known: list[bool] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        seen = scope.pop(SEEN, None)
        self.known.append(seen is not None and seen.kept == "kept")
        if seen is not None:
            seen.kept = "kept"
        body, event = b"", {"more_body": True}
        while event.get("more_body"):
            event = await receive()
            body += event.get("body", b"")
        if self.seconds:
            await asyncio.sleep(self.seconds)
        told = json.dumps([scope, body], default=str).encode()
        scope["headers"].append((b"mine", b"1"))  # it is the application's own
        scope["path"], scope["state"]["mine"] = "/mine", 1
        headers = [(b"content-length", b"%d" % len(told))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})


class Line(asyncio.Transport):
    """The other end: what was written to it, and whether it was hung up."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 5)})
        self.written = b""
        self.ended = False
        self.pauses = 0

    def write(self, data: Any) -> None:
        """Send."""
        self.written += data

    def close(self) -> None:
        """Hang up."""
        self.ended = True

    def is_closing(self) -> bool:
        """Whether it was hung up."""
        return self.ended

    def pause_reading(self) -> None:
        """Wait with what comes next."""
        self.pauses += 1

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


async def told(
    protocol: type[HttpToolsProtocol], pieces: list[bytes], seconds: float = 0.0, **more: Any
) -> tuple[Line, Echo]:
    """What becomes of these pieces, after each of which the application has its turns; it answers after `seconds`."""
    application, line = Echo(seconds), Line()
    config = uvicorn.Config(application, log_level="critical", access_log=False, lifespan="off", **more)
    connection = protocol(config, ServerState(), {"kept": 1})
    connection.connection_made(line)
    for piece in pieces:
        if not line.ended:
            connection.data_received(piece)
        for _ in range(12):
            await asyncio.sleep(0)
    await asyncio.sleep(2 * len(pieces) * seconds)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    return line, application


async def alike(pieces: list[bytes], **more: Any) -> list[bool]:
    """Whether each request's head was known, where everything became the same as without knowing."""
    (ours, application), (theirs, _) = await told(Door, pieces, **more), await told(HttpToolsProtocol, pieces, **more)
    assert ours.written == theirs.written
    assert (ours.ended, ours.pauses) == (theirs.ended, theirs.pauses)
    return application.known


async def test_a_head_that_comes_again_is_known_whatever_its_body() -> None:
    bodies = [b"{}", b"{}", b"", b"x" * 1000, request(), b"\0\r\n\r\n"]
    assert await alike([request(body) for body in bodies]) == [False, True, True, True, True, True]


async def test_some_heads_are_known_beside_each_other() -> None:
    heads = [request(more=b"n: %d\r\n" % number) for number in range(4)]
    assert await alike([*heads, *heads, request(), heads[0], heads[-1]]) == [False] * 4 + [True] * 4 + [False] * 2 + [
        True
    ]


async def test_a_long_head_is_not_kept() -> None:
    assert await alike([request(more=b"n: %b\r\n" % (b"x" * 8000))] * 2) == [False, True]
    assert await alike([request(more=b"n: %b\r\n" % (b"x" * 8192))] * 2) == [False, False]


async def test_what_is_kept_of_heads_goes_with_the_connection_and_waits_for_no_collector() -> None:
    def kept() -> int:
        return sum(type(each) is Seen for each in gc.get_objects())

    gc.collect()
    before = kept()
    gc.disable()
    try:
        await told(Door, [request(more=b"n: %d\r\n" % number) for number in range(9)] * 2)
        assert kept() == before
    finally:
        gc.enable()


OTHERS = {
    "another method": request(line=b"PUT /mcp/files?q=%20 HTTP/1.1"),
    "another path": request(line=b"POST /mcp/file HTTP/1.1"),
    "another version": request(line=b"POST /mcp/files?q=%20 HTTP/1.0"),
    "another name": request(more=b"x: 1\r\n"),
    "another value": request().replace(b"host: h", b"host: i"),
    "other letters": request().replace(b"host: h", b"Host: h"),
    "zeros before the digits": request().replace(b": 2\r\n", b": 02\r\n"),
    "a sign": request().replace(b": 2\r\n", b": +2\r\n"),
    "a length twice": request(more=b"content-length: 2\r\n"),
    "a length and chunks": request(b"2\r\n{}\r\n0\r\n\r\n", more=b"transfer-encoding: chunked\r\n"),
    "no length": request().replace(b"Content-Length: 2", b"x: y"),
    "no request": b"\r\n\r\n\0",
    "two at once": request() * 2,
    "more than is read at a time": request(b"x" * 70_000),
    "one and a half": request() + request()[:40],
}


@pytest.mark.parametrize("piece", OTHERS.values(), ids=OTHERS.keys())
async def test_whatever_else_comes_is_read_by_the_parser(piece: bytes) -> None:
    assert True not in (await alike([request(), piece]))[1:]
    await alike([request(), piece, request(), piece, request()])


UNUSUAL = {
    "waits to be asked for the body": request(more=b"Expect: 100-continue\r\n"),
    "hangs up": request(more=b"connection: close\r\n"),
    "wants another protocol": request(more=b"connection: upgrade\r\nupgrade: h2c\r\n"),
    "is of an old protocol": request(line=b"POST / HTTP/1.0"),
    "is of an old protocol and stays": request(line=b"POST / HTTP/1.0", more=b"connection: keep-alive\r\n"),
    "is chunked": request().replace(b"Content-Length: 2", b"transfer-encoding: chunked")[:-2] + b"2\r\n{}\r\n0\r\n\r\n",
    "reads": request(line=b"GET / HTTP/1.1"),
    "wants a tunnel": request(b"", line=b"CONNECT h:1 HTTP/1.1"),
}


@pytest.mark.parametrize("piece", UNUSUAL.values(), ids=UNUSUAL.keys())
async def test_a_head_that_asks_for_more_than_an_answer_is_never_known(piece: bytes) -> None:
    assert True not in await alike([piece, piece, piece])


async def test_in_the_middle_of_a_request_nothing_is_taken_for_another() -> None:
    """Behind a proxy, requests of several people come over one connection."""
    whole = request(request(b"smuggled"))
    cut = whole.index(b"\r\n\r\n") + 4
    assert await alike([request(), whole[:cut], whole[cut:], request()]) == [False, False, True]
    assert await alike([request(), request()[:30], request()[30:]]) == [False, False]


async def test_what_comes_while_a_request_is_answered_waits_for_its_turn() -> None:
    known = await alike([request(), request(b"12"), request(b"123"), request(b"1234")], seconds=0.02)
    assert known == [False] * 4


async def test_where_requests_are_limited_each_is_counted() -> None:
    assert await alike([request(), request()], limit_concurrency=1) == []
    assert await alike([request(), request()], limit_concurrency=9) == [False, False]


PIECES = st.lists(
    st.sampled_from([*OTHERS.values(), *UNUSUAL.values(), *[request(b"x" * size) for size in (0, 1, 9, 70_000)] * 4])
)


@settings(max_examples=150, deadline=None)
@given(pieces=PIECES, cuts=st.lists(st.integers(0, 2000), max_size=4))
def test_in_whatever_pieces_requests_come_they_are_handed_on_the_same(pieces: list[bytes], cuts: list[int]) -> None:
    whole = [piece for piece in pieces if piece]
    for number, at in enumerate(cuts):
        if number < len(whole):
            piece = whole.pop(number)
            whole[number:number] = [part for part in (piece[:at], piece[at:]) if part]
    asyncio.run(alike(whole))


# --- over sockets ---------------------------------------------------------------------------------------------


async def answered(reader: asyncio.StreamReader) -> None:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))


@pytest.mark.network
@pytest.mark.parametrize("protocol", [Door, HttpToolsProtocol])
async def test_a_connection_that_rests_too_long_ends_and_one_that_is_used_does_not(
    protocol: type[HttpToolsProtocol],
) -> None:
    async with listening(Echo(), http=protocol, timeout_keep_alive=3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            for _ in range(5):
                writer.write(request())
                await answered(reader)
                await asyncio.sleep(0.8)
            assert await asyncio.wait_for(reader.read(), 20) == b""


@pytest.mark.network
@pytest.mark.parametrize("protocol", [Door, HttpToolsProtocol])
async def test_who_has_begun_a_request_does_not_rest(protocol: type[HttpToolsProtocol]) -> None:
    async with listening(Echo(), http=protocol, timeout_keep_alive=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            for _ in range(2):
                writer.write(request()[:-1])
                await asyncio.sleep(1.5)
                writer.write(request()[-1:])
                await answered(reader)


@pytest.mark.network
@pytest.mark.parametrize("protocol", [Door, HttpToolsProtocol])
async def test_who_waits_long_for_an_answer_does_not_rest(protocol: type[HttpToolsProtocol]) -> None:
    async with listening(Echo(seconds=1.5), http=protocol, timeout_keep_alive=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            for _ in range(2):
                writer.write(request())
                await answered(reader)
