"""The way to servers, against one that misbehaves in every way we could think of."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import httpx2
import pytest

from core.outbound import OutboundLimits, OutboundPolicy, outbound_client
from gateway.protocol import Wire
from gateway.transport import UpstreamFailed
from gateway.upstream import Outgoing, Upstream
from tests.fixtures_mcp.processes import HonestServer, hostile_server

pytestmark = pytest.mark.network

HANDSHAKE = Wire(modern=False, version="2025-11-25")
MODERN = Wire(modern=True, version="2026-07-28")
LIMITS = OutboundLimits(
    head_seconds=1, total_seconds=2, idle_seconds=1, lifetime_seconds=2, body_bytes=4_000_000, event_bytes=4_000_000
)


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    with hostile_server() as base:
        yield base


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    policy = OutboundPolicy(allow=(ip_network("127.0.0.0/8"),))
    async with outbound_client(policy, LIMITS) as client:
        made = Upstream(client)
        yield made
        await made.close()


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
    hostile: str, upstream: Upstream, name: str
) -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamFailed) as failed:
        await upstream.send(Outgoing(f"{hostile}/mcp/{name}", HANDSHAKE, "tools/list", {}, owner="a"))
    assert failed.value.cls == FAILURES[name]
    assert time.monotonic() - started < 6
    assert "Traceback" not in failed.value.sentence


async def test_a_storm_of_notifications_ends(hostile: str, upstream: Upstream) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        await upstream.send(Outgoing(f"{hostile}/mcp/notification-storm", HANDSHAKE, "tools/list", {}, owner="a"))
    assert failed.value.cls in ("too_many", "timeout")


@pytest.mark.parametrize("name", ["events-in-pieces", "two-responses"])
async def test_the_first_answer_on_a_stream_is_the_answer(hostile: str, upstream: Upstream, name: str) -> None:
    response = await upstream.send(Outgoing(f"{hostile}/mcp/{name}", HANDSHAKE, "tools/list", {}, owner="a"))
    assert response.result["tools"][0]["name"] in ("streamed", "first")


async def test_an_error_of_the_server_is_an_answer(hostile: str, upstream: Upstream) -> None:
    response = await upstream.send(Outgoing(f"{hostile}/mcp/list-error", HANDSHAKE, "tools/list", {}, owner="a"))
    assert response.error == {"code": -32603, "message": "<script>no</script>"}


async def test_big_numbers_of_an_answer_stay_exact(hostile: str, upstream: Upstream) -> None:
    response = await upstream.send(Outgoing(f"{hostile}/mcp/well-behaved", HANDSHAKE, "tools/list", {}, owner="a"))
    assert response.result["tools"][1]["inputSchema"]["properties"]["n"]["maximum"] == 2**64 - 1


async def test_callers_who_come_at_once_share_no_handshake_with_others(hostile: str, upstream: Upstream) -> None:
    url = f"{hostile}/mcp/well-behaved"
    sent = [upstream.send(Outgoing(url, HANDSHAKE, "tools/list", {}, owner=str(n % 3))) for n in range(9)]
    assert len(await asyncio.gather(*sent)) == 9
    assert set(upstream._sessions._open) == {(url, "0"), (url, "1"), (url, "2")}


async def test_cancelling_leaves_nothing_behind(hostile: str, upstream: Upstream) -> None:
    task = asyncio.create_task(upstream.send(Outgoing(f"{hostile}/mcp/hang", MODERN, "tools/list", {}, owner="a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not upstream._notes


async def test_a_server_that_forgot_a_session_gets_another(
    upstream: Upstream, servers: dict[str, HonestServer]
) -> None:
    server = servers["handshake"]
    call = Outgoing(server.url, HANDSHAKE, "tools/call", {"name": "echo", "arguments": {"text": "x"}}, owner="a")
    assert (await upstream.send(call)).error is None
    (before,) = upstream._sessions._open.values()
    async with httpx2.AsyncClient() as client:
        assert (await client.delete(server.url, headers=before.headers())).status_code == 200
    assert (await upstream.send(call)).error is None
    (after,) = upstream._sessions._open.values()
    assert after.id != before.id


async def test_sessions_are_ended_with_their_caller(upstream: Upstream, servers: dict[str, HonestServer]) -> None:
    call = Outgoing(servers["handshake"].url, HANDSHAKE, "tools/list", {}, owner="a")
    await upstream.send(call)
    (session,) = upstream._sessions._open.values()
    upstream.forget("a")
    await upstream.close()
    async with httpx2.AsyncClient() as client:
        answer = await client.delete(call.url, headers=session.headers())
    assert answer.status_code == 404
