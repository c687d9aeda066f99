"""`./dev up` for real: its own processes, servers and state directory.

What the first start made stays for the later ones, which need not migrate; each test also works alone.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controlplane import devpostgres
from controlplane.devprocess import server_account
from tests.databases import ROOT
from tests.ports import free_ports

pytestmark = pytest.mark.story

# Names that would make `up` use the servers and secrets of this test run.
_NOT_INHERITED = ("DATABASE_", "REDIS_", "SECRET", "TOKEN_KEY", "OUTBOUND_", "DJANGO_", "PYTEST_", "HOLDFAST_")


class Up:
    """A running `./dev up`."""

    def __init__(self, process: "subprocess.Popen[bytes]", ready_file: Path, log: Path) -> None:
        self.process, self._ready_file, self._log = process, ready_file, log

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ready(self, seconds: float = 240) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while not self._ready_file.exists():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)
        return dict(json.loads(self._ready_file.read_text(encoding="utf-8")))

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)


@contextmanager
def dev_up(directory: Path, state: Path, *arguments: str) -> Iterator[Up]:
    ready_file, log = directory / "ready.json", directory / "log"
    ready_file.unlink(missing_ok=True)  # of an earlier one, which may have been killed
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    command = [str(ROOT / "dev"), "up", "--state-dir", str(state), "--ready-file", str(ready_file)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=directory,
            env={**environment, "PYTHON": sys.executable, "HOLDFAST_TEST_MARK": str(directory)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Up(process, ready_file, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    found = tmp_path_factory.mktemp("kept") / "state"
    yield found
    shutil.rmtree(data_in(found), ignore_errors=True)


def data_in(state: Path) -> Path:
    """PostgreSQL's data: as root it cannot reach a private temporary directory, and its data goes elsewhere."""
    return devpostgres.data_directory(state / "postgres", server_account())


def descendants(directory: Path, state: Path) -> list[str]:
    """The command lines of all living processes that came from our `./dev up`: they inherit our mark.

    PostgreSQL and Valkey may run as another user and PostgreSQL is given another environment, so their command
    lines are looked at as well: where their data is.
    """
    marks = [bytes(place) for place in (directory, state, data_in(state))]
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if command and int(entry.name) != os.getpid() and any(mark in environment + command for mark in marks):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until_gone(directory: Path, state: Path, facts: dict[str, Any]) -> None:
    """Processes, and what they started: some end a moment after who waited for their parents."""
    deadline = time.monotonic() + 120
    while any(alive(pid) for pid in facts["processes"].values()) or descendants(directory, state):
        assert time.monotonic() < deadline, descendants(directory, state)
        time.sleep(0.1)


def get(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as response:
        return int(response.status)


def test_it_starts_answers_and_leaves_nothing_behind(tmp_path, state):
    port = free_ports(4)
    with dev_up(tmp_path, state, "--port", str(port)) as up:
        facts = up.ready()
        assert {"console_url", "api_url", "gateway_url", "issuer", "admin", "processes"} <= set(facts)
        assert set(facts["admin"]) == {"username", "password", "api_token"}
        assert set(facts["processes"]) == {"web", "gateway", "worker", "beat", "sequencer", "postgres", "valkey"}
        assert facts["gateway_url"].endswith("/mcp")
        assert get(f"{facts['console_url']}/readyz") == 200
        assert get(f"{facts['gateway_url'].removesuffix('/mcp')}/readyz") == 200
        assert all(alive(pid) for pid in facts["processes"].values())
        assert facts["admin"]["password"] in up.output, "it says how to sign in"
        assert (tmp_path / "ready.json").stat().st_mode & 0o077 == 0
        for secret in (state / "secrets").iterdir():
            assert secret.stat().st_mode & 0o077 == 0
        assert descendants(tmp_path, state) != []
        up.process.send_signal(signal.SIGINT)
        assert up.wait() == 130
        assert not any(alive(pid) for pid in facts["processes"].values())
        wait_until_gone(tmp_path, state, facts)
        assert "Traceback" not in up.output


@dataclass(frozen=True)
class Restarted:
    """A `./dev up` whose supervisor was killed, and the one that came after it, which runs."""

    directory: Path
    before: dict[str, Any]
    again: Up


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory, state: Path) -> Iterator[Restarted]:
    directory, port = tmp_path_factory.mktemp("restarted"), str(free_ports(4))
    with dev_up(directory, state, "--port", port, "--no-demo") as up:
        before = up.ready()
        up.process.kill()
        up.wait()
        # Seldom a worker waits 30 s: its children wait so long for somebody to take the results they wrote, and the
        # worker, whose broker died in the same moment, no longer takes them (billiard, _ensure_messages_consumed).
        wait_until_gone(directory, state, before)
    with dev_up(directory, state, "--port", port, "--no-demo") as again:
        yield Restarted(directory, before, again)


def test_a_killed_supervisor_leaves_nothing_behind_and_the_next_start_works(restarted):
    facts_again = restarted.again.ready()
    assert facts_again["admin"]["password"] == restarted.before["admin"]["password"]


def test_a_child_that_dies_is_named_loudly_and_ends_everything(restarted, state):
    up = restarted.again
    facts = up.ready()
    os.kill(facts["processes"]["beat"], signal.SIGKILL)
    assert up.wait() == 1
    assert "*** Holdfast has stopped: 'beat' ended by itself by signal SIGKILL" in up.output
    assert not any(alive(pid) for pid in facts["processes"].values())
    wait_until_gone(restarted.directory, state, facts)


def test_a_taken_port_is_a_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with dev_up(tmp_path, tmp_path / "state", "--port", str(port)) as up:
            assert up.wait() == 1
            assert f"Port {port} cannot be used" in up.output
            assert "Traceback" not in up.output
