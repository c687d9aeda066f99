"""The server loop: one ASGI application of the gateway's shape under each server, on the measured CPU."""

import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.load import Measured, Plan
from benchmarks.measuring import measure

ROUNDS: Final = 3
SECONDS: Final = 1.5
LEVELS: Final = (1, 16)
_APPLICATION: Final = "benchmarks.choices.application:application"
_UVICORN: Final = ("uvicorn", "--no-access-log", "--log-level", "warning", "--no-proxy-headers")
_GRANIAN: Final = ("granian", "--interface", "asgi", "--workers", "1", "--no-ws", "--log-level", "warning")
SERVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn, h11, asyncio": (*_UVICORN, "--http", "h11", "--loop", "asyncio"),
    "uvicorn, h11, uvloop": (*_UVICORN, "--http", "h11", "--loop", "uvloop"),
    "uvicorn, httptools, asyncio": (*_UVICORN, "--http", "httptools", "--loop", "asyncio"),
    "uvicorn, httptools, uvloop": (*_UVICORN, "--http", "httptools", "--loop", "uvloop"),
    "granian, asyncio": (*_GRANIAN, "--loop", "asyncio"),
    "granian, uvloop": (*_GRANIAN, "--loop", "uvloop"),
}


def main(python: str, directory: Path) -> None:
    """Print the figures. `python` is the interpreter of the environment `choices`."""
    found: dict[tuple[str, int], list[tuple[Measured, float]]] = {}
    with ExitStack() as stack:
        started = {name: _start(stack, python, name, directory) for name in SERVERS}
        for _ in range(ROUNDS):
            for level in LEVELS:
                for name, (port, pid) in started.items():
                    found.setdefault((name, level), []).append(_measure(python, port, pid, level))
    print("\nServer loops: p50 ms, requests a second, CPU us of the server for a request")
    for (name, level), samples in found.items():
        p50, rps = (statistics.median(getattr(each, figure) for each, _ in samples) for figure in ("p50", "rps"))
        cpu = statistics.median(cpu for _, cpu in samples)
        print(f"  {name:<30} c={level:<3} {p50:8.2f} {rps:8.0f} {cpu:8.0f}")


def _start(stack: ExitStack, python: str, name: str, directory: Path) -> tuple[int, int]:
    """Port and process id."""
    port = machine.free_port()
    command = [python, "-m", *SERVERS[name], "--host", "127.0.0.1", "--port", str(port), _APPLICATION]
    log, ready = directory / "servers.log", partial(machine.listens, port)
    process = stack.enter_context(machine.running(command, cpu=machine.MEASURED, log=log, ready=ready))
    return port, machine.worker_of(process.pid)


def _measure(python: str, port: int, pid: int, connections: int) -> tuple[Measured, float]:
    """What the client saw, and CPU microseconds of the server for a request."""
    before = machine.cpu_seconds(pid)
    measured = measure(python, Plan(f"http://127.0.0.1:{port}/mcp", warm=0, seconds=SECONDS), connections)
    return measured, (machine.cpu_seconds(pid) - before) / measured.requests * 1e6
