"""The outbound client against real sockets: it reaches only what it may, and nothing holds it for long."""

import asyncio
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from core.outbound import OutboundError, Refusal, outbound_client, policy_from_settings
from tests.core.exchanges import LOOPBACK, PATIENT, QUICK, failure, get
from tests.fixtures_mcp.processes import honest_server, hostile_server

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The misbehaving server's base URL."""
    with hostile_server() as base:
        yield base


def test_redirect_to_metadata_is_not_followed_and_blocked_when_followed(hostile: str) -> None:
    url = f"{hostile}/http/redirect?to=http://169.254.169.254/"
    assert get(url).status_code == 302

    async def run() -> None:
        async with outbound_client(LOOPBACK, PATIENT) as client:
            await client.get(url, follow_redirects=True)

    with pytest.raises(OutboundError) as caught:
        asyncio.run(run())
    assert caught.value.cls is Refusal.BLOCKED


MISBEHAVIOURS = {
    "gigabyte": Refusal.TOO_LARGE,
    "gzip": Refusal.PROTOCOL_ERROR,
    "drip": Refusal.TIMEOUT,
    "drip-head": Refusal.TIMEOUT,
    "big-header": Refusal.TOO_LARGE,
    "many-headers": Refusal.TOO_LARGE,
    "some-headers": Refusal.TOO_LARGE,
    "endless-continue": Refusal.TIMEOUT,
    "not-http": Refusal.PROTOCOL_ERROR,
    "closed": Refusal.PROTOCOL_ERROR,
    "reset": Refusal.PROTOCOL_ERROR,
    "hang": Refusal.TIMEOUT,
    "idle-events": Refusal.TIMEOUT,
    "busy-events": Refusal.TIMEOUT,
    "endless-event": Refusal.TOO_LARGE,
}


@pytest.mark.parametrize(("name", "cls"), MISBEHAVIOURS.items(), ids=MISBEHAVIOURS.keys())
def test_misbehaviour_ends_in_bounded_time_and_memory(hostile: str, name: str, cls: Refusal) -> None:
    tracemalloc.start()
    started = time.monotonic()
    try:
        error = failure(f"{hostile}/http/{name}", limits=QUICK if cls is Refusal.TIMEOUT else PATIENT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.cls is cls
    assert time.monotonic() - started < 30  # what is not bounded goes on for ever
    assert peak < 20_000_000


def test_sentence_repeats_nothing_of_the_other_side(hostile: str) -> None:
    for name in MISBEHAVIOURS:
        if name not in ("hang", "drip"):
            assert "xxx" not in failure(f"{hostile}/http/{name}", limits=QUICK).sentence


def test_environment_proxies_are_not_asked(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert get(f"{hostile}/http/ok").text == "fine"


def test_one_answers_cookie_does_not_travel_with_the_next_request(hostile: str) -> None:
    async def run() -> dict[str, str]:
        async with outbound_client(LOOPBACK, PATIENT) as client:
            await client.get(f"{hostile}/http/ok")
            headers: dict[str, str] = (await client.get(f"{hostile}/http/echo-headers")).json()
            return headers

    headers = asyncio.run(run())
    assert "cookie" not in headers
    assert headers["accept-encoding"] == "identity"


def test_client_is_reusable_by_many_requests_at_once(hostile: str) -> None:
    async def run() -> list[int]:
        async with outbound_client(LOOPBACK, PATIENT) as client:
            answers = await asyncio.gather(*(client.get(f"{hostile}/http/ok") for _ in range(40)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(run()) == [200] * 40


def test_the_mcp_package_works_over_the_guarded_client() -> None:
    async def run(url: str) -> list[str]:
        async with outbound_client(LOOPBACK) as http, Client(streamable_http_client(url, http_client=http)) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    for era in ("both", "handshake"):
        with honest_server(era=era) as server:
            assert asyncio.run(run(server.url)) == ["echo", "add"]


def test_abandoned_requests_give_their_connections_back(hostile: str) -> None:
    async def run() -> int:
        async with outbound_client(LOOPBACK, replace(PATIENT, connections=2)) as client:
            for path in ("hang", "drip", "idle-events", "gigabyte") * 3:
                with anyio.move_on_after(0.05), suppress(OutboundError):
                    await client.get(f"{hostile}/http/{path}")
            return (await client.get(f"{hostile}/http/ok")).status_code

    assert asyncio.run(run()) == 200


def test_policy_is_the_settings(settings: Any) -> None:
    settings.OUTBOUND_ALLOW, settings.OUTBOUND_CA_FILE = LOOPBACK.allow, "ca.pem"
    policy = policy_from_settings()
    assert (policy.allow, policy.ca_file) == (LOOPBACK.allow, "ca.pem")
