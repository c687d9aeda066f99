"""What the tests of faults share: servers by the dozen, a stream of honest calls beside a fault, the memory it takes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from servers.services import Registration, register_server
from tests.gateway.world import BOTH, META, PLAIN, Agency, World, free_port, until
from tools.models import Review
from tools.services import decide_review

ROOT = Path(__file__).resolve().parents[2]
HONEST = "honest"
QUICK = {"connect_seconds": 2, "first_byte_seconds": 2, "idle_seconds": 2, "total_seconds": 3}
_PAGE = os.sysconf("SC_PAGE_SIZE")


def register(world: World, urls: Mapping[str, str], **limits: int) -> None:
    """Register servers by slug, look at each once, approve every tool of theirs."""
    for slug, url in urls.items():
        registration = Registration(slug=slug, name=slug, url=url, environment="development", **limits)  # type: ignore[arg-type]  # numbers only
        register_server(registration=registration, actor=world.admin)
        world.poll(slug)
    for review in Review.objects.waiting().filter(definition__server__slug__in=urls, definition__kind="tool"):
        decide_review(
            review_id=review.public_id,
            verdict="approve",
            digest=review.version.digest,
            reason="Fine.",
            actor=world.admin,
        )
    world.settle()


def agency(world: World, slugs: Iterable[str], name: str = "robot") -> Agency:
    """An agent that may do everything at these servers."""
    scopes = [f"mcp:{slug}:{verb}" for slug in slugs for verb in ("call", "read")]
    return world.agent(*scopes, name=name)


def called(
    url: str, token: str, arguments: Mapping[str, Any], *, tool: str = "echo", trace: str = "", seconds: float = 60
) -> httpx2.Response:
    """One `tools/call` of the modern era; `trace`, a trace id, is what its records are found by."""
    meta = {**META, **({"traceparent": f"00-{trace}-00f067aa0ba902b7-01"} if trace else {})}
    params = {"name": tool, "arguments": dict(arguments), "_meta": meta}
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": BOTH,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return httpx2.post(url, json=body, headers=headers, timeout=seconds, verify=PLAIN)


def answer(response: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC answer, whether it came as JSON or on a stream."""
    text = response.text
    if response.headers.get("content-type") == "text/event-stream":
        text = [line for line in text.splitlines() if line.startswith("data: ")][-1].removeprefix("data: ")
    found: dict[str, Any] = json.loads(text)
    return found


def megabytes(pid: int | str = "self") -> int:
    """Resident memory of a process, of this one without `pid`."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE // 1_000_000


@dataclass
class Meanwhile:
    """What happened beside a fault: honest calls that were answered, those that were not, the most memory seen."""

    made: int = 0
    failed: list[str] = field(default_factory=list)
    before: int = 0
    most: int = 0

    @property
    def grown(self) -> int:
        """Megabytes."""
        return self.most - self.before


@contextmanager
def honest_calls(url: str, token: str, *, pid: int | str = "self", callers: int = 2) -> Iterator[Meanwhile]:
    """Call an honest server without a pause for the length of the block; some calls come before and some after it."""
    seen, stop = Meanwhile(before=megabytes(pid)), threading.Event()

    def call() -> None:
        while not stop.is_set():
            seen.most = max(seen.most, megabytes(pid))
            text = f"call {time.monotonic_ns()}"
            try:
                response = called(url, token, {"text": text})
                fits = json.loads(answer(response)["result"]["content"][0]["text"]) == {"text": text}
                problem = "" if fits else response.text[:300]
            except (httpx2.HTTPError, KeyError, ValueError) as error:
                problem = repr(error)
            if problem:
                seen.failed.append(problem)
            else:
                seen.made += 1

    threads = [threading.Thread(target=call, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: seen.made + len(seen.failed))
        yield seen
        made = seen.made
        until(lambda: seen.failed or seen.made > made + callers)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@dataclass
class Process:
    """A gateway process by its own entry point."""

    url: str
    running: "subprocess.Popen[bytes]"
    log: Path

    def endpoint(self, slug: str) -> str:
        """Where agents call a server."""
        return f"{self.url}/mcp/{slug}"

    def ready(self) -> bool:
        """Whether it answers that it is ready."""
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=30, verify=PLAIN).status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.running.kill()
        self.running.wait(60)


# What a gateway takes longest for is loading its modules: here that is done once, and each process is a fork of it.
_STABLE = """
import os, signal, sys
import uvicorn
from gateway.asgi import application

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
begun = []
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        options = {"log_level": "warning", "access_log": False, "proxy_headers": False, "http": "gateway.door:Door"}
        uvicorn.run(application, host="127.0.0.1", port=int(line), timeout_graceful_shutdown=10, **options)
        os._exit(0)
    begun.append(pid)
    print(pid, flush=True)
for pid in begun:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@contextmanager
def stable(log: Path) -> Iterator[Callable[[int], int]]:
    """Gateway processes one after the other, each in a moment: called with a port, answers the pid."""
    from django.conf import settings

    addresses = {"PUBLIC_URL": settings.PUBLIC_URL, "GATEWAY_URL": settings.GATEWAY_URL}
    with log.open("ab") as output:
        parent = subprocess.Popen(
            [sys.executable, "-c", _STABLE],
            cwd=ROOT,
            env={**os.environ, **addresses},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    with parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        commands, answers = parent.stdin, parent.stdout

        def begin(port: int) -> int:
            print(port, file=commands, flush=True)
            return int(answers.readline())

        yield begin


@contextmanager
def process(
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    port: int = 0,
    ready: bool = True,
) -> Iterator[Process]:
    """Start the gateway as `./dev up` does, on a port of its own."""
    from django.conf import settings

    port = port or free_port()
    # Tokens are for the address that GATEWAY_URL names; on loopback any port of it is ours.
    addresses = {"PUBLIC_URL": settings.PUBLIC_URL, "GATEWAY_URL": settings.GATEWAY_URL}
    command = [sys.executable, "-m", "uvicorn", "gateway.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown", "10"]
    command += ["--http", "gateway.door:Door"]
    with log.open("ab") as output:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **addresses, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    found = Process(f"http://127.0.0.1:{port}", running, log)
    try:
        if ready:
            until(lambda: running.poll() is not None or found.ready(), seconds=60)
            assert running.poll() is None, log.read_text(errors="replace")[-4000:]
        yield found
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(40)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait(60)
