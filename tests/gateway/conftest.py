"""A listening gateway, and honest servers for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures_mcp.processes import HonestServer, honest_server


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, HonestServer]]:
    """One honest server of each era, for the whole run."""
    with honest_server(era="both") as modern, honest_server(era="handshake") as handshake:
        yield {"modern": modern, "handshake": handshake}


@pytest.fixture
def world(transactional_db: None, settings: Any, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A gateway that listens on a port of its own, with nothing registered."""
    from tests.gateway.world import World, free_port, running

    # A first look is not given up because the machine does other things as well.
    monkeypatch.setattr("gateway.looking.AWAITED_SECONDS", 30.0)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings.PUBLIC_URL = settings.ISSUER = url
    settings.GATEWAY_URL = f"{url}/mcp"
    with running(port) as gateway:
        yield World(url, gateway)
