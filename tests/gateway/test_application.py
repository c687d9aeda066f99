"""The process: health, readiness, and leaving without losing a call."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.fixtures_mcp.processes import HonestServer

if TYPE_CHECKING:
    from tests.gateway.world import World

pytestmark = pytest.mark.network
ROOT = Path(__file__).resolve().parents[2]


def test_health_is_told_under_any_name_and_tells_nothing_else(world: "World") -> None:
    for path in ("/healthz", "/readyz"):
        response = httpx2.get(world.url + path, headers={"host": "probe.internal"}, timeout=60)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "path", ["/", "/mcp", "/mcp/", "/mcp/Files", "/mcp/files/", "/mcp/%66iles", "/mcp/a--b", "//mcp/a"]
)
def test_a_path_that_is_no_endpoint_is_not_found(world: "World", path: str) -> None:
    assert httpx2.post(world.url + path, json={}, timeout=60).status_code == 404


def test_a_body_that_nobody_may_send_is_not_read_and_the_connection_lives_on(world: "World") -> None:
    with httpx2.Client(timeout=60) as client:
        refused = client.post(f"{world.url}/mcp/files", content=b" " * 3_000_000)
        assert (refused.status_code, client.get(f"{world.url}/healthz").status_code) == (401, 200)


def test_a_gateway_that_drains_finishes_calls_and_takes_no_new_ones(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    from tests.gateway.test_pipeline import answer, approved, until_called
    from tests.gateway.world import until

    token = approved(world, servers["modern"])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(world.modern, token, "tools/call", {"name": "slow", "arguments": {"steps": 10}})
        until_called(servers["modern"])
        world.gateway.drain()
        assert httpx2.get(f"{world.url}/readyz", timeout=60).json() == {"status": "stopping"}
        refused = world.modern(token, "tools/call", {"name": "echo"})
        assert (refused.status_code, answer(refused)["error"]["data"]["code"]) == (503, "shutting_down")
        assert "result" in answer(running.result())
    until(lambda: world.records(tool="slow", type="outcome", status="ok"))


def test_a_process_that_is_told_to_stop_finishes_its_calls(
    world: "World", servers: dict[str, HonestServer], settings: Any
) -> None:
    """The real process, by its own entry point, ended by SIGTERM in the middle of a call."""
    from tests.gateway.test_pipeline import answer, approved, until_called
    from tests.gateway.world import World, free_port, until

    token = approved(world, servers["modern"])
    port = free_port()
    other = World.__new__(World)
    other.url = f"http://127.0.0.1:{port}"
    # Tokens are for the address that GATEWAY_URL names; on loopback any port of it is ours.
    environment = {**os.environ, "PUBLIC_URL": world.url, "GATEWAY_URL": settings.GATEWAY_URL}
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "gateway.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process, ThreadPoolExecutor(1) as pool:
        try:
            until(lambda: ready(other.url))
            running = pool.submit(other.modern, token, "tools/call", {"name": "slow", "arguments": {"steps": 20}})
            until_called(servers["modern"])
            process.send_signal(signal.SIGTERM)
            until(lambda: httpx2.get(f"{other.url}/readyz", timeout=60).status_code == 503)
            assert "result" in answer(running.result())
            process.wait(60)
        finally:
            process.kill()
    assert process.returncode in (0, -signal.SIGTERM)
    assert world.records(tool="slow", type="outcome", status="ok")


def ready(url: str) -> bool:
    """Whether a process answers that it is ready."""
    try:
        return httpx2.get(f"{url}/readyz", timeout=60).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_gateway_whose_role_owns_the_tables_does_not_start(owner_connection: Any) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "gateway.asgi:application", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": owner_connection.info.dsn},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "name a role that owns nothing" in ended.stderr


@pytest.mark.parametrize(
    "packages",
    [
        # The poller observes with them; they would take as much memory as everything that the gateway is made of.
        {"mcp", "mcp_types", "pydantic"},
        # Behind passkeys, with which people sign in to the console.
        {"fido2", "allauth.mfa.webauthn"},
        # Tasks: a gateway sends none.
        {"celery", "kombu", "controlplane.celery"},
    ],
    ids=lambda packages: " and ".join(sorted(packages)),
)
def test_a_gateway_process_loads_nothing_that_only_other_processes_need(packages: set[str]) -> None:
    loaded = f"import sys, gateway.asgi; print(sorted({packages!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
