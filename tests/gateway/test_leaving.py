"""A process that is told to stop tells first, serves on for the length of its notice, and closes then."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.fixtures_mcp.processes import HonestServer

if TYPE_CHECKING:
    from tests.gateway.world import World

pytestmark = pytest.mark.network
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(world: "World", settings: Any, *, notice: int) -> Iterator[tuple["World", "subprocess.Popen[bytes]"]]:
    """A gateway process of its own."""
    from tests.gateway.test_application import ready
    from tests.gateway.world import World, free_port, until

    other = World.__new__(World)
    port = free_port()
    other.url = f"http://127.0.0.1:{port}"
    # Tokens are for the address that GATEWAY_URL names; on loopback any port of it is ours.
    more = {"PUBLIC_URL": world.url, "GATEWAY_URL": settings.GATEWAY_URL, "NOTICE_SECONDS": str(notice)}
    command = [sys.executable, "-m", "uvicorn", "gateway.asgi:application", "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=os.environ | more) as started:
        try:
            until(lambda: ready(other.url), seconds=60)
            yield other, started
        finally:
            started.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_calls_are_served_while_the_process_says_that_it_leaves_and_connections_end_with_their_answers(
    world: "World", servers: dict[str, HonestServer], settings: Any, number: int
) -> None:
    from tests.gateway.test_pipeline import answer, approved
    from tests.gateway.world import until

    token = approved(world, servers["modern"])
    with process(world, settings, notice=3) as (other, started):
        before = other.modern(token, "tools/call", {"name": "echo", "arguments": {"text": "before"}})
        assert "connection" not in before.headers
        started.send_signal(number)
        until(lambda: httpx2.get(f"{other.url}/readyz", timeout=60).status_code == 503)
        during = other.modern(token, "tools/call", {"name": "echo", "arguments": {"text": "during"}})
        assert "during" in answer(during)["result"]["content"][0]["text"]
        assert during.headers["connection"] == "close"
        assert started.wait(60) in (0, -number)


def test_a_stream_ends_cleanly_once_the_notice_is_over(
    world: "World", servers: dict[str, HonestServer], settings: Any
) -> None:
    from tests.gateway.test_pipeline import answer, approved
    from tests.gateway.world import until

    token = approved(world, servers["modern"])
    wanted = {"notifications": {"toolsListChanged": True}}
    with process(world, settings, notice=1) as (other, started), ThreadPoolExecutor(1) as pool:
        stream = pool.submit(other.modern, token, "subscriptions/listen", wanted)
        until(lambda: world.records(method="subscriptions/listen", type="intent"))
        started.send_signal(signal.SIGTERM)
        assert answer(stream.result(60))["result"]["resultType"] == "complete"
        assert started.wait(60) in (0, -signal.SIGTERM)
    (outcome,) = world.records(method="subscriptions/listen", type="outcome")
    assert (outcome.status, outcome.error_class) == ("closed", "shutdown")


def test_a_second_signal_does_not_wait_for_the_notice(world: "World", settings: Any) -> None:
    from tests.gateway.world import until

    with process(world, settings, notice=60) as (other, started):
        started.send_signal(signal.SIGTERM)
        until(lambda: httpx2.get(f"{other.url}/readyz", timeout=60).status_code == 503)
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) in (0, -signal.SIGTERM)
