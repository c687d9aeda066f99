"""The short ways through uvicorn end in the same bytes on the wire as ASGI's own."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from gateway.reply import Channel, Receive, Reply, Send
from gateway.shortcut import answered, whole_body
from tests.ports import free_ports

pytestmark = pytest.mark.network
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{}}'
LARGE = b'{"text":"%b"}' % (b"x" * 3_000_000)
HEAD = b"POST /mcp/files HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n"
REQUEST = HEAD + b"content-length: 2\r\n\r\n{}"

Ways = tuple[Callable[[Receive], bytes | None], Callable[..., bool]]
SHORT: Ways = (whole_body, answered)
LONG: Ways = (lambda _receive: None, lambda _send, _body: False)


class Application:
    """Answers a request once its body is there, in one way or the other, and notes which way it went."""

    def __init__(self, body: bytes = ANSWER, status: int = 200) -> None:
        self.reply = Reply(status, body)
        self.read, self.answer = SHORT
        self.went: list[tuple[bool, bool]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        body = self.read(receive)
        read_short = body is not None
        while body is None:
            event = await receive()
            body = event.get("body", b"") if not event.get("more_body") else None
        self.bodies.append(body)
        usual = self.reply.status == 200 and self.answer(send, self.reply.body)
        if not usual:
            await Channel(_anything(send), streams=False).finish(self.reply)
        self.went.append((read_short, usual))


def _anything(send: Send) -> Send:
    """The same, of which nobody sees that it is uvicorn's."""

    async def sent(event: Any) -> None:
        await send(event)

    return sent


@asynccontextmanager
async def listening(application: Any, **more: Any) -> AsyncIterator[int]:
    """uvicorn as the product starts it; the port."""
    port = free_ports()
    usual = {"log_level": "critical", "access_log": False, "server_header": False, "lifespan": "off"}
    server = uvicorn.Server(
        uvicorn.Config(application, port=port, **{**usual, "http": "httptools", "loop": "none", **more})
    )
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


async def said(port: int, pieces: list[bytes], *, until: int = 1) -> bytes:
    """What comes back of so many answers, less what the clock says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)
    found = b""
    while found.count(b"HTTP/1.1 200 OK") < until or not found.endswith((ANSWER, b'x"}', b"\r\n\r\n")):
        piece = await reader.read(1 << 20)
        if not piece:
            found += b"[end]"
            break
        found += piece
    writer.close()
    return re.sub(rb"date: [^\r]+", b"date:", found)


async def of_both_ways(pieces: list[bytes], *, until: int = 1, **more: Any) -> tuple[bytes, Application]:
    """What comes back by either way, which is the same; and the application that took the short one."""
    application = Application(**more)
    async with listening(application) as port:
        application.read, application.answer = LONG
        long = await said(port, pieces, until=until)
        application.went.clear()
        application.read, application.answer = SHORT
        short = await said(port, pieces, until=until)
    assert short == long
    return short, application


async def test_a_usual_request_goes_the_short_ways_and_is_answered_as_by_the_long_ones() -> None:
    answer, application = await of_both_ways([REQUEST])
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + ANSWER)
    assert application.went == [(True, True)]
    assert set(application.bodies) == {b"{}"}


async def test_a_connection_carries_one_request_after_the_other() -> None:
    answer, application = await of_both_ways([REQUEST, REQUEST, REQUEST], until=3)
    assert answer.count(ANSWER) == 3
    assert application.went == [(True, True)] * 3


async def test_requests_that_do_not_wait_for_answers_are_answered_in_their_order() -> None:
    answer, application = await of_both_ways([REQUEST * 4], until=4)
    assert answer.count(ANSWER) == 4
    assert application.went == [(True, True)] * 4


async def test_a_body_that_comes_in_pieces_is_waited_for() -> None:
    _, application = await of_both_ways([REQUEST[:-1], REQUEST[-1:]])
    assert application.went == [(False, True)]
    assert set(application.bodies) <= {b"{}", b"}"}


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        HEAD + b"content-length: 0\r\n\r\n",
    ],
)
async def test_however_the_length_is_told_it_is_the_same(request_: bytes) -> None:
    _, application = await of_both_ways([request_])
    assert application.went == [(True, True)]


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\n{}",
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"content-length: 2\r\n\r\n{}",
        REQUEST.replace(b"POST", b"GET"),
        REQUEST.replace(b"POST", b"HEAD"),
    ],
)
async def test_a_connection_that_ends_and_another_method_go_the_long_way(request_: bytes) -> None:
    _, application = await of_both_ways([request_])
    assert application.went == [(True, False)]


async def test_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    head, body = HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n", b"{}"
    answer, application = await of_both_ways([head, body])
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert application.went == [(False, True)]


async def test_another_status_goes_the_long_way() -> None:
    answer, application = await of_both_ways([HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\n{}"], status=404)
    assert answer.startswith(b"HTTP/1.1 404")
    assert application.went == [(True, False)]


async def test_a_large_answer_is_whole_and_the_next_waits_until_it_was_taken() -> None:
    answer, application = await of_both_ways([REQUEST * 3], until=3, body=LARGE)
    assert answer.count(LARGE) == 3
    assert application.went[0] == (True, True)


async def test_headers_that_the_server_adds_are_there() -> None:
    async with listening(Application(), headers=[("x-added", "50% more")]) as port:
        assert b"\r\nx-added: 50% more\r\n" in await said(port, [REQUEST])


async def test_where_requests_are_logged_the_answer_goes_the_long_way() -> None:
    application = Application()
    async with listening(application, access_log=True, log_level="info") as port:
        await said(port, [REQUEST])
    assert application.went == [(True, False)]


async def test_after_the_short_way_it_is_heard_when_the_client_hangs_up() -> None:
    heard = asyncio.Event()

    async def waiting(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert whole_body(receive) == b"{}"
            assert (await receive())["type"] == "http.disconnect"
            assert not answered(send, ANSWER), "nobody is there"
            heard.set()

    async with listening(waiting) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        await asyncio.sleep(0.2)
        assert not heard.is_set()
        writer.close()
        await asyncio.wait_for(heard.wait(), 60)


async def test_a_channel_sends_a_usual_answer_the_short_way() -> None:
    async def answering(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await Channel(send, streams=False).finish(Reply(200, ANSWER))

    async with listening(answering) as port:
        by_channel = await said(port, [REQUEST])
    assert by_channel == (await of_both_ways([REQUEST]))[0]


async def test_another_server_is_asked_and_told_as_asgi_says() -> None:
    async def end(_event: Any = None) -> Any:
        raise AssertionError

    assert whole_body(end) is None
    assert not answered(end, ANSWER)


async def test_when_the_second_of_the_date_is_another_the_next_answer_says_so() -> None:
    application = Application()
    application.read, application.answer = SHORT
    async with listening(application) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        dates = set()
        for _ in range(3):
            writer.write(REQUEST)
            found = await reader.readuntil(ANSWER)
            dates.add(found.partition(b"date: ")[2].partition(b"\r\n")[0])
            await asyncio.sleep(1.2)
        writer.close()
    assert len(dates) > 1
    assert all(dates)
