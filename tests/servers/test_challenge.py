"""A challenge is read for what it says of the server itself, and for nothing else."""

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from core.outbound import OutboundLimits, OutboundPolicy, outbound_client
from servers.challenge import authorization
from tests.fixtures_mcp.processes import hostile_server

pytestmark = pytest.mark.network
LOOPBACK = OutboundPolicy(allow=(ipaddress.ip_network("127.0.0.0/8"),))
QUICK = OutboundLimits(head_seconds=0.5, total_seconds=0.5)


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The misbehaving server's base URL."""
    with hostile_server() as base:
        yield base


async def read(base: str, challenge: str | None) -> dict[str, Any]:
    async with outbound_client(LOOPBACK, QUICK) as client:
        return await authorization(client, f"{base}/mcp/401", challenge)


async def test_metadata_of_the_same_origin_is_read(hostile: str) -> None:
    where = f"{hostile}/meta/good"
    found = await read(hostile, f'Bearer error="x", resource_metadata="{where}", scope="a b"')
    assert found == {
        "scheme": "Bearer",
        "scope": "a b",
        "resource_metadata": where,
        "metadata": {"resource": f"{hostile}/mcp/401", "authorization_servers": ["https://as.example"]},
    }


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "evil.example", "[", "127.0.0.1:1"])
async def test_metadata_elsewhere_is_not_fetched(hostile: str, host: str) -> None:
    found = await read(hostile, f'Bearer resource_metadata="http://{host}/meta/good"')
    assert found["metadata"] is None


@pytest.mark.parametrize("name", ["500", "list", "duplicate-keys", "large", "gigabyte", "hang", "reset", "redirect"])
async def test_unacceptable_metadata_counts_as_none(hostile: str, name: str) -> None:
    found = await read(hostile, f'Bearer resource_metadata="{hostile}/meta/{name}?to=/meta/good"')
    assert found["metadata"] is None


@pytest.mark.parametrize("challenge", [None, "", "Basic realm=x", "Bearer " + "x" * 100_000, 'Bearer scope="'])
async def test_challenge_without_metadata_is_no_failure(hostile: str, challenge: str | None) -> None:
    found = await read(hostile, challenge)
    assert found["resource_metadata"] is None
    assert found["metadata"] is None
