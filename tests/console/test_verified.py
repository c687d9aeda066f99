"""What the audit pages say about the log's last verification."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit.models import Record, Verification
from audit.services import request_verification, verify_log
from audit.standing import standing
from core.permissions import Permission
from tests.audit.writing import SYSTEM, Gateway, a_log
from tests.console.world import Page
from tests.factories import actor_with, person_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(person_with(Permission.AUDIT_READ))
    return client


def text(client: Client, url: str = "/audit/") -> str:
    return Page(client.get(url).content.decode()).text


def a_verification(**fields: Any) -> Verification:
    numbers = dict.fromkeys(("first", "until", "records", "authenticated", "unauthenticated", "pruned", "count"), 0)
    return Verification.objects.create(**{"at": timezone.now(), "is_full": True, **numbers, **fields})


def test_a_log_that_nobody_verified_says_so(reader: Client) -> None:
    assert "Never verified" in text(reader)


@pytest.mark.parametrize("queries", [1, 2, 3])
def test_a_verification_that_ends_while_the_page_reads_is_seen_to_run_or_to_have_ended(queries: int) -> None:
    request_verification(actor=actor_with(Permission.AUDIT_READ))
    left = count(queries - 1, -1)

    def ends_after(execute: Any, *of: Any) -> Any:
        read = execute(*of)
        if next(left) == 0:
            a_verification()
        return read

    with connection.execute_wrapper(ends_after):
        stands = standing()
    assert Verification.objects.exists()
    assert stands["verified"] or stands["asked"]


def test_a_verified_log_says_up_to_where_and_when(reader: Client) -> None:
    a_log(Gateway())
    verify_log(actor=SYSTEM, is_full=True)

    said = text(reader)
    assert "Verified up to record 7" in said
    assert "from its beginning" in said
    assert "Verified up to record 7" in text(reader, f"/audit/{Record.objects.first().id}/")  # type: ignore[union-attr]


def test_a_finding_is_red_and_names_its_record(reader: Client) -> None:
    made = a_log(Gateway())[3]
    finding = {
        "kind": "leaf",
        "index": 3,
        "record": str(made.id),
        "means": "the body is not what the log has at this place",
    }
    a_verification(count=2, finding=finding, until=8, at=timezone.now() - timedelta(minutes=5))
    a_verification(is_full=False, until=9)

    page = reader.get("/audit/").content.decode()

    assert "notice--danger" in page
    assert f'href="/audit/{made.id}/"' in page
    said = Page(page).text
    assert "found 2 things" in said
    assert "the body is not what the log has at this place" in said
    assert "number 3 in the log" in said
    assert "Verified up to" not in said


@pytest.mark.parametrize("record", ["", "\u202enonsense<b>", None, 5])
def test_a_finding_that_names_no_record_is_still_shown(reader: Client, record: object) -> None:
    a_verification(count=1, finding={"kind": "cut", "index": 5, "record": record, "means": "the log is shorter"})

    said = text(reader)

    assert "found something" in said
    assert "number 5 in the log" in said


def test_an_empty_log_is_verified_in_words(reader: Client) -> None:
    a_verification()

    assert "Verified while it was empty" in text(reader)
