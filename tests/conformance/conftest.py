"""The everything server, directly and behind a gateway, and what these tests bring from outside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.conformance import installs
from tests.conformance.relay import relaying
from tests.conformance.suite import Suite, installed
from tests.features import require_or_skip
from tests.fixtures_mcp.processes import everything_server
from tests.gateway.conftest import world as world  # noqa: PLC0414 -- a fixture of its own name

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
    """By the test's parameter: `direct`, or `gateway` with everything approved and an agent that may read and call."""
    if request.param == "direct":
        return Endpoint(everything)
    return behind_the_gateway(request.getfixturevalue("world"), everything)


def behind_the_gateway(world: Any, everything: str) -> Endpoint:
    """Register the everything server, approve all that it shows, and give an agent its way there."""
    world.register(everything, SLUG)
    world.approve(slug=SLUG)
    agent = world.agent(f"mcp:{SLUG}:read", f"mcp:{SLUG}:call")
    return Endpoint(world.endpoint(SLUG), agent.token(SLUG))


@pytest.fixture
def relayed(world: Any, everything: str) -> Iterator[str]:
    """The gateway's endpoint for clients that cannot send a token."""
    behind = behind_the_gateway(world, everything)
    with relaying(behind.url, behind.token) as url:
        yield url
