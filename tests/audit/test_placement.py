"""Every record gets exactly one place, in commit order, whoever commits when."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from audit import services, tasks
from audit.drafts import RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import ClosedWriter, Epoch, Leaf, Pending, Record
from audit.proof.chain import control_plane_mac, key_id, leaf
from core.actor import system_actor
from tests.audit.gateway_log import GatewayLog

SYSTEM = system_actor("test")
WAIT = 10.0


def a_record(subject: str) -> Record:
    return services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM, subject=subject)


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
def test_gateways_records_are_placed_by_their_numbers_without_a_queue() -> None:
    one, other = GatewayLog(), GatewayLog()
    made = [one.says(), other.says(), one.says(), one.says(), other.says()]
    assert not Pending.objects.exists()
    assert services.place_records() == 5
    assert [leaf.record_id for leaf in Leaf.objects.after(-1)] == [each.id for each in made]
    assert services.place_records() == 0
    one.says()
    assert services.place_records() == 1


@pytest.mark.django_db
def test_a_hole_holds_its_writer_and_alarms(caplog: pytest.LogCaptureFixture) -> None:
    whole, broken = GatewayLog(), GatewayLog(with_mac=False)
    for number in (1, 3):
        broken.says(number=number)
    whole.says()
    whole.says()
    a_record("team:a")
    assert services.place_records() == 4
    assert services.place_records() == 0
    assert f"hole in audit writer {broken.writer} before sequence 3: not placed" in caplog.text
    broken.says(number=2)
    assert services.place_records() == 2
    places = Leaf.objects.filter(writer=broken.writer).order_by("index")
    assert list(places.values_list("seq", flat=True)) == [1, 2, 3]


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["mac", "chain", "key", "another key's id"])
def test_a_record_with_a_wrong_mac_is_not_placed(wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    log = GatewayLog()
    log.says()
    if wrong == "mac":
        log.says(mac=settings.AUDIT_KEYS[0][:4] + bytes(32))
    elif wrong == "chain":
        log.chain.link = bytes(32)
        log.says()
    else:
        key = settings.AUDIT_KEYS[0]
        log.says(mac=(key_id(key) if wrong == "key" else bytes(4)) + bytes(32))
    log.says()
    a_record("team:a")
    assert services.place_records() == 2
    assert f"of writer {log.writer}, sequence 2, is not authentic: not placed" in caplog.text
    assert Leaf.objects.filter(writer=log.writer).count() == 1


@pytest.mark.django_db
def test_a_record_of_the_control_plane_with_a_wrong_mac_is_not_placed() -> None:
    shard = shard_of(timezone.now())
    draft = RecordDraft(type=RecordType.ADMIN, event=Event.TEAM_CREATED, principal="system:x", time=timezone.now())
    row = columns(draft, installation=settings.INSTALLATION_ID, shard=shard)
    Record.objects.create(**row, mac=control_plane_mac(bytes(32), draft.id, shard, leaf(row["body"])))
    a_record("team:a")
    assert services.place_records() == 1
    assert Pending.objects.get().record_id == draft.id


@pytest.mark.django_db
def test_a_key_that_only_verifies_still_does(settings: Any) -> None:
    log = GatewayLog()
    log.says()
    a_record("team:a")
    settings.AUDIT_KEYS = (bytes(32), *settings.AUDIT_KEYS)
    assert services.place_records() == 2


@pytest.mark.django_db
def test_records_of_the_release_before_are_placed_and_those_that_it_queued_leave_the_queue() -> None:
    log = GatewayLog(with_mac=False)
    for _ in range(2):
        said = log.says()
        Pending.objects.create(shard=said.shard, record_id=said.id, writer=said.writer, seq=said.seq)
    assert services.place_records() == 2
    assert not Pending.objects.exists()


@pytest.mark.django_db
def test_after_log_chained_records_without_a_mac_are_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    GatewayLog(with_mac=False).says()
    services.record(type=RecordType.CHECKPOINT, event=Event.LOG_CHAINED, actor=SYSTEM)
    assert services.place_records() == 1
    assert "is not authentic: not placed" in caplog.text
    assert Leaf.objects.get().writer is None


@pytest.mark.django_db
def test_a_log_chained_that_somebody_put_in_by_hand_changes_nothing() -> None:
    draft = RecordDraft(type=RecordType.CHECKPOINT, event=Event.LOG_CHAINED, principal="system:x", time=timezone.now())
    Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=shard_of(timezone.now())))
    GatewayLog(with_mac=False).says()
    assert services.place_records() == 2


@pytest.mark.django_db
def test_a_writer_of_a_month_long_over_is_asked_until_all_is_placed() -> None:
    long_over = shard_of(timezone.now()) - 100
    log = GatewayLog(shard=long_over)
    assert services.place_records() == 0
    assert ClosedWriter.objects.get().writer == log.writer


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
    a_record("team:a")
    services.record_many([{"type": RecordType.ADMIN, "event": Event.TEAM_CREATED, "actor": SYSTEM} for _ in range(519)])
    assert services.place_records() == 520
    assert Leaf.objects.head() == 519


@pytest.mark.django_db
def test_the_task_places_only_where_there_is_no_sequencer() -> None:
    a_record("team:a")
    tasks.place_records()
    assert Leaf.objects.count() == 1
    Epoch.objects.create(host="h", process="p", started_at=timezone.now())
    a_record("team:b")
    tasks.place_records()
    assert Leaf.objects.count() == 1
