import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from controlplane import devpostgres, devservices, devvalkey
from controlplane.devprocess import server_account
from tests.databases import ROOT

BARE = {"PATH": os.environ["PATH"]}


@pytest.fixture
def state(tmp_path) -> Iterator[Path]:
    """A state directory; as root, PostgreSQL cannot reach a private one, and its data goes elsewhere."""
    yield tmp_path
    shutil.rmtree(devpostgres.data_directory(tmp_path / "postgres", server_account()), ignore_errors=True)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 60
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline, "a server is still there"
        time.sleep(0.05)


def test_urls_of_the_environment_win_and_nothing_is_started():
    given = {"DATABASE_URL": "postgresql://a@/b", "DATABASE_ADMIN_URL": "postgresql://o@/b", "REDIS_URL": "redis://h/1"}
    with devservices.running({**BARE, **given}) as services:
        assert services.environment() == given
        assert (services.postgres_pid, services.valkey_pid) == (None, None)


def test_a_url_may_come_from_a_file(tmp_path):
    file = tmp_path / "url"
    file.write_text("postgresql://from@/file\n", encoding="utf-8")
    given = {"DATABASE_URL_FILE": str(file), "REDIS_URL": "redis://h/1"}
    with devservices.running({**BARE, **given}) as services:
        assert services.database_url == "postgresql://from@/file"


def test_the_two_roles_are_those_of_production_and_everything_is_gone_afterwards():
    with devservices.running(BARE) as services:
        with psycopg.connect(services.database_url) as application:
            assert application.execute("SELECT current_user").fetchone() == ("holdfast_app",)
            query = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            assert application.execute(query).fetchone() == (False,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute("CREATE TABLE public.mine ()")
        with psycopg.connect(services.database_admin_url) as owner:
            assert owner.execute("SELECT current_user").fetchone() == ("holdfast_owner",)
            query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'holdfast'"
            assert owner.execute(query).fetchone() == ("holdfast_owner",)
            query = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'"
            assert owner.execute(query).fetchone() == ("holdfast_owner",)
        with Redis.from_url(services.redis_url) as valkey:
            assert valkey.ping()
        socket = Path(services.redis_url.removeprefix("unix://"))
        assert socket.is_socket()
    assert services.postgres_pid
    assert services.valkey_pid
    wait_until_gone(services.postgres_pid, services.valkey_pid)
    assert not socket.parent.exists()


def test_no_tcp_port_is_opened():
    with devservices.running(BARE) as services, psycopg.connect(services.database_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        with Redis.from_url(services.redis_url) as valkey:
            assert valkey.config_get("port") == {"port": "0"}


def test_durable_servers_keep_their_data_and_sync_it(state):
    for expected in ([], [(1,)]):
        with devservices.running(BARE, state=state, durable=True) as services:
            with psycopg.connect(services.database_admin_url) as owner:
                owner.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
                assert owner.execute("SELECT n FROM kept").fetchall() == expected
                owner.execute("INSERT INTO kept VALUES (1)")
                assert owner.execute("SHOW fsync").fetchone() == ("on",)
                query = "SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user"
                assert owner.execute(query).fetchone() == (False,)
    # As root the data may be elsewhere, see devpostgres.data_directory.
    data = devpostgres.data_directory(state / "postgres", server_account())
    assert (data / "PG_VERSION").exists()
    assert data.stat().st_mode & 0o077 == 0


def test_the_servers_end_when_their_starter_is_killed(tmp_path):
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from controlplane import devservices\n"
        "with devservices.running({'PATH': os.environ['PATH']}) as s:\n"
        "    print(s.postgres_pid, s.valkey_pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    with starter.stdout:
        pids = [int(part) for part in starter.stdout.readline().split()]
        os.kill(starter.pid, signal.SIGKILL)
        starter.wait()
    wait_until_gone(*pids)


def test_a_wrong_directory_in_pg_bin_is_a_sentence(tmp_path):
    with pytest.raises(devservices.ServiceError, match=r"PG_BIN is .* finds no program"):
        devpostgres.find_binaries({"PG_BIN": str(tmp_path)}, server_account())


def test_a_wrong_program_in_valkey_bin_is_a_sentence(tmp_path):
    with pytest.raises(devservices.ServiceError, match=r"VALKEY_BIN is .* not a program"):
        devvalkey.find_program({"VALKEY_BIN": str(tmp_path)})


def test_data_of_another_major_version_is_refused_with_a_way_out(state):
    with devservices.running(BARE, state=state, durable=True):
        pass
    data = devpostgres.data_directory(state / "postgres", server_account())
    (data / "PG_VERSION").write_text("12\n", encoding="utf-8")
    with pytest.raises(devservices.ServiceError, match=r"made by PostgreSQL 12.*--fresh"):
        with devservices.running(BARE, state=state, durable=True):
            pass
