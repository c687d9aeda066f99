"""One message to a server and what comes back, from a server whose answers are written here."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from core.sse import Event
from gateway import jsonrpc
from gateway.jsonrpc import Notification, Request, Response
from gateway.transport import (
    Interrupted,
    NoStream,
    Opened,
    SessionLost,
    Transport,
    UpstreamFailed,
    body_of,
    lines_of_post,
)
from tests.gateway.scripted import LIMITS, Got, Script, Scripted, hang, scripted, wire_client

pytestmark = pytest.mark.network

NOTE = {"method": "notifications/message", "params": {"level": "info"}}


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with wire_client() as client:
        yield Transport(client)


class Ear:
    """What was heard on the way, messages and marks in their order."""

    def __init__(self) -> None:
        self.heard: list[Request | Notification | tuple[str, int | None]] = []

    async def message(self, message: Request | Notification) -> None:
        self.heard.append(message)

    async def event(self, event: Event) -> None:
        self.heard.append((event.id, event.retry))


async def ask(
    transport: Transport, server: Scripted, script: Script | None, ear: Ear | None = None, *, in_session: bool = False
) -> Response:
    """Request 7, answered so."""
    if script is not None:
        server.scripts["tools/call"] = script
    heard = ear or Ear()
    return await transport.ask(
        server.url, jsonrpc.call_bytes(7, "tools/call", {}), {"x-own": "1"}, LIMITS, id_=7, in_session=in_session,
        on_message=heard.message, on_event=heard.event if ear is not None else None,
    )  # fmt: skip


async def failure(work: Awaitable[Any]) -> str:
    """The class of a failure."""
    with pytest.raises(UpstreamFailed) as failed:
        await work
    return failed.value.cls


def written(body: bytes, status: int = 200, content_type: str = "application/json", **headers: str) -> Script:
    """An answer just as it stands here."""

    async def script(got: Got) -> None:
        await got.answer(status, body, content_type, **headers)

    return script


def streamed(*events: bytes | dict[str, Any], close: bool = True) -> Script:
    """A stream of events: texts as they stand here, messages as events of their own."""

    async def script(got: Got) -> None:
        await got.begin()
        for event in events:
            if isinstance(event, bytes):
                got.writer.write(event)
            else:
                await got.say(**event)
        await got.writer.drain()
        if not close:
            await hang(got)

    return script


# --- one answer ---------------------------------------------------------------------------------------------------


async def test_a_request_is_posted_as_json_and_takes_both_kinds_of_answer(
    transport: Transport, server: Scripted
) -> None:
    await ask(transport, server, None)
    (got,) = server.got
    assert (got.method, got.body["method"], got.headers["x-own"]) == ("POST", "tools/call", "1")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["accept"] == "application/json, text/event-stream"


RAW = b'{ "a" : 1.10 , "n":18446744073709551616}'


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_a_result_comes_with_its_bytes(transport: Transport, server: Scripted, kind: str) -> None:
    body = b'{"jsonrpc":"2.0","id":7,"result":' + RAW + b"}"
    found = await ask(transport, server, written(body, content_type=kind))
    assert found.raw == RAW
    assert jsonrpc.dumps(found.result) == b'{"a":1.10,"n":18446744073709551616}'


@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_an_error_of_the_server_is_an_answer_with_any_status(
    transport: Transport, server: Scripted, status: int
) -> None:
    async def script(got: Got) -> None:
        await got.error(-32602, status=status)

    assert (await ask(transport, server, script)).error == {"code": -32602, "message": "No."}


async def test_a_refusal_of_a_message_that_was_not_read_is_an_answer(transport: Transport, server: Scripted) -> None:
    async def script(got: Got) -> None:
        await got.error(-32600, status=400, unread=True)

    found = await ask(transport, server, script)
    assert (found.id, found.error and found.error["code"]) == (None, -32600)


RESULT = b'{"jsonrpc":"2.0","id":7,"result":{}}'
FAILURES: dict[str, tuple[Script, str]] = {
    "another id": (written(RESULT.replace(b"7", b"8")), "protocol_error"),
    "an id of another type": (written(RESULT.replace(b"7", b'"7"')), "protocol_error"),
    "a result without an id": (written(RESULT.replace(b"7", b"null")), "protocol_error"),
    "a request": (written(b'{"jsonrpc":"2.0","id":7,"method":"ping"}'), "protocol_error"),
    "a notification": (written(b'{"jsonrpc":"2.0","method":"x"}'), "protocol_error"),
    "a result with a bad status": (written(RESULT, status=500), "protocol_error"),
    "a result elsewhere": (written(RESULT, status=302, location="http://127.0.0.1:9/"), "protocol_error"),
    "no JSON": (written(b"{"), "malformed"),
    "a key twice": (written(b'{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}'), "malformed"),
    "a key in another case": (written(b'{"jsonrpc":"2.0","id":7,"result":{},"Result":{}}'), "malformed"),
    "a batch": (written(b"[" + RESULT + b"]"), "malformed"),
    "129 levels": (written(b'{"jsonrpc":"2.0","id":7,"result":' + b"[" * 128 + b"]" * 128 + b"}"), "malformed"),
    "nothing": (written(b""), "protocol_error"),
    "a web page": (written(b"<html>", content_type="text/html"), "protocol_error"),
    "JSON by another name": (written(RESULT, content_type="text/json"), "protocol_error"),
    "a stream with a bad status": (written(b"data: x\n\n", status=500, content_type="text/event-stream"), "protocol_error"),
    "a demand for credentials": (written(RESULT, status=401), "needs_credentials"),
    "a prohibition": (written(RESULT, status=403), "needs_credentials"),
    "a status of no session": (written(b"", status=404), "protocol_error"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
async def test_everything_else_is_a_failure_with_a_class(transport: Transport, server: Scripted, name: str) -> None:
    script, cls = FAILURES[name]
    assert await failure(ask(transport, server, script)) == cls


async def open_(transport: Transport, server: Scripted, script: Script, ear: Ear | None = None) -> Opened:
    """What comes back to `initialize`, answered so."""
    server.scripts["initialize"] = script
    hear = (ear or Ear()).message
    return await transport.handshake(
        server.url, jsonrpc.call_bytes(7, "initialize", {}), LIMITS, id_=7, on_message=hear
    )


@pytest.mark.parametrize("name", FAILURES)
async def test_the_same_is_a_failure_where_a_session_is_opened(
    transport: Transport, server: Scripted, name: str
) -> None:
    script, cls = FAILURES[name]
    assert await failure(open_(transport, server, script)) == cls


async def test_an_answer_in_either_form_opens_a_session_whose_id_comes_with_it(
    transport: Transport, server: Scripted
) -> None:
    expected = Response(7, {}, raw=b"{}")
    assert await open_(transport, server, written(RESULT)) == Opened(expected, "")
    assert await open_(transport, server, written(RESULT, mcp_session_id="s-9")) == Opened(expected, "s-9")
    ear = Ear()
    assert (await open_(transport, server, streamed(NOTE, {"id": 7, "result": {}}), ear)).response.result == {}
    assert ear.heard == [Notification("notifications/message", {"level": "info"})]
    assert await failure(open_(transport, Scripted(url="http://127.0.0.1:1/mcp"), hang)) == "refused"


async def test_headers_that_were_written_before_are_posted_alike(transport: Transport, server: Scripted) -> None:
    body, own, ear = jsonrpc.call_bytes(7, "tools/call", {}), {"x-own": "1"}, Ear()
    server.scripts["tools/call"] = written(RESULT)
    for headers in (own, lines_of_post(own)):
        await transport.ask(server.url, body, headers, LIMITS, id_=7, on_message=ear.message)
    first, second = server.got
    assert (list(first.headers.items()), first.body) == (list(second.headers.items()), second.body)


async def test_no_server_is_a_failure_with_a_class(transport: Transport) -> None:
    assert await failure(ask(transport, Scripted(url="http://127.0.0.1:1/mcp"), None)) == "refused"
    assert await failure(ask(transport, Scripted(url="http://10.0.0.1/mcp"), None)) == "blocked"


async def test_a_server_s_own_words_about_its_failure_are_not_handed_on(transport: Transport, server: Scripted) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        await ask(transport, server, written(b"<b>secret</b>", status=500, content_type="text/html"))
    assert "secret" not in failed.value.sentence


async def test_a_session_is_lost_by_404_alone_and_only_in_one(transport: Transport, server: Scripted) -> None:
    with pytest.raises(SessionLost):
        await ask(transport, server, written(RESULT, status=404), in_session=True)
    for status in (400, 410, 500):
        assert await failure(ask(transport, server, written(b"", status=status), in_session=True)) == "protocol_error"


async def test_128_levels_are_read_and_a_long_answer_too(transport: Transport, server: Scripted) -> None:
    deep = b'{"jsonrpc":"2.0","id":7,"result":' + b"[" * 127 + b"]" * 127 + b"}"
    assert (await ask(transport, server, written(deep))).raw
    long = b'{"jsonrpc":"2.0","id":7,"result":{"x":"' + b"y" * 300_000 + b'"}}'
    assert len((await ask(transport, server, written(long))).result["x"]) == 300_000
    assert await failure(ask(transport, server, written(long[:-1] + b",}"))) == "malformed"


async def test_an_answer_of_too_many_values_is_refused_and_a_text_may_hold_any_marks(
    transport: Transport, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.transport.MAX_VALUES", 50)
    many = b'{"jsonrpc":"2.0","id":7,"result":{"x":[' + b"1," * 60 + b"1]}}"
    assert await failure(ask(transport, server, written(many))) == "too_many"
    text = b'{"jsonrpc":"2.0","id":7,"result":{"x":"' + b"," * 60 + b'"}}'
    assert (await ask(transport, server, written(text))).result == {"x": "," * 60}


# --- a stream -----------------------------------------------------------------------------------------------------


async def test_what_comes_before_the_answer_is_heard_in_its_order(transport: Transport, server: Scripted) -> None:
    ear = Ear()
    script = streamed(NOTE, {"id": "q", "method": "ping"}, {"id": 7, "result": {"a": 1}}, close=False)
    found = await ask(transport, server, script, ear)
    assert found.result == {"a": 1}
    assert ear.heard == [Notification(NOTE["method"], NOTE["params"]), Request("q", "ping", {})]  # type: ignore[arg-type]


async def test_ids_are_told_before_what_their_events_hold(transport: Transport, server: Scripted) -> None:
    async def script(got: Got) -> None:
        await got.begin()
        await got.event(None, id_="e-0", retry=100)
        await got.event(json.dumps({"jsonrpc": "2.0", **NOTE}).encode(), id_="e-1")
        await got.say(**NOTE)
        await got.event(RESULT, id_="e-2")

    ear = Ear()
    await ask(transport, server, script, ear)
    note = Notification("notifications/message", {"level": "info"})
    assert ear.heard == [("e-0", 100), ("e-1", None), note, note, ("e-2", None)]


async def test_a_stream_that_breaks_off_can_be_gone_on_with_where_it_has_ids(
    transport: Transport, server: Scripted
) -> None:
    async def script(got: Got) -> None:
        await got.begin()
        await got.event(None, id_="e-0")
        await got.event(None, id_="e-1")
        await got.say(**NOTE)

    with pytest.raises(Interrupted) as interrupted:
        await ask(transport, server, script, Ear())
    assert (interrupted.value.cls, interrupted.value.last) == ("ended", "e-1")


async def test_a_stream_that_breaks_off_is_over_where_nobody_goes_on_with_it(
    transport: Transport, server: Scripted
) -> None:
    for script, ear in ((streamed(b"id: e\ndata:\n\n", NOTE), None), (streamed(NOTE), Ear())):
        with pytest.raises(UpstreamFailed) as failed:
            await ask(transport, server, script, ear)
        assert (failed.value.cls, type(failed.value)) == ("ended", UpstreamFailed)


STREAM_FAILURES: dict[str, tuple[Script, str]] = {
    "the answer to another": (streamed({"id": 8, "result": {}}), "protocol_error"),
    "an event that is no JSON": (streamed(b"data: {\n\n"), "malformed"),
    "a batch": (streamed(b"data: [" + RESULT + b"]\n\n"), "malformed"),
    "an unfinished event": (streamed(b"data: " + RESULT + b"\n"), "ended"),
    "an event of another name": (streamed(b"event: result\ndata: " + RESULT + b"\n\n"), "ended"),
    "nothing": (streamed(), "ended"),
}


@pytest.mark.parametrize("name", STREAM_FAILURES)
async def test_everything_else_on_a_stream_is_a_failure(transport: Transport, server: Scripted, name: str) -> None:
    script, cls = STREAM_FAILURES[name]
    assert await failure(ask(transport, server, script, Ear())) == cls


async def test_a_server_does_not_talk_without_end(
    transport: Transport, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.transport.MAX_MESSAGES", 3)
    answer = {"id": 7, "result": {}}
    assert (await ask(transport, server, streamed(*[NOTE] * 3, answer))).result == {}
    assert await failure(ask(transport, server, streamed(*[NOTE] * 4, answer))) == "too_many"


async def test_an_event_beyond_the_limit_is_refused(transport: Transport, server: Scripted) -> None:
    assert await failure(ask(transport, server, streamed(b"data: " + b"x" * 4_100_000 + b"\n\n"))) == "too_large"


# --- notes, streams of their own, ends ----------------------------------------------------------------------------


async def notify(transport: Transport, server: Scripted, script: Script) -> None:
    """A message that has no answer, answered so."""
    server.scripts["notifications/x"] = script
    await transport.notify(server.url, jsonrpc.notification_bytes("notifications/x"), {}, LIMITS)


@pytest.mark.parametrize("script", [written(b"", 202), written(b"", 204), written(b"", 200), written(b"ok", 200)])
async def test_a_note_is_delivered_once_the_server_took_it(
    transport: Transport, server: Scripted, script: Script
) -> None:
    await notify(transport, server, script)


async def test_a_note_that_the_server_did_not_take_is_a_failure(transport: Transport, server: Scripted) -> None:
    with pytest.raises(SessionLost):
        await notify(transport, server, written(b"", 404))
    for status in (302, 307, 400, 500):
        assert await failure(notify(transport, server, written(b"", status))) == "protocol_error"


async def listen(
    transport: Transport, server: Scripted, script: Script | None, ear: Ear, until: int | None = None
) -> Response | None:
    """The server's own stream, which is so."""
    if script is not None:
        server.scripts["GET"] = script
    return await transport.listen(
        server.url, {"last-event-id": "e-0"}, LIMITS, on_message=ear.message, on_event=ear.event, until=until
    )


async def test_a_servers_own_stream_is_heard_to_its_end(transport: Transport, server: Scripted) -> None:
    ear = Ear()
    assert await listen(transport, server, streamed(b"id: e\ndata:\n\n", NOTE), ear) is None
    assert ear.heard == [("e", None), Notification("notifications/message", {"level": "info"})]
    (got,) = server.of("GET")
    assert (got.headers["accept"], got.headers["last-event-id"]) == ("text/event-stream", "e-0")
    assert "content-type" not in got.headers


async def test_a_stream_is_gone_on_with_to_the_answer_that_is_awaited(transport: Transport, server: Scripted) -> None:
    answer = {"id": 7, "result": {"a": 1}}
    found = await listen(transport, server, streamed(NOTE, answer, close=False), Ear(), until=7)
    assert found is not None
    assert found.result == {"a": 1}
    assert await failure(listen(transport, server, streamed(answer), Ear())) == "protocol_error"
    assert await failure(listen(transport, server, streamed(answer), Ear(), until=8)) == "protocol_error"
    with pytest.raises(Interrupted):
        await listen(transport, server, streamed(b"id: e\ndata:\n\n"), Ear(), until=7)


async def test_a_server_without_a_stream_says_so(transport: Transport, server: Scripted) -> None:
    with pytest.raises(NoStream):
        await listen(transport, server, None, Ear())
    with pytest.raises(SessionLost):
        await listen(transport, server, written(b"", 404), Ear())
    bad: list[Callable[[], Script]] = [lambda: written(RESULT), lambda: written(b"", 500), lambda: written(b"", 401)]
    for script in bad:
        assert await failure(listen(transport, server, script(), Ear())) == "protocol_error"


@pytest.mark.parametrize("status", [200, 204, 404, 405, 500])
async def test_a_server_need_not_agree_to_the_end_of_a_session(
    transport: Transport, server: Scripted, status: int
) -> None:
    server.scripts["DELETE"] = written(b"", status)
    await transport.end_session(server.url, {"mcp-session-id": "s-1"}, LIMITS)
    assert [got.session for got in server.of("DELETE")] == ["s-1"]


async def test_a_session_with_no_server_cannot_be_ended(transport: Transport) -> None:
    assert await failure(transport.end_session("http://127.0.0.1:1/mcp", {}, LIMITS)) == "refused"


# --- what is released ---------------------------------------------------------------------------------------------


def test_a_released_result_is_the_servers_own_bytes_where_it_is_the_very_same() -> None:
    result = {"a": 1}
    response = Response(7, result=result, raw=b'{ "a":1 }')
    assert body_of(result, response) == b'{ "a":1 }'
    assert body_of({"a": 1}, response) == b'{"a":1}'
    assert body_of(result, Response(7, result=result)) == b'{"a":1}'
