"""Lists are read to their end or to a limit."""

import asyncio
import ipaddress
from collections.abc import Iterator

import pytest

from core.outbound import OutboundPolicy
from servers.limits import Limits
from servers.observe import Target, observe
from servers.surface import Kind, Problem
from tests.fixtures_mcp.processes import HonestServer, honest_server

pytestmark = pytest.mark.network
LOOPBACK = OutboundPolicy(allow=(ipaddress.ip_network("127.0.0.0/8"),))


@pytest.fixture(scope="module")
def honest() -> Iterator[HonestServer]:
    """An honest server: 12 definitions, two to a page."""
    with honest_server() as server:
        yield server


@pytest.mark.parametrize(
    ("limits", "problem", "read"),
    [
        (Limits(items=12), None, 12),
        (Limits(items=11), Problem.TOO_MANY, 11),
        (Limits(pages=3), None, 12),
        (Limits(pages=2), Problem.ENDLESS_LIST, 4),
        (Limits(name_bytes=5), Problem.TOO_LARGE, 2),
        (Limits(item_bytes=100), Problem.TOO_LARGE, 0),
    ],
)
def test_limits_hold_to_the_very_number(
    honest: HonestServer, limits: Limits, problem: Problem | None, read: int
) -> None:
    surface = asyncio.run(observe(Target(honest.url), limits, policy=LOOPBACK))
    assert (surface.problem and surface.problem.cls) == problem
    assert len([item for item in surface.items if item.kind is not Kind.CARD]) == read


def test_names_may_repeat_across_kinds(honest: HonestServer) -> None:
    with honest_server() as server:
        server.change(
            tools=[{"name": "same", "inputSchema": {"type": "object"}}], prompts=[{"name": "same"}], resources=[]
        )
        surface = asyncio.run(observe(Target(server.url), policy=LOOPBACK))
    assert surface.complete, surface.problem
    assert [item.name for item in surface.items].count("same") == 2
