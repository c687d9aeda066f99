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


def test_where_the_filter_is_dear_rows_and_count_are_one_question() -> None:
    Team.objects.bulk_create(Team(slug=f"team-{n}", name=f"Team {n}") for n in range(7))

    def asked_for(number: str | None) -> tuple[list[str], int, int, int]:
        pages = KeyPaginator(Team.objects.order_by("slug"), Team.objects.only("slug"), 3, dear=True)
        with CaptureQueriesContext(connection) as asked:
            page = pages.get_page(number)
            found = [row.slug for row in page], page.number, pages.count, pages.num_pages
        assert len(asked) == (2 if number in (None, "1", "3") else 4)
        return found

    assert asked_for(None) == asked_for("1") == (["team-0", "team-1", "team-2"], 1, 7, 3)
    assert asked_for("3") == (["team-6"], 3, 7, 3)
    assert asked_for("99") == (["team-6"], 3, 7, 3)


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 30])
def test_a_number_that_is_none_leads_to_the_nearest_page(number: str) -> None:
    Team.objects.bulk_create(Team(slug=f"team-{n}", name=f"Team {n}") for n in range(7))
    both = [
        KeyPaginator(Team.objects.order_by("slug"), Team.objects.only("slug"), 3, dear=dear).get_page(number).number
        for dear in (False, True)
    ]
    assert both[0] == both[1]
