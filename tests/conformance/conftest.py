"""The everything server, directly and behind a gateway, and what these tests bring from outside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from django.conf import settings
from django.test import override_settings
from redis import Redis

from tests import databases
from tests.conformance import installs
from tests.conformance.relay import relaying
from tests.conformance.suite import Suite, installed
from tests.features import require_or_skip
from tests.fixtures_mcp.processes import everything_server

if TYPE_CHECKING:
    from tests.gateway.world import World

SLUG = "everything"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Endpoint:
    """Where a client goes, and the token that it shows there."""

    url: str
    token: str = ""


def _brought(bring: Callable[[], _T]) -> _T:
    try:
        return bring()
    except installs.Unavailable as error:
        require_or_skip("conformance", str(error))


@pytest.fixture(scope="session")
def suite() -> Suite:
    """The official suite, or skip."""
    return _brought(installed)


@pytest.fixture(scope="session")
def mcp1() -> Path:
    """Where `mcp` 1.x is, or skip."""
    return _brought(installs.mcp1)


@pytest.fixture(scope="session")
def everything() -> Iterator[str]:
    """One everything server for the whole run."""
    with everything_server() as url:
        yield url


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, everything: str) -> Endpoint:
    """By the test's parameter: `direct` or `gateway`."""
    if request.param == "direct":
        return Endpoint(everything)
    found: Endpoint = request.getfixturevalue("gateway")
    return found


@pytest.fixture(scope="module")
def gateway(django_db_setup: None, django_db_blocker: Any, everything: str) -> Iterator[Endpoint]:
    """A gateway for all tests of a module: everything is approved, and an agent may read and call."""
    from tests.gateway.world import World, free_port, running

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    addresses = override_settings(PUBLIC_URL=url, ISSUER=url, GATEWAY_URL=f"{url}/mcp")
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    with django_db_blocker.unblock(), databases.fresh_copy(), addresses, running(port) as listening:
        yield approved(World(url, listening), everything)


def approved(world: "World", everything: str) -> Endpoint:
    """Register the everything server, approve all that it shows, and give an agent its way there."""
    world.register(everything, SLUG)
    world.approve(slug=SLUG)
    agent = world.agent(f"mcp:{SLUG}:read", f"mcp:{SLUG}:call")
    return Endpoint(world.endpoint(SLUG), agent.token(SLUG))


@pytest.fixture(scope="module")
def relayed(gateway: Endpoint) -> Iterator[str]:
    """The gateway's endpoint for clients that cannot send a token."""
    with relaying(gateway.url, gateway.token) as url:
        yield url
