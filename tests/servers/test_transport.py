"""The dispatcher beneath the session: ids, sessions, budgets."""

import asyncio
import ipaddress
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from mcp.shared.exceptions import MCPError

from core.outbound import OutboundPolicy, outbound_client
from servers.limits import Limits
from servers.observe import Target, observe
from servers.problems import ObservationFailed
from servers.surface import Problem
from servers.transport import StrictDispatcher
from tests.fixtures_mcp.processes import hostile_server

pytestmark = pytest.mark.network
LOOPBACK = OutboundPolicy(allow=(ipaddress.ip_network("127.0.0.0/8"),))


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The misbehaving server's base URL."""
    with hostile_server() as base:
        yield base


@asynccontextmanager
async def dispatcher(url: str, limits: Limits | None = None) -> AsyncIterator[StrictDispatcher]:
    async with outbound_client(LOOPBACK) as client:
        yield StrictDispatcher(client, url, limits or Limits(answer_seconds=1.0, probe_seconds=0.3))


def test_session_id_and_version_travel_with_every_request_until_the_session_is_ended(hostile: str) -> None:
    surface = asyncio.run(observe(Target(f"{hostile}/mcp/session"), policy=LOOPBACK))
    assert surface.complete, surface.problem
    with urllib.request.urlopen(f"{hostile}/mcp/seen", timeout=60) as answer:
        seen = json.loads(answer.read())
    opening, *rest = [each for each in seen if each["rpc"] != "server/discover"]
    assert (opening["rpc"], opening["session"], opening["version"]) == ("initialize", "", "")
    assert [each["rpc"] or each["method"] for each in rest] == ["notifications/initialized", "tools/list", "DELETE"]
    assert {(each["session"], each["version"]) for each in rest} == {("opaque-1", "2025-11-25")}


async def test_result_is_kept_as_received(hostile: str) -> None:
    async with dispatcher(f"{hostile}/mcp/well-behaved") as wire:
        assert await wire.send_raw_request("tools/list", None) == {}
        assert wire.result["tools"][1]["fromTheFuture"] == {"a": [None, True, 1.0, 2**80]}


async def test_error_of_the_server_is_an_error_of_the_session(hostile: str) -> None:
    async with dispatcher(f"{hostile}/mcp/list-error") as wire:
        with pytest.raises(MCPError) as caught:
            await wire.send_raw_request("tools/list", None)
        assert caught.value.error.code == -32603


async def test_unanswered_probe_speaks_for_an_older_server(hostile: str) -> None:
    async with dispatcher(f"{hostile}/mcp/hang") as wire:
        with pytest.raises(MCPError):
            await wire.send_raw_request("server/discover", None)
        with pytest.raises(ObservationFailed) as caught:
            await wire.send_raw_request("initialize", None)
        assert caught.value.problem.cls is Problem.TIMEOUT


@pytest.mark.parametrize(
    ("limits", "cls"),
    [(Limits(surface_bytes=500), Problem.TOO_LARGE), (Limits(surface_values=40), Problem.TOO_MANY)],
)
async def test_budgets_are_of_all_answers_together(hostile: str, limits: Limits, cls: Problem) -> None:
    async with dispatcher(f"{hostile}/mcp/well-behaved", limits) as wire:
        await wire.send_raw_request("tools/list", None)
        with pytest.raises(ObservationFailed) as caught:
            await wire.send_raw_request("tools/list", None)
        assert caught.value.problem.cls is cls


async def test_notification_that_nobody_reads_ends_in_time(hostile: str) -> None:
    async with dispatcher(f"{hostile}/mcp/hang") as wire:
        with pytest.raises(ObservationFailed) as caught:
            await wire.notify("notifications/initialized", None)
        assert caught.value.problem.cls is Problem.TIMEOUT
