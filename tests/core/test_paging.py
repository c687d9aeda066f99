"""Pages whose rows are read by key."""

import pytest
from django.core.paginator import EmptyPage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Team
from core.paging import KeyPaginator

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages() -> KeyPaginator:
    Team.objects.bulk_create(Team(slug=f"team-{n}", name=f"Team {n}") for n in range(7))
    return KeyPaginator(Team.objects.order_by("-slug"), Team.objects.only("slug"), 3)


def test_rows_come_page_by_page_in_the_order_asked_for(pages: KeyPaginator) -> None:
    assert [[row.slug for row in page] for page in pages] == [
        ["team-6", "team-5", "team-4"],
        ["team-3", "team-2", "team-1"],
        ["team-0"],
    ]
    assert pages.count == 7
    assert pages.get_page("99").number == 3
    with pytest.raises(EmptyPage):
        pages.page(9)


def test_what_is_shown_is_asked_for_by_key(pages: KeyPaginator) -> None:
    with CaptureQueriesContext(connection) as asked:
        list(pages.page(2))
    (_, keys, rows) = [query["sql"] for query in asked]
    assert "OFFSET 3" in keys
    assert "OFFSET" not in rows
    assert " IN (" in rows


def test_a_row_that_is_gone_meanwhile_is_left_out(pages: KeyPaginator) -> None:
    page = KeyPaginator(Team.objects.order_by("slug"), Team.objects.exclude(slug="team-1"), 3).page(1)
    assert [row.slug for row in page] == ["team-0", "team-2"]
