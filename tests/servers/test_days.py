"""Looks and calls are counted with their day, once, and told as what they came to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from core.histogram import SIZE
from servers.days import CALL_DAYS, DAYS, Calls, Looks, calls_of, looks_of, note_calls, note_look
from servers.models import CallDay, HealthDay, HealthSample, Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(db: None) -> Server:
    return Server.objects.create(slug="files", name="Files", url="http://127.0.0.1/", environment="development")


def noon(days_ago: int = 0) -> datetime:
    return datetime.combine(timezone.now().astimezone(UTC).date(), datetime.min.time(), UTC) - timedelta(
        days=days_ago, hours=-12
    )


def test_looks_are_counted_with_their_day_and_each_is_kept(server: Server) -> None:
    for taken in (10, 12, 14):
        note_look(server, time=noon(1), latency_ms=taken)
    note_look(server, time=noon(1), latency_ms=5000, error_class="timeout")
    note_look(server, time=noon(), latency_ms=7)
    yesterday, today = looks_of(server)[-2:]
    assert (yesterday.looks, yesterday.complete, yesterday.share, yesterday.p50) == (4, 3, 0.75, 12)
    assert today == Looks(noon().date(), 1, 1, 7, 7)
    assert HealthSample.objects.filter(ok=True).count() == 4


def test_a_day_is_that_of_utc(server: Server) -> None:
    midnight = noon() - timedelta(hours=12)
    for moment in (midnight, midnight - timedelta(microseconds=1)):
        note_look(server, time=moment, latency_ms=1)
    assert [day.looks for day in looks_of(server)[-2:]] == [1, 1]


def test_every_day_is_told_and_one_without_anything_tells_nothing(server: Server) -> None:
    assert (len(looks_of(server)), len(calls_of(server))) == (DAYS, CALL_DAYS)
    assert looks_of(server)[-1] == Looks(noon().date())
    assert looks_of(server)[-1].share is None
    assert calls_of(server)[-1] == Calls(noon().date())


def test_calls_of_all_servers_are_counted_and_those_of_unknown_ones_passed_over(server: Server) -> None:
    other = Server.objects.create(slug="mail", name="Mail", url="http://127.0.0.1:1/", environment="development")
    note_calls([("files", noon(), 3), ("mail", noon(), 5), ("nobody", noon(), 7), ("files", noon(2), 9)])
    note_calls([("files", noon(), 5)])
    assert [day.calls for day in calls_of(server)[-3:]] == [1, 0, 2]
    assert calls_of(other)[-1] == Calls(noon().date(), 1, 5, 5)
    note_calls([])
    assert CallDay.objects.count() == 3


def test_what_was_rolled_back_is_not_counted(server: Server) -> None:
    with transaction.atomic():
        note_look(server, time=noon(), latency_ms=1)
        transaction.set_rollback(True)
    assert not HealthDay.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_that_count_at_once_lose_nothing(server: Server) -> None:
    def count(_number: int) -> None:
        try:
            for _ in range(20):
                note_calls([("files", noon(), 3)])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(4)))
    assert calls_of(server)[-1].calls == 80


@pytest.mark.parametrize(
    "took", [[0] * (SIZE - 1), [0] * SIZE + [1], [-1] + [0] * (SIZE - 1), [None] + [0] * (SIZE - 1)]
)
@pytest.mark.parametrize("columns", ["servers_callday (server_id, day, took) VALUES (%s, now(), %s)",
                                     "servers_healthday (server_id, day, took, failed) VALUES (%s, now(), %s, 0)"])  # fmt: skip
def test_counts_that_are_not_whole_are_refused(server: Server, took: list[Any], columns: str) -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {columns}", [server.pk, took])


def test_a_day_has_one_row(server: Server) -> None:
    CallDay.objects.create(server=server, day=noon().date(), took=[0] * SIZE)
    with pytest.raises(IntegrityError):
        CallDay.objects.create(server=server, day=noon().date(), took=[0] * SIZE)
