"""Runs several programs side by side for `./dev up`: prefixed output, and an end for all when one ends.

Ours rather than honcho's, because more is asked than it does: steps between the starts, a stop that waits for
Celery's and the gateway's drain, an exit code that is never zero when a program ended by itself, and no orphan
even when the supervisor is killed. Development only; production belongs to compose, systemd or Kubernetes.
Plain Python: no Django, no settings.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self, TextIO

from controlplane.devprocess import end_with_parent

_DRAIN_SECONDS = 35.0  # longer than the gateway's patience with its calls, see `up`
_COLOURS = (36, 33, 32, 35, 34, 31)


class Stopped(BaseException):
    """Somebody asked us to stop, by Ctrl-C or SIGTERM. Not an Exception: nothing may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class ProgramEnded(Exception):
    """A program that should run on has ended, or a step has failed; the message says which and how."""


def stop_on_signals() -> None:
    """Turn the first SIGINT or SIGTERM into `Stopped` in the main thread; later ones do not disturb the stopping."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


class Supervisor:
    """Starts programs, watches them, and on leaving the `with` block stops them, the last started first."""

    def __init__(self, *, directory: Path, output: TextIO = sys.stdout) -> None:
        self._directory = directory
        self._output = output
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: list[threading.Thread] = []
        self._ready: set[str] = set()
        self._width = 8

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start a program that must not end before the others; returns its process id."""
        process = self._spawn(name, command, environment)
        self._running[name] = process
        return process.pid

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run one step to its end, its output shown like the others'. Raises ProgramEnded when it fails."""
        process = self._spawn(name, command, environment)
        try:
            while process.poll() is None:
                self.check()
                time.sleep(0.05)
        finally:
            _end_group(process, signal.SIGKILL)
        if process.returncode != 0:
            raise ProgramEnded(f"the step '{name}' failed with code {process.returncode}; its last words are above")

    def says_ready(self, name: str) -> bool:
        """Whether a program has printed a line that ends in "ready.", as Celery's worker does."""
        return name in self._ready

    def check(self) -> None:
        """Raise ProgramEnded when a program has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProgramEnded(f"'{name}' ended by itself {_how(process.returncode)}, so everything else ends too")

    def wait_until(self, ready: Callable[[], bool], what: str, *, seconds: float) -> None:
        """Wait until `ready()`; raises ProgramEnded when a program ends meanwhile or time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProgramEnded(f"{what} did not answer within {seconds:.0f} s")
            time.sleep(0.1)

    def watch(self) -> NoReturn:
        """Until a program ends (ProgramEnded) or somebody stops us (Stopped)."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask all to end, wait for their drain, then end what is left by force, with all descendants."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for name, process in self._running.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(name, f"did not end within {_DRAIN_SECONDS:.0f} s and is killed")
            _end_group(process, signal.SIGKILL)
        self._running.clear()
        for reader in self._readers:
            reader.join(2)

    def say(self, name: str, line: str) -> None:
        """Print one line with its prefix."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{self._width}} | "
        if self._output.isatty():
            prefix = f"\x1b[{_COLOURS[sum(name.encode()) % len(_COLOURS)]}m{prefix}\x1b[0m"
        # A terminal that was closed must not keep us from stopping the rest.
        with self._lock, suppress(OSError, ValueError):
            print(prefix + line, file=self._output, flush=True)

    def _spawn(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            command,
            cwd=self._directory,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Their own session: Ctrl-C reaches us alone, and we stop them in order.
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- one prctl call, see devprocess
        )
        reader = threading.Thread(target=self._relay, args=(name, process), name=f"output of {name}", daemon=True)
        reader.start()
        self._readers.append(reader)
        return process

    def _relay(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None  # noqa: S101 -- for the type checker; we asked for a pipe
        with process.stdout as lines:
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip()
                if text.endswith("ready."):
                    self._ready.add(name)
                self.say(name, text)


def _end_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Signal what is left of a program's own session, a worker's children for instance."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    process.wait()


def _how(code: int) -> str:
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
