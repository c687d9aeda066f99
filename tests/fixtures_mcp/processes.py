"""Start and stop the servers of this package.

with honest_server(era="handshake") as server:
    server.change(tools=[...])          # takes effect with the next request
    ... server.url ...

with hostile_server() as base:          # http://127.0.0.1:<port>
    ... f"{base}/mcp/html" ...

with everything_server() as url:        # the endpoint of a server with all that the protocol offers
    ...
"""

import json
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_START_SECONDS = 120.0


@dataclass(frozen=True)
class HonestServer:
    """A running honest server: its MCP endpoint and the door to change what it shows."""

    url: str
    control_url: str
    pid: int
    era: str

    def change(self, **parts: Any) -> None:
        """Replace parts of its state: `tools, resources, templates, prompts, page_size` and what `honest.py` names."""
        body = json.dumps(parts).encode()
        request = urllib.request.Request(
            self.control_url, data=body, headers={"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200

    def calls(self) -> list[dict[str, Any]]:
        """Every tool call that arrived: `name`, `arguments`, `meta` and the request's `headers`."""
        found: list[dict[str, Any]] = self._state()["calls"]
        return found

    def lists(self) -> dict[str, int]:
        """How many pages of its tools each client asked for, by the client's name."""
        found: dict[str, int] = self._state()["lists"]
        return found

    def asked(self, client: str) -> dict[str, int]:
        """How many requests of each method a client of this name sent."""
        found: dict[str, int] = self._state()["asked"].get(client, {})
        return found

    def _state(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.control_url, timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


@contextmanager
def honest_server(*, era: str = "both", json_response: bool = False, port: int = 0) -> Iterator[HonestServer]:
    """Run `honest.py`. `era`: `both`; `handshake`, `modern`: it has never heard of the other's first request."""
    options = ["--era", era, "--port", str(port), *(["--json"] if json_response else [])]
    with _process("honest.py", *options) as (process, actual):
        base = f"http://127.0.0.1:{actual}"
        yield HonestServer(url=f"{base}/mcp", control_url=f"{base}/control", pid=process.pid, era=era)


@contextmanager
def hostile_server() -> Iterator[str]:
    """Run `hostile.py` and give its base URL."""
    with _process("hostile.py") as (_, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def everything_server(*, port: int = 0) -> Iterator[str]:
    """Run `everything.py` and give its MCP endpoint."""
    with _process("everything.py", "--port", str(port)) as (_, actual):
        yield f"http://127.0.0.1:{actual}/mcp"


@contextmanager
def _process(script: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    # As a module, so that a server may be made of several files.
    command = [sys.executable, "-m", f"tests.fixtures_mcp.{script.removesuffix('.py')}", *options]
    process = subprocess.Popen(command, cwd=_HERE.parents[1], stdout=subprocess.PIPE, text=True)
    try:
        yield process, _port(process)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        if process.stdout:
            process.stdout.close()


def _port(process: subprocess.Popen[str]) -> int:
    """The port that the process prints as its first line once it listens."""
    assert process.stdout is not None
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if select.select([process.stdout], [], [], 0.2)[0]:
            return int(process.stdout.readline())
    raise RuntimeError(f"{process.args!r} did not start")
