"""The demo servers as `./dev up` runs them, in their own processes."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from mcp_types import CallToolResult, TextContent

from tests.databases import ROOT


@contextmanager
def demo_server(name: str) -> Iterator[str]:
    """Run `controlplane.demo.<name>`; gives its address without a path."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        number = listening.fileno()
        command = [sys.executable, "-m", "uvicorn", f"controlplane.demo.{name}:application", "--fd", str(number)]
        process = subprocess.Popen(
            [*command, "--log-level", "warning"], cwd=ROOT, env=dict(os.environ), pass_fds=(number,)
        )
    try:
        _wait_for(f"{base}/healthz", process)
        yield base
    finally:
        process.terminate()
        process.wait(60)


def text_of(result: CallToolResult) -> str:
    """The text that a tool answered."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def post(url: str) -> bytes:
    """What a `curl -X POST` gets."""
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:
        return bytes(answer.read())


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "the demo server ended"
            assert time.monotonic() < deadline, "the demo server does not answer"
            time.sleep(0.1)
