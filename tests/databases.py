"""Test databases: copies of one template that the owner role migrated; tests connect as the application's role.

So every test meets the privileges of production. The template is made once per run, by whichever process
needs it first. `@pytest.mark.django_db` rolls back inside a worker's own copy. `transaction=True` gets a fresh
copy: Django would flush instead, a flush truncates, and the audit tables refuse that by trigger.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from asgiref.sync import SyncToAsync
from django.db import connections, transaction
from django.test import TransactionTestCase
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege, ObjectInUse

ROOT = Path(__file__).resolve().parent.parent
# Handed to xdist's workers through the environment, as the servers' addresses are.
RUN_VARIABLE = "HOLDFAST_TEST_RUN"
_numbers = count(1)
T = TypeVar("T")


def start_run() -> None:
    """Name this run's databases, unless a controlling process did."""
    os.environ.setdefault(RUN_VARIABLE, f"holdfast_test_{secrets.token_hex(4)}")


def owner_connection(database: str | None = None) -> "psycopg.Connection[Any]":
    """A connection as the owner role, in autocommit; `database` None: the one that DATABASE_ADMIN_URL names."""
    return psycopg.connect(url_for(os.environ["DATABASE_ADMIN_URL"], database), autocommit=True)


def url_for(url: str, database: str | None) -> str:
    """`url` with another database, as a libpq connection string."""
    return make_conninfo(url, **({"dbname": database} if database else {}))


def template() -> str:
    """The name of the migrated template, made now if nobody made it yet."""
    name = f"{os.environ[RUN_VARIABLE]}_template"
    with owner_connection() as connection:
        # Released when the connection closes; other workers wait here meanwhile.
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            unfinished = f"{name}_{os.getpid()}"
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unfinished)))
            _migrate(url_for(os.environ["DATABASE_ADMIN_URL"], unfinished))
            names = (sql.Identifier(unfinished), sql.Identifier(name))
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
    return name


def _migrate(admin_url: str) -> None:
    role = str(conninfo_to_dict(os.environ["DATABASE_URL"])["user"])
    for command in (["migrate", "--verbosity", "0", "--skip-checks"], ["grant_roles", "--role", role]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": admin_url, "PYTHONWARNINGS": "default"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"manage.py {' '.join(command)} failed:\n{done.stdout}{done.stderr}", pytrace=False)


@contextmanager
def copied() -> Iterator[str]:
    """A copy of the template for the length of the block, for other processes."""
    name = f"{os.environ[RUN_VARIABLE]}_{os.getpid()}_{next(_numbers)}"
    source = template()
    with owner_connection() as connection:
        names = (sql.Identifier(name), sql.Identifier(source))
        # By file: the other way each page goes through the log, which costs several times that.
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*names))
    try:
        yield name
    finally:
        _drop(name)


@contextmanager
def fresh_copy() -> Iterator[str]:
    """A copy of the template for the length of the block, and Django's default connection pointed to it."""
    before = str(connections["default"].settings_dict["NAME"])
    with copied() as name:
        _point_to(name)
        try:
            yield name
        finally:
            _point_to(before)


@contextmanager
def filled_copy(blocker: Any, make: Callable[[], T]) -> Iterator[T]:
    """The same with what `make` makes, which it answers, for all tests of a module; nobody is told of it."""
    whole = transaction.atomic()
    whole._from_testcase = True  # type: ignore[attr-defined]  # as in any test, what is durable may be in it
    with blocker.unblock(), fresh_copy():
        with whole:
            made = make()
            transaction.get_connection().run_on_commit.clear()
        yield made


def _drop(name: str) -> None:
    # Whoever is still connected is cut off. An owner who may not do that (a server that is not ours) leaves the
    # copy to the end of the run.
    with owner_connection() as connection, suppress(InsufficientPrivilege, ObjectInUse):
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _point_to(name: str) -> None:
    """Point Django, all its threads and our future subprocesses to database `name`."""
    connections.close_all()
    # The thread in which async tests use the ORM lives on from test to test.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    # The very dictionary that settings and the wrappers of all threads share.
    connections["default"].settings_dict["NAME"] = name
    for variable in ("DATABASE_URL", "DATABASE_ADMIN_URL"):
        os.environ[variable] = url_for(os.environ[variable], name)


def drop_all() -> None:
    """Remove what this run made; matters where the server is not ours and lives on."""
    with owner_connection() as connection:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        names = [name for (name,) in connection.execute(query, [os.environ[RUN_VARIABLE]])]
    for name in names:
        _drop(name)


def copy_instead_of_flush(patch: pytest.MonkeyPatch) -> None:
    """The one change to Django's test cases: a fresh copy before a transactional test, dropped after it.

    `TestCase`, the one that rolls back, overrides both methods and so is not touched.
    """
    original = TransactionTestCase._fixture_setup.__func__  # type: ignore[attr-defined]
    entered: list[Any] = []

    def setup(cls: type[TransactionTestCase]) -> None:
        copy = fresh_copy()
        copy.__enter__()
        entered.append(partial(copy.__exit__, None, None, None))
        original(cls)

    def teardown(_self: TransactionTestCase) -> None:
        entered.pop()()

    patch.setattr(TransactionTestCase, "_fixture_setup", classmethod(setup))
    patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
