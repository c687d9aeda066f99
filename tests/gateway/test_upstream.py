"""The way to servers, against one that misbehaves in every way we could think of."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from core.sse import Event
from core.wire import WireLimits
from core.wire_message import Lines
from gateway import jsonrpc
from gateway.errors import METHOD_NOT_FOUND
from gateway.jsonrpc import Notification, Request
from gateway.transport import Interrupted, Transport, UpstreamFailed
from gateway.upstream import NOTES_AT_ONCE, Outgoing, Upstream, _headers, declined, without_token
from gateway.upstream_sessions import UpstreamSession
from tests.fixtures_mcp.processes import HonestServer, hostile_server
from tests.gateway.admitting import HANDSHAKE, MODERN
from tests.gateway.scripted import SECONDS, Got, Script, Scripted, hang, scripted, wire_client

pytestmark = pytest.mark.network

# For servers that only time ends.
QUICK = WireLimits(
    head_seconds=1, total_seconds=2, idle_seconds=1, lifetime_seconds=2, body_bytes=4_000_000, event_bytes=4_000_000
)
# Where something else is to end it: a machine that stands still for a moment must not.
LIMITS = WireLimits(
    connect_seconds=60, head_seconds=60, total_seconds=60, idle_seconds=60, lifetime_seconds=60, body_bytes=4_000_000,
    event_bytes=4_000_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    with hostile_server() as base:
        yield base


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with wire_client() as client:
        made = Upstream(Transport(client))
        yield made
        await made.close()


@pytest.fixture(autouse=True)
def _sessions_are_opened_within_the_same_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.upstream_sessions._LIMITS", LIMITS)
    monkeypatch.setattr("gateway.upstream_sessions._PARTING_SECONDS", 60.0)
    monkeypatch.setattr("gateway.upstream.NOTE_SECONDS", 60.0)


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made


def listing(url: str, owner: str = "a") -> Outgoing:
    """A request for tools in a session of this process's own."""
    return Outgoing(url, HANDSHAKE, "tools/list", {}, owner=owner, limits=LIMITS)


FAILURES = {
    "wrong-id": "protocol_error",
    "wrong-id-events": "protocol_error",
    "two-documents": "malformed",
    "batch": "malformed",
    "case-variant": "malformed",
    "stream-without-answer": "ended",
    "accepted": "malformed",
    "huge-description": "too_large",
    "html": "protocol_error",
    "404": "protocol_error",
    "401": "needs_credentials",
    "403": "needs_credentials",
    "500": "protocol_error",
    "other-json": "malformed",
    "redirect": "protocol_error",
    "gigabyte": "too_large",
    "gzip": "protocol_error",
    "drip": "timeout",
    "drip-head": "timeout",
    "big-header": "too_large",
    "not-http": "protocol_error",
    "closed": "protocol_error",
    "reset": "protocol_error",
    "hang": "timeout",
    "idle-events": "timeout",
    "endless-event": "too_large",
    "initialize-refused": "protocol_error",
    "unknown-version": "protocol_error",
    "bad-session": "protocol_error",
    **dict.fromkeys(
        [
            "invalid-utf8",
            "deep",
            "very-deep",
            "duplicate-keys",
            "nan",
            "infinite",
            "long-number",
            "surrogate",
            "truncated",
        ],
        "malformed",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_misbehaving_server_fails_in_bounded_time_with_a_class(
    hostile: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    limits = QUICK if FAILURES[name] == "timeout" else LIMITS
    monkeypatch.setattr("gateway.upstream_sessions._LIMITS", limits)
    started = time.monotonic()
    with pytest.raises(UpstreamFailed) as failed:
        await upstream.send(replace(listing(f"{hostile}/mcp/{name}"), limits=limits))
    assert failed.value.cls == FAILURES[name]
    assert time.monotonic() - started < 30  # what is not bounded goes on for ever
    assert "Traceback" not in failed.value.sentence


async def test_a_storm_of_notifications_ends(hostile: str, upstream: Upstream) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        await upstream.send(listing(f"{hostile}/mcp/notification-storm"))
    assert failed.value.cls in ("too_many", "timeout")


@pytest.mark.parametrize("name", ["events-in-pieces", "two-responses"])
async def test_the_first_answer_on_a_stream_is_the_answer(hostile: str, upstream: Upstream, name: str) -> None:
    response = await upstream.send(listing(f"{hostile}/mcp/{name}"))
    assert response.result["tools"][0]["name"] in ("streamed", "first")


async def test_an_error_of_the_server_is_an_answer(hostile: str, upstream: Upstream) -> None:
    response = await upstream.send(listing(f"{hostile}/mcp/list-error"))
    assert response.error == {"code": -32603, "message": "<script>no</script>"}


async def test_big_numbers_of_an_answer_stay_exact(hostile: str, upstream: Upstream) -> None:
    response = await upstream.send(listing(f"{hostile}/mcp/well-behaved"))
    assert response.result["tools"][1]["inputSchema"]["properties"]["n"]["maximum"] == 2**64 - 1


# --- sessions of this process's own -------------------------------------------------------------------------------


async def test_callers_who_come_at_once_share_no_handshake_with_others(upstream: Upstream, server: Scripted) -> None:
    sent = [upstream.send(listing(server.url, str(n % 3))) for n in range(9)]
    found = [response.result["session"] for response in await asyncio.gather(*sent)]
    assert [found[:3], found[3:6], found[6:]] == [found[:3]] * 3
    assert len(set(found)) == len(server.of("initialize")) == 3


async def test_a_server_that_forgot_a_session_gets_another(
    upstream: Upstream, servers: dict[str, HonestServer]
) -> None:
    server = servers["handshake"]
    call = replace(listing(server.url), method="tools/call", params={"name": "echo", "arguments": {"text": "x"}})
    assert (await upstream.send(call)).error is None
    (before,) = upstream._local._open.values()
    async with httpx2.AsyncClient(timeout=60) as client:
        assert (await client.delete(server.url, headers=before.headers())).status_code == 200
    assert (await upstream.send(call)).error is None
    (after,) = upstream._local._open.values()
    assert after.id != before.id


async def test_a_server_that_forgets_every_session_is_not_asked_for_ever(upstream: Upstream, server: Scripted) -> None:
    async def forgets(got: Got) -> None:
        await got.answer(404)

    server.scripts["tools/list"] = forgets
    with pytest.raises(UpstreamFailed) as failed:
        await upstream.send(listing(server.url))
    assert failed.value.cls == "session_lost"
    assert len(server.of("tools/list")) == len(server.of("initialize")) == 2


async def test_a_request_that_was_refused_unread_is_not_repeated_and_the_next_one_opens_a_session(
    upstream: Upstream, server: Scripted
) -> None:
    """Some servers answer 400 for a session that they forgot; others mean something else by it."""

    async def refuses(got: Got) -> None:
        await got.error(-32600, status=400, unread=True)

    server.scripts["tools/list"] = refuses
    assert (await upstream.send(listing(server.url))).error is not None
    assert len(server.of("tools/list")) == 1
    del server.scripts["tools/list"]
    assert (await upstream.send(listing(server.url))).result["session"] == "s-2"


async def test_a_look_that_was_refused_leaves_its_caller_the_session(upstream: Upstream, server: Scripted) -> None:
    async def refuses(got: Got) -> None:
        await got.error(-32600, status=400, unread=True)

    server.scripts["tools/list"] = refuses
    await upstream.send(replace(listing(server.url), looking=True))
    del server.scripts["tools/list"]
    assert (await upstream.send(listing(server.url))).result["session"] == "s-1"


class Sessions:
    """Sessions that a test hands in, and what became of them."""

    def __init__(self, *ids: str, version: str = "2025-06-18") -> None:
        self._ids = list(ids)
        self._version = version
        self.lost_ids: list[str] = []
        self.is_known = False

    def known(self, url: str) -> UpstreamSession | None:
        return UpstreamSession(url, "a", self._ids[0], self._version) if self.is_known else None

    async def get(self, url: str) -> UpstreamSession:
        return UpstreamSession(url, "a", self._ids[0], self._version)

    async def lost(self, session: UpstreamSession) -> None:
        self.lost_ids.append(self._ids.pop(0))


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_request_goes_in_the_session_that_it_is_given_and_in_the_next_when_that_is_lost(
    upstream: Upstream, server: Scripted, *, is_known: bool
) -> None:
    server.forgotten.add("mine-1")
    sessions = Sessions("mine-1", "mine-2")
    sessions.is_known = is_known
    found = await upstream.send(replace(listing(server.url), sessions=sessions))
    assert (found.result["session"], sessions.lost_ids) == ("mine-2", ["mine-1"])
    assert server.got[-1].headers["mcp-protocol-version"] == "2025-06-18"
    assert not server.of("initialize")


async def test_sessions_are_ended_with_the_process(upstream: Upstream, servers: dict[str, HonestServer]) -> None:
    await upstream.send(listing(servers["handshake"].url))
    (session,) = upstream._local._open.values()
    await upstream.close()
    async with httpx2.AsyncClient(timeout=60) as client:
        answer = await client.delete(session.url, headers=session.headers())
    assert answer.status_code == 404


# --- what is sent -------------------------------------------------------------------------------------------------

CALL: dict[str, Any] = {
    "name": "écho", "arguments": {"a": 1},
    "_meta": {"progressToken": "theirs", "traceparent": "theirs", "example.org/kept": 1},
}  # fmt: skip


async def test_a_request_of_the_modern_era_says_who_asks_and_for_what(upstream: Upstream, server: Scripted) -> None:
    async def script(got: Got) -> None:
        await got.result({"resultType": "complete"})

    server.scripts["tools/call"] = script
    call = Outgoing(
        server.url, MODERN, "tools/call", CALL, owner="a", headers={"mcp-param-a": "1"}, progress=True,
        capabilities={"roots": {}}, trace={"traceparent": "ours"}, limits=LIMITS,
    )  # fmt: skip
    await upstream.send(call)
    await upstream.send(replace(call, method="tools/list", params={}, progress=False, headers={}))
    got, listed = server.got
    body = got.body
    meta = body["params"].pop("_meta")
    assert body == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "écho", "arguments": {"a": 1}},
    }
    assert (meta.pop("progressToken"), meta.pop("traceparent"), meta.pop("example.org/kept")) == (1, "ours", 1)
    assert meta.pop("io.modelcontextprotocol/clientCapabilities") == {"roots": {}}
    assert meta == {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "holdfast-gateway", "version": "1"},
    }
    assert (got.headers["mcp-method"], got.headers["mcp-protocol-version"]) == ("tools/call", "2026-07-28")
    assert (got.headers["mcp-name"], got.headers["mcp-param-a"]) == ("=?base64?w6ljaG8=?=", "1")
    assert "mcp-session-id" not in got.headers
    assert "mcp-name" not in listed.headers
    assert (listed.body["id"], "progressToken" in listed.body["params"]["_meta"]) == (2, False)


@pytest.mark.parametrize("name", ["read", "écho", "", " a", "a\r\nx-evil: 1", 7, None])
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "tools/list"])
async def test_headers_that_were_written_before_are_those_that_would_be_written_now(
    upstream: Upstream, server: Scripted, method: str, name: Any
) -> None:
    call = Outgoing(server.url, MODERN, method, {"name": name}, owner="a", limits=LIMITS)
    with_own = replace(call, headers={"x-own": "1"})
    for outgoing in (with_own, call, call):
        await upstream.send(outgoing)
    fresh, *others = (list(got.headers.items()) for got in server.got)
    fresh.remove(("x-own", "1"))
    assert others == [fresh, fresh]


async def test_a_uri_or_the_id_of_a_task_is_not_remembered() -> None:
    def told(method: str, params: Mapping[str, Any]) -> bool:
        return isinstance(_headers(Outgoing("", MODERN, method, params, owner="a")), Lines)

    assert told("tools/call", {"name": "read"})
    assert told("prompts/get", {"name": "read"})
    assert not told("resources/read", {"uri": "file:///mine"})
    assert not told("tasks/get", {"taskId": "mine"})


async def test_a_request_in_a_session_says_nothing_that_its_era_does_not_know(
    upstream: Upstream, server: Scripted
) -> None:
    await upstream.send(replace(listing(server.url), method="tools/call", params=CALL, progress=True))
    got = server.got[-1]
    assert got.body["params"] == {
        "name": "écho", "arguments": {"a": 1}, "_meta": {"progressToken": got.body["id"], "example.org/kept": 1},
    }  # fmt: skip
    assert not {"mcp-method", "mcp-name"} & set(got.headers)
    await upstream.send(listing(server.url))
    assert server.got[-1].body["params"] == {}


@pytest.mark.parametrize("session_id", ["s-1", ""])
async def test_headers_of_a_session_that_were_written_before_are_those_that_would_be_written_now(
    upstream: Upstream, server: Scripted, session_id: str
) -> None:
    call = replace(listing(server.url), sessions=Sessions(session_id))
    with_own = replace(call, headers={"x-own": "1"})
    for outgoing in (with_own, call, call, replace(call, sessions=Sessions("another"))):
        await upstream.send(outgoing)
    fresh, *others, another = (list(got.headers.items()) for got in server.got)
    fresh.remove(("x-own", "1"))
    assert others == [fresh, fresh]
    assert dict(fresh).get("mcp-session-id", "") == session_id
    assert dict(another) == {**dict(fresh), "mcp-session-id": "another"}


async def test_a_version_that_somebody_wrote_into_a_session_s_row_writes_no_header(
    upstream: Upstream, server: Scripted
) -> None:
    for headers in ({}, {"x-own": "1"}):
        for _ in range(2):
            evil = Sessions("s-1", version="2025-06-18\r\nx-evil: 1")
            with pytest.raises(UpstreamFailed) as failed:
                await upstream.send(replace(listing(server.url), sessions=evil, headers=headers))
            assert failed.value.cls == "blocked"
    assert not server.got


# --- what is heard ------------------------------------------------------------------------------------------------


class Listener:
    """Keeps what it hears. `answer`: what a question is answered at once."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.heard: list[Any] = []
        self._answer = answer

    async def notified(self, notification: Notification) -> None:
        self.heard.append(notification.method)

    async def progressed(self, params: Mapping[str, Any]) -> None:
        self.heard.append(params)

    async def asked(self, request: Request, session: UpstreamSession | None) -> bytes | None:
        self.heard.append((request.method, session.id if session else None))
        return self._answer

    async def marked(self, event: Event, request_id: int) -> None:
        self.heard.append((event.id, request_id))


def says(*messages: dict[str, Any]) -> Script:
    """Messages before the answer."""

    async def script(got: Got) -> None:
        await got.begin()
        for message in messages:
            await got.say(**message)
        await got.say(id=got.body["id"], result={})

    return script


def progress(token: Any, **params: Any) -> dict[str, Any]:
    """A notice of progress."""
    return {"method": "notifications/progress", "params": {"progressToken": token, "progress": 1, **params}}


async def test_progress_is_heard_of_ones_own_request_alone(upstream: Upstream, server: Scripted) -> None:
    tokens = [1, 3, "2", None, 2.5, [2], {"a": 2}]
    server.scripts["tools/list"] = says(*map(progress, tokens), progress(2, total=5, message="m", other="x"))
    listener = Listener()
    await upstream.send(replace(listing(server.url), listener=listener, progress=True))
    assert server.of("tools/list")[0].body["id"] == 2
    assert listener.heard == [{"progress": 1, "total": 5, "message": "m"}]
    assert without_token({"progressToken": 1}) == {}


async def test_that_a_list_changed_is_told_to_whoever_looks_and_whoever_listens(
    upstream: Upstream, server: Scripted
) -> None:
    note = {"method": "notifications/tools/list_changed"}
    server.scripts["tools/list"] = says(note, {"method": "notifications/message", "params": {}}, note)
    listener, changes = Listener(), []
    call = replace(listing(server.url), listener=listener, changed=lambda: changes.append(1))
    await upstream.send(call)
    assert listener.heard == [note["method"], "notifications/message", note["method"]]
    await upstream.send(replace(call, listener=None))
    assert len(changes) == 4


async def test_what_a_server_asks_is_answered_in_its_session(upstream: Upstream, server: Scripted) -> None:
    question = {"id": "q-1", "method": "roots/list"}
    server.scripts["tools/list"] = says(question)
    answer = jsonrpc.result_bytes("q-1", b'{"roots":[]}')
    listener = Listener(answer)
    await upstream.send(replace(listing(server.url), listener=listener))
    (got,) = await server.until("")
    assert (got.raw, got.session, listener.heard) == (answer, "s-1", [("roots/list", "s-1")])
    await upstream.send(replace(listing(server.url), listener=Listener(None)))
    await upstream.close()
    assert len(server.of("")) == 1, "somebody else answers later"


async def test_nobody_is_asked_where_nobody_listens(upstream: Upstream, server: Scripted) -> None:
    server.scripts["tools/list"] = says({"id": "q-1", "method": "roots/list"}, {"id": 0, "method": "ping"})
    await upstream.send(listing(server.url))
    told = {got.body["id"]: got.body for got in await server.until("", 2)}
    assert told["q-1"]["error"]["code"] == METHOD_NOT_FOUND
    assert told[0]["result"] == {}
    assert jsonrpc.parse(declined(Request("x", "sampling/createMessage"))).error is not None  # type: ignore[union-attr]


async def test_a_server_that_asks_without_end_takes_no_more_connections_than_it_may(
    upstream: Upstream, server: Scripted
) -> None:
    """Answers to it wait for it; calls of other servers must not wait with them."""
    server.scripts["tools/list"] = says(*({"id": n, "method": "ping"} for n in range(10 * NOTES_AT_ONCE)))
    server.scripts[""] = hang
    await upstream.send(listing(server.url))
    await server.until("", NOTES_AT_ONCE)
    async with scripted() as other:
        assert (await upstream.send(listing(other.url))).result["session"] == "s-1"
        upstream.later(other.url, jsonrpc.notification_bytes("notifications/x"), None)
        await other.until("notifications/x")
    assert len(server.of("")) == NOTES_AT_ONCE


async def test_ids_of_events_are_told_in_a_session_alone(upstream: Upstream, server: Scripted) -> None:
    async def script(got: Got) -> None:
        await got.begin()
        await got.event(None, id_="e-0")
        await got.say(id=got.body["id"], result={})

    server.scripts["tools/list"] = script
    in_session, without = Listener(), Listener()
    await upstream.send(replace(listing(server.url), listener=in_session))
    await upstream.send(replace(listing(server.url), listener=without, wire=MODERN))
    assert (in_session.heard, without.heard) == ([("e-0", 2)], [])


# --- streams that are gone on with --------------------------------------------------------------------------------

SESSION = UpstreamSession("", "a", "s-9", "2025-11-25")


async def go_on(upstream: Upstream, server: Scripted, listener: Listener | None = None) -> Any:
    """The answer of request 41, from event `e-3` on."""
    return (await upstream.go_on(replace(listing(server.url), listener=listener), SESSION, "e-3", 41)).result


async def test_an_answer_is_found_on_the_stream_that_is_gone_on_with(upstream: Upstream, server: Scripted) -> None:
    async def script(got: Got) -> None:
        await got.begin()
        await got.event(None, id_="e-4")
        await got.say(**progress(41))
        await got.say(id=41, result={"a": 1})

    server.scripts["GET"] = script
    listener = Listener()
    assert await go_on(upstream, server, listener) == {"a": 1}
    assert listener.heard == [("e-4", 41), {"progress": 1}]
    (got,) = server.got
    assert (got.session, got.headers["last-event-id"]) == ("s-9", "e-3")


async def test_a_stream_that_cannot_be_gone_on_with_is_a_failure(upstream: Upstream, server: Scripted) -> None:
    async def ends(got: Got) -> None:
        await got.begin()

    async def breaks(got: Got) -> None:
        await got.begin()
        await got.event(None, id_="e-4")

    for script, kind, cls in ((None, UpstreamFailed, "session_lost"), (ends, UpstreamFailed, "ended"), (breaks, Interrupted, "ended")):  # fmt: skip
        if script is not None:
            server.scripts["GET"] = script
        with pytest.raises(kind) as failed:
            await go_on(upstream, server, Listener())
        assert failed.value.cls == cls
    server.forgotten.add("s-9")
    with pytest.raises(UpstreamFailed) as lost:
        await go_on(upstream, server)
    assert lost.value.cls == "session_lost"


# --- cancelling ---------------------------------------------------------------------------------------------------


async def cancelled(upstream: Upstream, server: Scripted, outgoing: Outgoing) -> Got:
    """A request that is cancelled once it has arrived."""
    server.scripts[outgoing.method] = hang
    task = asyncio.create_task(upstream.send(outgoing))
    (got,) = await server.until(outgoing.method)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return got


async def test_a_server_is_told_in_its_session_that_a_request_is_cancelled(
    upstream: Upstream, server: Scripted
) -> None:
    got = await cancelled(upstream, server, listing(server.url))
    (note,) = await server.until("notifications/cancelled")
    assert (note.body["params"], note.session) == ({"requestId": got.body["id"]}, "s-1")


async def test_in_the_modern_era_hanging_up_says_it(upstream: Upstream, server: Scripted) -> None:
    got = await cancelled(upstream, server, replace(listing(server.url), wire=MODERN))
    async with asyncio.timeout(SECONDS):
        await got.left.wait()
    assert not upstream._notes
    assert len(server.got) == 1


async def test_cancelling_leaves_nothing_behind(hostile: str, upstream: Upstream) -> None:
    task = asyncio.create_task(upstream.send(replace(listing(f"{hostile}/mcp/hang"), wire=MODERN)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not upstream._notes


async def test_a_note_that_cannot_be_delivered_troubles_nobody(
    upstream: Upstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.NOTE_SECONDS", 0.05)
    server.scripts["notifications/x"] = hang
    note = jsonrpc.notification_bytes("notifications/x")
    for url in ("http://127.0.0.1:1/mcp", server.url):
        upstream.later(url, note, None)
    async with asyncio.timeout(SECONDS):
        while upstream._notes:
            await asyncio.wait({task for notes in upstream._notes.values() for task in notes.tasks})


async def test_notes_that_come_all_at_once_are_delivered_one_after_the_other(
    upstream: Upstream, server: Scripted
) -> None:
    for _ in range(4 * NOTES_AT_ONCE):
        upstream.later(server.url, jsonrpc.notification_bytes("notifications/cancelled"), None)
    await server.until("notifications/cancelled", 4 * NOTES_AT_ONCE)


async def test_notes_do_not_pile_up_for_a_server_that_takes_none(
    upstream: Upstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.NOTES_WAITING", 3)
    server.scripts["notifications/x"] = hang
    for _ in range(10):
        upstream.later(server.url, jsonrpc.notification_bytes("notifications/x"), None)
    await server.until("notifications/x", 3)
    await upstream.close()
    assert len(server.of("notifications/x")) == 3
