"""A page of the log costs a page, however long the log is."""

from typing import Any

import pytest
from django.db import connection

from audit.models import Leaf, Record

pytestmark = pytest.mark.django_db


def plan(rows: Any) -> str:
    with connection.cursor() as cursor:
        # The planner may read a table of no rows as it likes; what counts is that an index can give the order.
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_incremental_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_seqscan = off")
    return str(rows.explain())


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "pkey"),
        ({"type": "deny"}, "type"),
        ({"agent": "ci"}, "agent"),
        ({"server": "files", "tool": "read"}, "tool"),
    ],
)
def test_a_page_is_read_in_the_order_of_an_index(filters: dict[str, Any], index: str) -> None:
    said = plan(Record.objects.all().matching(**filters).newest_first()[:51])
    assert "Sort" not in said
    assert index in said


def test_followers_read_places_in_the_order_of_an_index() -> None:
    said = plan(Leaf.objects.after(100)[:500])
    assert "Seq Scan" not in said
    assert "index" in said
