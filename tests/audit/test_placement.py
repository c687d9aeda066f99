"""Every record gets exactly one place, in commit order, whoever commits when."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from audit import services
from audit.drafts import Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Leaf, Pending, Record
from audit.proof.chain import leaf
from core.actor import system_actor
from core.ids import new_id

SYSTEM = system_actor("test")
WAIT = 10.0


def a_record(subject: str) -> Record:
    return services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM, subject=subject)


def a_gateway_record(writer: UUID, seq: int) -> Record:
    now = timezone.now()
    draft = RecordDraft(type=RecordType.INTENT, event=Event.CALL_INTENDED, principal="agent:a", time=now)
    shard = shard_of(now)
    return Record.objects.create(
        **columns(draft, installation=settings.INSTALLATION_ID, shard=shard, position=Position(writer, seq))
    )


def subjects_in_place_order() -> list[str]:
    subjects = dict(Record.objects.values_list("id", "subject"))
    return [subjects[leaf.record_id] for leaf in Leaf.objects.after(-1)]


@pytest.mark.django_db
def test_leaves_are_gapless_from_zero_and_hash_the_body() -> None:
    made = [a_record(f"team:{name}") for name in "abc"]
    assert services.place_records() == 3
    leaves = list(Leaf.objects.after(-1))
    assert [leaf.index for leaf in leaves] == [0, 1, 2]
    assert [leaf.record_id for leaf in leaves] == [each.id for each in made]
    assert [bytes(place.hash) for place in leaves] == [leaf(bytes(each.body)) for each in made]
    assert not Pending.objects.exists()
    assert not Record.objects.all().unplaced().exists()


@pytest.mark.django_db
def test_placing_again_places_nothing_again() -> None:
    a_record("team:a")
    assert [services.place_records(), services.place_records()] == [1, 0]
    a_record("team:b")
    assert services.place_records() == 1
    assert Leaf.objects.head() == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_commits_late_is_placed_after_those_that_overtook_it() -> None:
    inserted, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            a_record("team:slow")
            inserted.set()
            assert may_commit.wait(WAIT)
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(slow)
        assert inserted.wait(WAIT)
        a_record("team:fast")
        assert services.place_records() == 1
        may_commit.set()
        running.result(WAIT)
    assert services.place_records() == 1
    assert subjects_in_place_order() == ["team:fast", "team:slow"]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_record_leaves_neither_queue_nor_place() -> None:
    with transaction.atomic():
        a_record("team:gone")
        transaction.set_rollback(True)
    assert services.place_records() == 0
    assert not Pending.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_many_leaders_place_each_record_once() -> None:
    def write(number: int) -> None:
        for step in range(10):
            with transaction.atomic():
                a_record(f"team:{number}-{step}")
        connections.close_all()

    def lead(_number: int) -> None:
        for _ in range(10):
            services.place_records()
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        for done in [*(pool.submit(write, n) for n in range(5)), *(pool.submit(lead, n) for n in range(3))]:
            done.result(60)
    services.place_records()
    assert [leaf.index for leaf in Leaf.objects.after(-1)] == list(range(50))
    assert len(set(subjects_in_place_order())) == 50


@pytest.mark.django_db(transaction=True)
def test_while_another_process_leads_nothing_is_placed() -> None:
    a_record("team:a")
    leading, may_end = threading.Event(), threading.Event()

    def other_leader() -> None:
        from audit.placement import lead  # the very lock

        with transaction.atomic():
            assert lead()
            leading.set()
            assert may_end.wait(WAIT)
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(other_leader)
        assert leading.wait(WAIT)
        assert services.place_records() == 0
        may_end.set()
        running.result(WAIT)
    assert services.place_records() == 1


@pytest.mark.django_db
def test_a_hole_in_a_writers_sequence_holds_that_writer_only() -> None:
    whole, broken = new_id(), new_id()
    a_gateway_record(broken, 1)
    a_gateway_record(broken, 3)
    a_gateway_record(whole, 1)
    a_gateway_record(whole, 2)
    a_record("team:a")
    assert services.place_records() == 4
    assert services.place_records() == 0
    a_gateway_record(broken, 2)
    assert services.place_records() == 2
    assert list(Leaf.objects.filter(writer=broken).order_by("index").values_list("seq", flat=True)) == [1, 2, 3]


@pytest.mark.django_db
def test_a_writers_sequence_goes_on_where_it_was_placed_last() -> None:
    writer = new_id()
    for seq in (1, 2):
        a_gateway_record(writer, seq)
    assert services.place_records() == 2
    a_gateway_record(writer, 3)
    assert services.place_records() == 1


@pytest.mark.django_db(transaction=True)
def test_a_record_that_somebody_deleted_holds_up_nobody_else(owner_connection: psycopg.Connection[Any]) -> None:
    gone = a_record("team:gone")
    owner_connection.execute(f"ALTER TABLE audit_record_{gone.shard} DISABLE TRIGGER audit_no_change")
    owner_connection.execute("DELETE FROM audit_record WHERE id = %s", (gone.id,))
    a_record("team:a")
    assert services.place_records() == 1
    assert subjects_in_place_order() == ["team:a"]
    assert Pending.objects.get().record_id == gone.id


@pytest.mark.django_db
def test_more_than_a_batch_is_placed_in_one_go() -> None:
    writer = new_id()
    for seq in range(1, 521):
        a_gateway_record(writer, seq)
    assert services.place_records() == 520
    assert Leaf.objects.head() == 519
    assert connection.in_atomic_block
