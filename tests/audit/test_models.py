"""A page of the log costs a page, however long the log is."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit import services
from audit.drafts import shard_of
from audit.events import Event, RecordType
from audit.filters import Filters
from audit.models import Leaf, Record
from core.actor import Actor, ActorKind, system_actor
from core.ids import new_id
from core.permissions import Permission

pytestmark = pytest.mark.django_db


NOW = timezone.now()


def plan(rows: Any, *, bitmaps: str = "off") -> str:
    steer(bitmaps)
    return str(rows.explain())


def plan_of(statement: str) -> str:
    steer("off")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}".replace("%", "%%"))
        return "\n".join(line for (line,) in cursor.fetchall())


def steer(bitmaps: str) -> None:
    with connection.cursor() as cursor:
        # The planner may read a table of no rows as it likes; what counts is that an index can give the order.
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_incremental_sort = off")
        cursor.execute(f"SET LOCAL enable_bitmapscan = {bitmaps}")
        cursor.execute("SET LOCAL enable_seqscan = off")


def many_records() -> None:
    """So many that to the planner no index is as good as another."""
    first = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("ada"))
    values = {field.attname: getattr(first, field.attname) for field in Record._meta.concrete_fields}
    Record.objects.bulk_create(Record(**values | {"id": new_id()}) for _ in range(500))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_record")


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "pkey"),
        ({"type": "deny"}, "type"),
        ({"agent": "ci"}, "agent"),
        ({"server": "files", "tool": "read"}, "tool"),
        ({"decision": "denied"}, "denied"),
        ({"reason": "no_grant"}, "reason"),
        ({"event": "grant.given"}, "event"),
        ({"since": NOW - timedelta(days=1), "until": NOW}, "pkey"),
        ({"until": NOW}, "pkey"),
    ],
)
def test_a_page_is_read_in_the_order_of_an_index(filters: dict[str, Any], index: str) -> None:
    said = plan(Record.objects.all().matching(Filters(**filters))[:51])
    assert "Sort" not in said
    assert index in said


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"principal": "ada"}, "principal"),
        ({"server": "files"}, "tool"),
        ({"tool": "read"}, "tool"),
        ({"call_id": UUID(int=7)}, "call_id"),
        ({"trace_id": "7" * 32}, "trace"),
        ({"intention": "quarterly report"}, "intention"),
        ({"reason": "no_grant", "since": NOW, "decision": "denied"}, "reason"),
    ],
)
def test_every_filter_reads_an_index(filters: dict[str, Any], index: str) -> None:
    many_records()
    found = Record.objects.all().matching(Filters(**filters))
    # Whether it sorts what it found is the planner's to say; in the order of the primary key it would find it too.
    said = plan(found.order_by(), bitmaps="on")
    assert "Seq Scan" not in said
    assert re.search(rf"_{index}", said)


@pytest.mark.parametrize(
    ("filters", "index"), [({}, "pkey"), ({"agent": "ci"}, "agent"), ({"reason": "no_grant"}, "reason")]
)
def test_a_page_behind_a_row_begins_there_in_the_order_of_the_same_index(filters: dict[str, Any], index: str) -> None:
    row = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("ada"))
    with CaptureQueriesContext(connection) as asked:
        Record.objects.all().page(Filters(**filters), 51, after=(shard_of(row.time), row.id))
    (statement,) = [query["sql"] for query in asked if "LIMIT 51" in query["sql"]]
    said = plan_of(statement)
    assert "Sort" not in said
    # What bounds the index is what the planner goes by; a comparison of shard and id at once tells it nothing.
    # Of so few rows the planner may think that the primary key does as well, where anything was analysed before.
    assert re.search(rf"(?:_{index}|_pkey).*Index Cond: .*\(id < '{row.id}'", said, re.DOTALL)
    assert "ROW(" not in said


def test_who_sees_one_team_reads_its_own_index() -> None:
    red = Actor(kind=ActorKind.PERSON, id="", name="", own_team_permissions=frozenset({Permission.AUDIT_READ.value}),
                team_ids=frozenset({1}), team_slugs=frozenset({"red"}))  # fmt: skip
    said = plan(Record.objects.visible_to(red).matching(Filters())[:51])
    assert "Sort" not in said
    assert "team" in said


def test_followers_read_places_in_the_order_of_an_index() -> None:
    said = plan(Leaf.objects.after(100)[:500])
    assert "Seq Scan" not in said
    assert "index" in said
