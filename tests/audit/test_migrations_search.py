"""The indexes of the search are built beside writers, and again after an interruption; and what is known of words."""

import re
from importlib import import_module
from threading import Event as Signal
from threading import Thread
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from audit import services
from audit.drafts import RecordDraft, columns, next_shard, shard_of
from audit.events import Event, RecordType
from audit.models import Record
from core.actor import system_actor

migration = import_module("audit.migrations.0008_search")
said = import_module("audit.migrations.0011_said")
pytestmark = pytest.mark.django_db(transaction=True)
STATE = """
SELECT parent.relname, i.indisvalid, count(child.inhrelid)
FROM pg_class AS parent JOIN pg_index AS i ON i.indexrelid = parent.oid
LEFT JOIN pg_inherits AS child ON child.inhparent = parent.oid
WHERE parent.relname = ANY (%s) GROUP BY 1, 2
"""
NAMES = [f"audit_record_{name}" for name in migration.INDEXES]


def as_owner(owner: psycopg.Connection[Any]) -> Any:
    return SimpleNamespace(connection=SimpleNamespace(cursor=owner.cursor))


def state(owner: psycopg.Connection[Any]) -> list[Any]:
    return sorted(owner.execute(STATE, [NAMES]).fetchall())


def shards() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_record'::regclass")
        return int(cursor.fetchone()[0])


KNOWN = """
SELECT shard.inhrelid::regclass::text, count(known.oid)
FROM pg_inherits AS shard LEFT JOIN pg_statistic_ext AS known ON known.stxrelid = shard.inhrelid
WHERE shard.inhparent = 'audit_record'::regclass GROUP BY 1
"""


def record() -> None:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("writer"))


def test_it_builds_them_while_records_are_written_and_goes_on_after_an_interruption(
    owner_connection: psycopg.Connection[Any],
) -> None:
    whole = [(name, True, shards()) for name in sorted(NAMES)]
    assert state(owner_connection) == whole
    migration.drop(None, as_owner(owner_connection))
    assert state(owner_connection) == []
    # What an interrupted run leaves: a parent's index without those of the shards, and one that never became valid.
    shard = f"audit_record_{shard_of(timezone.now())}"
    owner_connection.execute(f"CREATE INDEX audit_record_reason ON ONLY audit_record {migration.INDEXES['reason']}")
    for _ in range(2):
        record()
    with pytest.raises(psycopg.errors.UniqueViolation):
        owner_connection.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {shard}_reason ON {shard} (event)")
    done, failures = Signal(), []

    def write() -> None:
        try:
            while not done.is_set():
                record()
        except DatabaseError as error:
            failures.append(error)
        finally:
            connection.close()

    writer = Thread(target=write)
    writer.start()
    try:
        migration.build(None, as_owner(owner_connection))
        migration.build(None, as_owner(owner_connection))
    finally:
        done.set()
        writer.join()
    assert failures == []
    assert Record.objects.count() > 0
    assert state(owner_connection) == whole


def test_a_shard_made_later_has_them_too(owner_connection: psycopg.Connection[Any]) -> None:
    before = shards()
    later = shard_of(timezone.now())
    for _ in range(4):
        later = next_shard(later)
    owner_connection.execute("SELECT audit_create_shard(%s)", [later])
    assert state(owner_connection) == [(name, True, before + 1) for name in sorted(NAMES)]


def test_how_often_a_word_is_said_is_known_of_every_shard_and_of_one_made_later(
    owner_connection: psycopg.Connection[Any],
) -> None:
    later = shard_of(timezone.now())
    for _ in range(4):
        later = next_shard(later)
    owner_connection.execute("SELECT audit_create_shard(%s)", [later])
    known = dict(owner_connection.execute(KNOWN).fetchall())
    assert f"audit_record_{later}" in known
    assert set(known.values()) == {1}
    said.gather(None, as_owner(owner_connection))  # as after an interruption
    assert dict(owner_connection.execute(KNOWN).fetchall()) == known
    said.drop(None, as_owner(owner_connection))
    assert set(dict(owner_connection.execute(KNOWN).fetchall()).values()) == {0}
    said.gather(None, as_owner(owner_connection))
    assert dict(owner_connection.execute(KNOWN).fetchall()) == known


def test_the_planner_expects_more_records_with_a_word_that_is_said_often(
    owner_connection: psycopg.Connection[Any],
) -> None:
    now = timezone.now()
    shard = shard_of(now)
    for number in range(200):
        draft = RecordDraft(
            type=RecordType.INTENT,
            event=Event.CALL_INTENDED,
            principal="agent:ci",
            time=now,
            intention=f"To read number{number}.",
        )
        Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=shard))
    owner_connection.execute(f"ANALYZE audit_record_{shard}")

    def expected(words: str) -> int:
        (rows,) = re.findall(r"rows=(\d+)", Record.objects.filter(shard=shard).saying(words).explain().splitlines()[0])
        return int(rows)

    assert expected("read") > 150
    assert expected("number7") < 20
