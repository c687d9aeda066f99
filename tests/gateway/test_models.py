"""Rows of sessions: what the database itself holds to, as the application's role."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from core.ids import new_id
from gateway.models import Session

pytestmark = pytest.mark.django_db

URL = "https://up.example/mcp"


def row(**values: Any) -> Session:
    """A row that was written."""
    known: dict[str, Any] = {"id": new_id(), "slug": "files", "holder": "1|", "version": "2025-11-25"}
    return Session.objects.create(**{**known, **values})


def test_a_session_begins_with_nothing_behind_it() -> None:
    made = Session.objects.get(pk=row().pk)
    assert (made.generation, made.upstream_url, made.upstream_id, made.ended_at) == (0, "", "", None)
    assert (made.capabilities, made.created_at is not None) == ({}, True)
    assert str(made) == f"files {made.id}"


@pytest.mark.parametrize(("generation", "url"), [(0, URL), (1, ""), (7, "")])
def test_what_stands_behind_a_session_has_a_generation_and_an_address_or_neither(generation: int, url: str) -> None:
    with pytest.raises(IntegrityError, match="gateway_session_generation_paired"), transaction.atomic():
        row(generation=generation, upstream_url=url)
    made = row()
    with pytest.raises(IntegrityError, match="gateway_session_generation_paired"), transaction.atomic():
        Session.objects.filter(pk=made.pk).update(generation=generation, upstream_url=url)


def test_a_session_that_a_server_keeps_no_id_for_is_one_all_the_same() -> None:
    made = row(generation=1, upstream_url=URL, upstream_id="")
    assert Session.objects.get(pk=made.pk).generation == 1


def test_two_sessions_have_no_id_in_common() -> None:
    id_ = row().pk
    with pytest.raises(IntegrityError), transaction.atomic():
        row(id=id_)


def test_the_application_may_remove_what_has_expired() -> None:
    made = row()
    Session.objects.filter(pk=made.pk).delete()
    assert not Session.objects.exists()


def test_what_has_expired_is_found_in_the_order_of_an_index() -> None:
    """Each opening looks for it, however many sessions there are."""
    with connection.cursor() as cursor:
        # The planner may read a table of no rows as it likes; what counts is that the index can be used.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    said = Session.objects.filter(created_at__lt=row().created_at).explain()
    assert "gateway_session_by_age" in said
