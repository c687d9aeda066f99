"""One server process of the development services: started as the right system user, stopped without leftovers.

PostgreSQL refuses to run as root, so as root it is started as an unprivileged system account that exists
already; nothing is created on the machine. Plain Python: no Django, no settings.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child between fork and exec may not import or allocate much.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServiceError(Exception):
    """PostgreSQL or Valkey cannot be had; the message is for the person who started the command."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that a server runs as. `switch`: whether we have to become it (we are root)."""

    name: str
    uid: int
    gid: int
    switch: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments of `subprocess.Popen` that start a process as this user."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can(self, test: str, path: Path) -> bool:
        """Whether this user passes `test -<test> path`, every directory above included."""
        done = subprocess.run(["test", f"-{test}", str(path)], cwd="/", check=False, **self.popen_arguments())  # noqa: S607 -- a POSIX tool
        return done.returncode == 0

    def own(self, path: Path) -> None:
        """Give `path` to this user, who alone may look inside."""
        path.chmod(0o700)
        if self.switch:
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """The user for PostgreSQL: whoever we are, or an unprivileged account when we are root."""
    if os.geteuid() != 0:
        return _current_account()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise ServiceError(
        "PostgreSQL does not run as root and this machine has neither a user 'postgres' nor 'nobody'. "
        "Start as an ordinary user, or set DATABASE_URL to a running PostgreSQL."
    )


def _current_account() -> Account:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise ServiceError(
            f"PostgreSQL needs a user with a name, and user id {os.geteuid()} has none. Set DATABASE_URL to a running "
            "PostgreSQL, or start as a user that the system knows."
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=False)


def end_with_parent(number: int) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send signal `number` when our process dies, however it dies."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) and None


def start(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    stop_signal: int,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command`, its output in the file `log`, away from our terminal's Ctrl-C (we stop it ourselves)."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            # Without it a supervisor or test run that is killed leaves the servers behind.
            preexec_fn=end_with_parent(stop_signal),  # noqa: PLW1509 -- one prctl call, nothing imported or allocated
            **(account.popen_arguments() if account else {}),
        )


def wait_until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", *, what: str, log: Path) -> None:
    """Wait up to 30 s until `ready()`; raises ServiceError with the log's end when the process dies or hangs."""
    deadline = time.monotonic() + 30
    while not ready():
        if process.poll() is not None:
            raise ServiceError(f"{what} ended at once with code {process.returncode}:\n{log_end(log)}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{what} did not answer within 30 s:\n{log_end(log)}")
        time.sleep(0.02)


def log_end(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def stop(process: "subprocess.Popen[bytes]", stop_signal: int, *, seconds: float = 20) -> None:
    """Stop cleanly; after `seconds`, by force."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
