"""A database of the release before, with rows in it, migrates; what was decided then goes on to count."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests import databases

BRIEFLY = "SET LOCAL lock_timeout = '1s';"
BEFORE = (("access", "0001"), ("servers", "0003"), ("tools", "0002"), ("alerts", "0001"))
ROWS = """
INSERT INTO access_person (public_id, username, display_name, email, password, is_active, created_at)
    VALUES (gen_random_uuid(), 'rita', '', '', '!', true, now());
INSERT INTO access_role (public_id, name, description, scopes, builtin, reach, created_at, updated_at)
    VALUES (gen_random_uuid(), 'caller', '', '{}', false, 'installation', now(), now());
INSERT INTO servers_server (public_id, slug, name, url, template, transport, environment, state, required_approvals,
        drift_mode, created_at, protocol_era, protocol_version, last_error_class, last_error, poll_interval, failures,
        next_poll_at, last_polled_at, registered_by_id)
    SELECT gen_random_uuid(), 'files', 'Files', 'https://Files.example:443/mcp/', '', 'streamable_http', 'development',
        'active', 1, 'block', '2026-01-01Z', '', '', '', '', 300, 0, now(), '2026-02-02Z', id FROM access_person;
INSERT INTO tools_definition (public_id, server_id, kind, name, present, sensitive, first_seen, last_seen)
    SELECT gen_random_uuid(), id, 'tool', 'read', true, false, now(), now() FROM servers_server;
INSERT INTO tools_definitionversion (public_id, definition_id, digest, projection, text, first_seen)
    SELECT gen_random_uuid(), id, 'sha256:' || repeat('a', 64), 'holdfast-projection/1', '{}', now()
    FROM tools_definition;
INSERT INTO tools_review (public_id, definition_id, version_id, state, change, risk, required_approvals, opened_at)
    SELECT gen_random_uuid(), definition_id, id, 'waiting', '{}', 'low', 1, now() FROM tools_definitionversion;
"""
GRANT = """
INSERT INTO access_grant (public_id, role_id, person_id, environment, reason, created_at)
    SELECT gen_random_uuid(), access_role.id, access_person.id, '', 'A test.', now() FROM access_role, access_person;
"""


@pytest.fixture
def empty() -> "Iterator[str]":
    """The URL of a database of the owner's with nothing in it."""
    name = f"{os.environ[databases.RUN_VARIABLE]}_upgrade_{os.getpid()}"
    with databases.owner_connection() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield databases.url_for(os.environ["DATABASE_ADMIN_URL"], name)
    with databases.owner_connection() as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def migrate(url: str, *wanted: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks", *wanted]
    done = subprocess.run(command, cwd=databases.ROOT, env={**os.environ, "DATABASE_URL": url}, check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_database_with_rows_in_it_is_upgraded(empty: str) -> None:
    for app, number in BEFORE:
        migrate(empty, app, number)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(ROWS)
        connection.execute(GRANT)
    migrate(empty)
    with psycopg.connect(empty) as connection:
        connection.execute(GRANT)  # as the release before goes on doing
        conditions = connection.execute("SELECT conditions FROM access_grant").fetchall()
        row = connection.execute(
            "SELECT endpoint_key, registered_at = created_at, last_complete_at = last_polled_at FROM servers_server"
        ).fetchone()
        limits = connection.execute(
            "SELECT connect_seconds, first_byte_seconds, idle_seconds, total_seconds, stream_seconds, answer_bytes,"
            " concurrent_calls, concurrent_streams FROM servers_server"
        ).fetchone()
        review = connection.execute("SELECT vantage, times, reopens_id FROM tools_review").fetchone()
    assert conditions == [({},), ({},)]
    assert row == ("https://files.example/mcp", True, True)
    assert limits == (5, 60, 60, 300, 3600, 16 * 1024 * 1024, 64, 64)
    assert review == ("poller", 1, None)
    with psycopg.connect(empty, autocommit=True) as connection:
        assert connection.execute("SELECT tags FROM servers_server").fetchall() == [([],)]
        connection.execute("UPDATE servers_server SET tags = '{payments}'")
    migrate(empty, "servers", "0012")
    migrate(empty, "servers")
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT tags FROM servers_server").fetchall() == [([],)]


HELD = (
    ("access", "0011_policy_notes"),
    ("audit", "0010_boots"),
    ("servers", "0008_intention"),
    ("servers", "0009_capture"),
    ("servers", "0010_answers"),
    ("servers", "0013_tags"),
    ("tools", "0005_policy_digests"),
    ("tools", "0006_risk_scores"),
    ("tools", "0007_suppressions"),
    ("tools", "0009_server_findings"),
    ("tools", "0010_scanned_by"),
)


@pytest.mark.parametrize(("app", "name"), HELD, ids="/".join)
def test_a_migration_of_tables_that_are_written_to_bounds_its_wait_first_of_all_both_ways(app: str, name: str) -> None:
    migration = import_module(f"{app}.migrations.{name}").Migration
    operations = migration.operations
    # Without a transaction around them all, each has its own.
    forward, backward = (operations[:1], operations[-1:]) if migration.atomic else (operations, operations)
    said = [*(each.sql for each in forward), *(each.reverse_sql for each in backward)]
    assert {each[: len(BRIEFLY)] for each in said} == {BRIEFLY}


def test_a_trigger_is_not_waited_for_longer_than_a_second_and_comes_again(
    owner_connection: psycopg.Connection[Any],
) -> None:
    migration = import_module("access.migrations.0011_policy_notes").Migration
    (grants,) = (each.sql for each in migration.operations if "ON access_grant\n" in each.sql)
    with databases.owner_connection() as writer, writer.transaction():
        writer.execute("LOCK TABLE access_grant IN ROW EXCLUSIVE MODE")
        owner_connection.execute("SET statement_timeout = '20s'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            owner_connection.execute(grants)
    owner_connection.execute(grants)
    assert owner_connection.execute("SHOW lock_timeout").fetchone() == ("0",)
