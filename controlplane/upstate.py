"""What `./dev up` keeps from run to run: data, secrets, and the lock that makes a state directory one run's own.

Plain Python: no Django, no settings.
"""

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controlplane import devpostgres
from controlplane.devprocess import server_account

# Everything that `up` makes below the state directory and that `--fresh` removes.
_OURS = ("postgres", "valkey", "secrets", "beat", "sequencer", "environment.json", "postgres.log", "valkey.log")
_SECRETS = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "SECRETS_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    "AUDIT_SIGNING_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    "TOKEN_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    "ADMIN_PASSWORD": lambda: secrets.token_urlsafe(15),
    "REVIEWER_PASSWORD": lambda: secrets.token_urlsafe(15),
}


class UpError(Exception):
    """Starting is impossible; the message is for people."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    port: int
    state: Path
    demo: bool
    fresh: bool
    ready_file: Path | None


@contextmanager
def locked_state(options: Options) -> Iterator[None]:
    """The state directory, ours alone for the length of the block."""
    if not options.state.exists():
        options.state.mkdir(parents=True)
        # PostgreSQL, which does not run as root, passes through; what lies beside its data is private by itself.
        options.state.chmod(0o711)
    with (options.state / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UpError(
                f"Another './dev up' uses the state directory '{options.state}'. Stop it, or choose another "
                "directory with --state-dir and another --port."
            ) from error
        if options.fresh:
            remove_state(options.state)
        yield


def remove_state(state: Path) -> None:
    """Remove what `up` makes and nothing else: somebody may name a directory that holds more."""
    paths = [state / name for name in _OURS]
    paths.append(devpostgres.data_directory(state / "postgres", server_account()))
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def keep_secrets(directory: Path) -> dict[str, Path]:
    """A file for each secret, readable for us alone; made at the first start and kept."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = {name: directory / name for name in _SECRETS}
    for name, path in files.items():
        if not path.exists():
            write_atomically(path, _SECRETS[name]())
    return files


def write_atomically(path: Path, text: str) -> None:
    """Write a private file in one step, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)


@contextmanager
def published(path: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The settings in a private file while we run, for `./dev manage`; the secrets in it are names of files."""
    added = {name: value for name, value in environment.items() if os.environ.get(name) != value}
    write_atomically(path, json.dumps(added, indent=2))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def agent_file(options: Options) -> Path:
    """Where the demo agent's id and secret are kept."""
    return options.state / "secrets" / "DEMO_AGENT"
