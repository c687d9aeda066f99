"""The peers, each in the fastest set-up that was found for it, in its own environment, on the measured CPU.

ContextForge: one worker, SQLite, upstream sessions that are kept (`USE_STATEFUL_SESSIONS`); its limit of a hundred
calls a minute is off and loopback is allowed, or nothing could be measured; its audit trail is off, as it comes.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2

from benchmarks import cache, machine
from benchmarks.load import Plan

_EMAIL: Final = "admin@example.com"


@dataclass(frozen=True, slots=True)
class Target:
    """Something to call. `pid` of the process that does the work, 0 where it is not measured."""

    name: str
    plan: Plan
    pid: int = 0


@contextmanager
def fastmcp(upstream: str, directory: Path) -> Iterator[Target]:
    """FastMCP's proxy for the length of the block."""
    python, port = cache.python_of("fastmcp"), machine.free_port()
    command = [python, "-m", "benchmarks.fastmcp_proxy", upstream, str(port)]
    ready = partial(machine.listens, port)
    with machine.running(command, cpu=machine.MEASURED, log=directory / "fastmcp.log", ready=ready) as process:
        plan = Plan(f"http://127.0.0.1:{port}/mcp", wire="2025")
        yield Target("FastMCP", plan, machine.worker_of(process.pid))


@contextmanager
def contextforge(upstream: str, directory: Path) -> Iterator[Target]:
    """ContextForge with the upstream registered, for the length of the block."""
    python, port = cache.python_of("contextforge"), machine.free_port()
    place = directory / "contextforge"
    place.mkdir()
    environment = _settings(place)
    command = [str(Path(python).parent / "mcpgateway"), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    base = f"http://127.0.0.1:{port}"
    with machine.running(
        command,
        cpu=machine.MEASURED,
        log=directory / "contextforge.log",
        ready=partial(_is_healthy, base),
        environment=environment,
        cwd=place,
    ) as process:
        token = _token(python, environment, place)
        server, tool = _register(base, token, upstream)
        plan = Plan(f"{base}/servers/{server}/mcp", wire="2025", tool=tool, tokens=(token,), handshake=True)
        yield Target("ContextForge", plan, machine.worker_of(process.pid))


def _settings(place: Path) -> dict[str, str]:
    passwords = ("PLATFORM_ADMIN_PASSWORD", "DEFAULT_USER_PASSWORD", "BASIC_AUTH_PASSWORD")
    keys = ("JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET")
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **{name: f"{secrets.token_urlsafe(16)}-Aa9!" for name in passwords},
        **{name: secrets.token_hex(32) for name in keys},
        "DATABASE_URL": f"sqlite:///{place / 'gateway.db'}",
        "PLATFORM_ADMIN_EMAIL": _EMAIL,
        "CACHE_TYPE": "memory",
        "USE_STATEFUL_SESSIONS": "true",
        "RATE_LIMITING_ENABLED": "false",
        "SSRF_ALLOW_LOCALHOST": "true",
        "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
        "MCPGATEWAY_UI_ENABLED": "false",
        "MCPGATEWAY_ADMIN_API_ENABLED": "true",
        "LOG_LEVEL": "WARNING",
    }


def _is_healthy(base: str) -> bool:
    try:
        return bool(httpx2.get(f"{base}/health", timeout=5).is_success)
    except httpx2.HTTPError:
        return False


def _token(python: str, environment: dict[str, str], place: Path) -> str:
    command = [python, "-m", "mcpgateway.utils.create_jwt_token", "-u", _EMAIL, "-e", "10080", "--admin"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def _register(base: str, token: str, upstream: str) -> tuple[str, str]:
    """The id of a virtual server with everything of the upstream, and the name that it gives the tool `echo`."""
    headers = {"authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=base, headers=headers, timeout=120) as client:
        registered = {"name": "files", "url": upstream, "transport": "STREAMABLEHTTP", "visibility": "public"}
        gateway = _json(client.post("/gateways", json=registered))
        listed = _json(client.get("/tools", params={"limit": 0}))
        tools = [tool for tool in listed if tool["gatewayId"] == gateway["id"]]
        virtual = {"name": "files", "associated_tools": [tool["id"] for tool in tools]}
        server = _json(client.post("/servers", json={"server": virtual, "visibility": "public"}))
    return str(server["id"]), next(str(tool["name"]) for tool in tools if tool["originalName"] == "echo")


def _json(answer: httpx2.Response) -> Any:
    answer.raise_for_status()
    found = answer.json()
    return found.get("data", found) if isinstance(found, dict) else found
