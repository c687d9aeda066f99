"""The running product as an outside tool meets it: processes, a ready file, HTTP.

In a test run its database is a copy of the run's template, for migrating takes longer than all the rest of a start.
How it comes up with a PostgreSQL of its own, from nothing, is tests/controlplane/test_dev_up.py's.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from controlplane import devpostgres
from controlplane.devprocess import server_account
from tests import databases
from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240
STOP_SECONDS = 60
_T = TypeVar("_T")


@dataclass(frozen=True)
class Api:
    """The REST API as one person."""

    base: str
    token: str

    def get(self, path: str, **params: str) -> Any:
        """The JSON answer; fails on anything but 200."""
        return self._answer("GET", path, 200, params=params)

    def post(self, path: str, body: dict[str, Any], *, expect: int | None = None) -> Any:
        """The JSON answer; fails unless it is `expect` (default: any success)."""
        return self._answer("POST", path, expect, json=body)

    def patch(self, path: str, body: dict[str, Any], *, expect: int | None = None) -> Any:
        """As `post`."""
        return self._answer("PATCH", path, expect, json=body)

    def _answer(self, method: str, path: str, expect: int | None, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = httpx2.request(method, f"{self.base}{path}", headers=headers, timeout=60, **more)
        fits = answer.status_code == expect if expect else answer.is_success
        assert fits, f"{method} {path} answered {answer.status_code}: {answer.text[:2000]}"
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class Product:
    """One running product."""

    ready: dict[str, Any]
    process: subprocess.Popen[bytes]
    log: Path
    environment: Mapping[str, str]

    @property
    def state(self) -> Path:
        """Its state directory."""
        return self.log.parent / "state"

    def manage(self, *arguments: str, given: str = "", **settings: str) -> str:
        """What a command answers that somebody runs on the product's machine, with `given` for its standard input."""
        told = json.loads((self.state / "environment.json").read_text())
        environment = {**self.environment, **told, **settings}
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def admin(self) -> Api:
        """The API as the first administrator."""
        return Api(self.ready["api_url"], self.ready["admin"]["api_token"])

    def as_person(self, token: str) -> Api:
        """The API as somebody else."""
        return Api(self.ready["api_url"], token)

    def endpoint(self, slug: str) -> str:
        """Where agents call a server."""
        return f"{self.ready['gateway_url']}/{slug}"


@contextmanager
def _database() -> Iterator[dict[str, str]]:
    """What names a migrated database; nothing outside of a test run."""
    if databases.RUN_VARIABLE not in os.environ:
        yield {}
        return
    with databases.copied() as name:
        yield {kind: databases.url_for(os.environ[kind], name) for kind in ("DATABASE_URL", "DATABASE_ADMIN_URL")}


@contextmanager
def running_product(directory: Path, *options: str) -> Iterator[Product]:
    """`./dev up` on free ports with its own state, stopped as Ctrl-C stops it."""
    with _database() as urls, _started(directory, options, urls) as product:
        yield product


@contextmanager
def _started(directory: Path, options: Sequence[str], urls: Mapping[str, str]) -> Iterator[Product]:
    ready_file, log = directory / "ready.json", directory / "up.log"
    command = [
        sys.executable, "manage.py", "up", "--port", str(free_ports(2)), "--state-dir", str(directory / "state"),
        "--no-demo", "--ready-file", str(ready_file), *options,
    ]  # fmt: skip
    kept = ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL", "SECRET_KEY", "SECRETS_KEY", "TOKEN_KEY")
    environment = {name: value for name, value in os.environ.items() if name not in kept}
    environment |= {"PYTHONUNBUFFERED": "1", "OUTBOUND_ALLOW": "127.0.0.0/8", "POLL_TICK_SECONDS": "1", **urls}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield Product(_wait_ready(process, ready_file, log), process, log, environment)
        finally:
            _stop(process)
            # As root, PostgreSQL cannot reach a private temporary directory, and its data goes elsewhere.
            data = devpostgres.data_directory(directory / "state" / "postgres", server_account())
            shutil.rmtree(data, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def wait_until(what: str, look: Callable[[], _T | None], *, seconds: float = 60) -> _T:
    """The first answer of `look` that is true; fails with `what` when none came in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def _wait_ready(process: subprocess.Popen[bytes], ready_file: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not ready_file.exists():
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, f"the product did not start:\n{log.read_text(errors='replace')[-4000:]}"
        time.sleep(0.1)
    ready: dict[str, Any] = json.loads(ready_file.read_text())
    return ready
