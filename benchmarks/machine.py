"""Processes on their own CPU, and what they use.

What is measured has CPU 0 to itself; whoever calls it, and what it calls, share CPU 1. The same for everybody.
"""

import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from controlplane.devprocess import end_with_parent

ROOT = Path(__file__).resolve().parent.parent
MEASURED = 0  # the CPU of the process that is measured
AROUND = 1 if (os.cpu_count() or 1) > 1 else 0  # the CPU of everything else
START_SECONDS = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    """A program ended or did not answer in time; the message holds the end of its log."""


def pinned(command: Sequence[str], cpu: int) -> list[str]:
    """The command line that runs `command` on one CPU."""
    return ["taskset", "--cpu-list", str(cpu), *command]


@contextmanager
def running(
    command: Sequence[str],
    *,
    cpu: int,
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program on one CPU for the length of the block, once `ready`. Raises `DidNotStart`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(command, cpu), cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- one prctl call, see devprocess
        )  # fmt: skip
    try:
        _wait(process, ready, log)
        yield process
    finally:
        end(process)


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise DidNotStart(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program and its children to end, and make sure that they do."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                continue


def free_port() -> int:
    """A TCP port of the loopback interface that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pin_tree(pid: int, cpu: int) -> None:
    """Move a running process, its threads and its descendants to one CPU."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {cpu})
        for child in (task / "children").read_text().split():
            pin_tree(int(child), cpu)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mb(pid: int) -> float:
    """The most memory that a process ever held, in megabytes of 2**20 bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def sync_ms(directory: Path, times: int = 200) -> float:
    """How long the disk takes to make 8 KB durable: the median, in milliseconds."""
    took = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(times):
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def worker_of(pid: int) -> int:
    """The process that does the work: the last of a chain of only children, which is `pid` itself where it has none."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[-1])
    return pid
