"""Load from a process of its own, on the CPU beside the measured one."""

import json
import subprocess
from dataclasses import asdict

from benchmarks import machine
from benchmarks.load import Measured, Plan


class Failed(Exception):
    """Calls were answered otherwise than expected, so a figure would mean nothing."""


def measure(python: str, plan: Plan, connections: int) -> Measured:
    """What a load client run by the interpreter `python` measured. Raises `Failed`."""
    client = start(python, plan, connections)
    output, problem = client.communicate()
    if client.returncode != 0:
        raise Failed(f"the load client failed: {problem[-2000:]}")
    measured = Measured(**json.loads(output))
    if measured.errors or not measured.requests:
        raise Failed(f"{plan.url}: {measured.errors} calls failed, the first with {measured.first_error}")
    return measured


def start(python: str, plan: Plan, connections: int) -> "subprocess.Popen[str]":
    """A load client at work; `communicate` waits for it."""
    command = machine.pinned([python, "-m", "benchmarks.load", "-", "--connections", str(connections)], machine.AROUND)
    pipe = subprocess.PIPE
    client = subprocess.Popen(command, cwd=machine.ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert client.stdin is not None
    client.stdin.write(json.dumps(asdict(plan)))
    client.stdin.close()
    client.stdin = None  # `communicate` would close it again
    return client
