"""Append-only, tried with raw SQL by the application's role and by the owner."""

import re
from datetime import timedelta
from importlib import import_module
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.utils import timezone

from audit import services
from audit.drafts import next_shard, shard_of
from audit.events import Event, RecordType
from audit.models import Checkpoint, ClosedWriter, Epoch, Leaf, Pending, Record, Writer
from core.actor import Actor, system_actor
from core.ids import new_id
from tests.audit.gateway_log import GatewayLog

SYSTEM = system_actor("test")
TABLES = ("audit_record", "audit_leaf", "audit_writer")


def something_recorded() -> int:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM, subject="team:red")
    Writer.objects.create(id=new_id(), shard=202611, host="h", process="p", started_at=timezone.now())
    assert services.place_records() >= 1
    return shard_of(timezone.now())


@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET shard = shard", "DELETE FROM {}", "TRUNCATE {}"])
def test_application_role_cannot_change_the_log(table: str, statement: str) -> None:
    something_recorded()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.django_db(transaction=True)
def test_owner_is_stopped_by_triggers_on_the_tables_and_every_partition(
    owner_connection: psycopg.Connection[Any],
) -> None:
    shard = something_recorded()
    shards = [shard, next_shard(shard), next_shard(next_shard(shard))]
    partitions = [f"{parent}_{each}" for parent in ("audit_record", "audit_leaf") for each in shards]
    for table in (*TABLES, *partitions):
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner_connection.execute(f"TRUNCATE {table} CASCADE")
    for table in (*TABLES, f"audit_record_{shard}", f"audit_leaf_{shard}"):
        for statement in ("UPDATE {} SET shard = shard", "DELETE FROM {}"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner_connection.execute(statement.format(table))
    assert Record.objects.count() == Leaf.objects.count() >= 1


@pytest.mark.django_db(transaction=True)
def test_nobody_changes_what_was_signed_or_who_led(owner_connection: psycopg.Connection[Any]) -> None:
    now = timezone.now()
    Epoch.objects.create(host="h", process="p", started_at=now)
    Checkpoint.objects.create(origin="o", size=1, root=bytes(32), note="o", signed_at=now, epoch=1)
    ClosedWriter.objects.create(writer=new_id(), seq=1, closed_at=now)
    assert Epoch.objects.create(id=2**62, host="h", process="p", started_at=now).pk == 2, "nobody chooses the number"
    changes = {"audit_epoch": "host = 'x'", "audit_checkpoint": "note = 'x'", "audit_writer_closed": "seq = 2"}
    for table, change in changes.items():
        for statement in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner_connection.execute(statement)
            with pytest.raises(DatabaseError), connection.cursor() as cursor:
                cursor.execute(statement)


@pytest.mark.django_db
def test_triggers_fire_under_replication_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger "
            "WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'audit_%%'"
        )
        found = cursor.fetchall()
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_record'::regclass")
        partitions = [name for (name,) in cursor.fetchall() if name.startswith("audit_record_2")]
    assert {enabled for _, _, enabled in found} == {"A"}
    assert len(partitions) >= 3
    for table in (*partitions, "audit_record"):
        assert {name for each, name, _ in found if each == table} == {
            "audit_no_change",
            "audit_no_truncate",
            "audit_queue",
        }


@pytest.mark.django_db
def test_application_role_cannot_take_a_record_off_the_queue_before_it_has_its_place() -> None:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM)
    waiting = Pending.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_settle(%s::bigint[])", [[waiting.pk]])
        assert cursor.fetchone() == (0,)
    with pytest.raises(DatabaseError), transaction.atomic():
        Pending.objects.all().delete()
    assert Pending.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_put_straight_into_a_partition_is_queued_too(owner_connection: psycopg.Connection[Any]) -> None:
    shard = shard_of(timezone.now())
    owner_connection.execute(
        f"INSERT INTO audit_record_{shard} (shard, id, time, type, event, body) "
        "VALUES (%s, gen_random_uuid(), now(), 'admin', 'team.created', '\\x7b7d')",
        (shard,),
    )
    assert services.place_records() == 1


@pytest.mark.django_db(transaction=True)
def test_the_way_back_queues_what_has_no_place(owner_connection: psycopg.Connection[Any]) -> None:
    log = GatewayLog()
    log.says()
    assert services.place_records() == 1
    waiting = log.says()
    with owner_connection.transaction():
        for statement in import_module("audit.migrations.0003_chained").BACKWARD:
            owner_connection.execute(statement)
    assert Pending.objects.get().record_id == waiting.id
    log.says()
    assert list(Pending.objects.order_by("id").values_list("seq", flat=True)) == [2, 3]


@pytest.mark.django_db
def test_shards_of_this_month_and_the_next_two_exist() -> None:
    assert services.create_shards() == 0


@pytest.mark.django_db
def test_first_record_after_a_long_standstill_makes_its_own_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    later = now.replace(year=now.year + 1, day=1) - timedelta(days=40)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    made = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM)
    assert made.shard == shard_of(later)
    assert Record.objects.filter(shard=made.shard).count() == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        Record.objects.filter(shard=made.shard).update(reason="other")


@pytest.mark.django_db
@pytest.mark.parametrize("shard", [0, 202600, 202613, 190001, 999912, -202611])
def test_no_shard_is_made_for_a_month_far_from_now(shard: int) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_create_shard(%s)", [shard])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [{"type": "gossip"}, {"decision": "perhaps"}, {"seq": 1}, {"writer": new_id()}, {"writer": new_id(), "seq": 0}],
)
def test_unknown_values_are_refused_by_constraint(fields: dict[str, Any]) -> None:
    now = timezone.now()
    row = {"shard": shard_of(now), "id": new_id(), "time": now, "type": "admin", "event": "team.created", "body": b"{}"}
    with pytest.raises(IntegrityError), transaction.atomic():
        Record.objects.create(**(row | fields))


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Record, Leaf])
def test_handwritten_tables_have_the_columns_of_their_models(model: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [model._meta.db_table],
        )
        found = set(cursor.fetchall())
        names = {item.name for item in connection.introspection.get_table_description(cursor, model._meta.db_table)}
        indexes = set(connection.introspection.get_constraints(cursor, model._meta.db_table))
    expected = {(field.column, field.db_type(connection), not field.null) for field in model._meta.concrete_fields}
    assert found == {(name, kind, not_null) for name, kind, not_null in expected if name is not None}
    assert names == {name for name, _, _ in found}
    assert {item.name for item in (*model._meta.indexes, *model._meta.constraints)} <= indexes


@pytest.mark.django_db
def test_a_person_stands_in_the_log_under_a_pseudonym(ada: Actor) -> None:
    made = services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=ada)
    assert ada.id not in bytes(made.body).decode()
    assert not re.search(rb"\bada\b", bytes(made.body))
