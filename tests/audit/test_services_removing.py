"""What is kept ends by its time, or earlier where two people say so; the log stays as it was."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import Record, Removal, RemovalConfirmation, StoredPayload
from audit.services import (
    confirm_erasure,
    expire_payloads,
    place_records,
    read_payload,
    request_erasure,
    verify_log,
)
from core.actor import Actor, ActorKind, system_actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.audit.calls import kept_call
from tests.audit.writing import checkpoint

pytestmark = pytest.mark.django_db

ERASE = frozenset({Permission.PAYLOAD_ERASE})
ONE, OTHER = (Actor(ActorKind.PERSON, str(uuid4()), name, ERASE) for name in ("ada", "bob"))
READER = Actor(ActorKind.PERSON, str(uuid4()), "eve", frozenset({Permission.PAYLOAD_READ}))
BEAT = system_actor("retention")


def kept(call_id: UUID) -> int:
    return StoredPayload.objects.of_call(call_id).count()


def refused(statement: str, *values: Any) -> None:
    """The application's role tries it, past the services."""
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_two_people_erase_a_payload_and_its_records_stay() -> None:
    call_id, another = kept_call(), kept_call()
    before = list(Record.objects.in_call(call_id).values_list("body", flat=True))
    request_erasure(call_id=call_id, actor=ONE, reason="They asked us to.")
    assert kept(call_id) == 2
    assert confirm_erasure(call_id=call_id, actor=OTHER) == 2
    assert (kept(call_id), kept(another)) == (0, 2)
    bodies = Record.objects.in_call(call_id).filter(type__in=["intent", "outcome"]).values_list("body", flat=True)
    assert list(bodies) == before
    asked, told = read_payload(call_id=call_id, actor=READER, reason="A look.").parts
    assert {asked.state, told.state} == {"gone"}
    assert (asked.salt, asked.commit != "") == ("", True)


def test_the_log_verifies_after_an_erasure() -> None:
    call_id = kept_call()
    place_records()
    outside = checkpoint()
    request_erasure(call_id=call_id, actor=ONE, reason="They asked us to.")
    confirm_erasure(call_id=call_id, actor=OTHER)
    place_records()
    report = verify_log(actor=BEAT, is_full=True, checkpoints=[outside])
    assert (list(report.findings), report.pruned, report.matched) == ([], 0, [outside])


def test_what_was_asked_and_what_was_done_are_on_record() -> None:
    call_id = kept_call()
    removal = request_erasure(call_id=call_id, actor=ONE, reason="They asked us to.")
    confirm_erasure(call_id=call_id, actor=OTHER)
    asked, done = Record.objects.filter(batch_id=removal.id).order_by("id")
    assert [asked.event, done.event] == ["removal.requested", "payload.erased"]
    assert asked.reason == done.reason == "They asked us to."
    assert asked.principal != done.principal
    assert done.before == {"requested_by": asked.principal}


def test_one_person_cannot_erase() -> None:
    call_id = kept_call()
    removal = request_erasure(call_id=call_id, actor=ONE, reason="Mine.")
    with pytest.raises(Conflict):
        confirm_erasure(call_id=call_id, actor=ONE)
    with pytest.raises(DatabaseError), transaction.atomic():
        RemovalConfirmation.objects.create(removal=removal, confirmed_by=removal.requested_by)
    assert kept(call_id) == 2


def test_who_may_not_erase_neither_asks_nor_agrees() -> None:
    call_id = kept_call()
    for actor in (READER, BEAT):
        with pytest.raises(PermissionDenied):
            request_erasure(call_id=call_id, actor=actor, reason="No.")
        with pytest.raises(PermissionDenied):
            confirm_erasure(call_id=call_id, actor=actor)
    with pytest.raises(Conflict):
        request_erasure(call_id=call_id, actor=system_actor("test", *ERASE), reason="No person.")
    assert Record.objects.filter(event="action.denied").count() == 4
    assert not Removal.objects.exists()


def test_nothing_is_erased_that_nobody_asked_for() -> None:
    call_id = kept_call()
    with pytest.raises(NotFound):
        confirm_erasure(call_id=call_id, actor=OTHER)
    with pytest.raises(Invalid):
        request_erasure(call_id=call_id, actor=ONE, reason=" ")
    with pytest.raises(NotFound):
        request_erasure(call_id=uuid4(), actor=ONE, reason="Nothing there.")


@pytest.mark.django_db(transaction=True)
def test_what_was_asked_for_long_ago_is_asked_for_again(owner_connection: psycopg.Connection[Any]) -> None:
    call_id = kept_call()
    removal = Removal.objects.create(
        call_id=call_id, reason="Old.", requested_by="x", requested_at="2026-01-01T00:00:00Z"
    )
    with pytest.raises(NotFound):
        confirm_erasure(call_id=call_id, actor=OTHER)
    with pytest.raises(DatabaseError), transaction.atomic():
        RemovalConfirmation.objects.create(removal=removal, confirmed_by="y")


def test_the_application_cannot_erase_past_the_conditions() -> None:
    call_id = kept_call()
    record = Record.objects.in_call(call_id)[0]
    erase = "SELECT audit_erase_payload(%s, %s, %s)"
    refused(erase, uuid4(), record.shard, record.id)
    removal = Removal.objects.create(call_id=call_id, reason="x", requested_by="a")
    refused(erase, removal.id, record.shard, record.id)
    RemovalConfirmation.objects.create(removal=removal, confirmed_by="b")
    refused(erase, removal.id, record.shard, record.id)  # no record says so
    for statement in ("DELETE FROM {}", "UPDATE {} SET {} = {}", "TRUNCATE {} CASCADE"):
        for table, column in (
            ("audit_payload", "sealed"), ("audit_removal", "reason"), ("audit_removal_confirmation", "confirmed_by"),
        ):  # fmt: skip
            refused(statement.format(table, column, column))
    assert kept(call_id) == 2


def test_a_payload_ends_with_its_retention() -> None:
    over, young = kept_call(expires_in=timedelta(seconds=-1)), kept_call()
    assert expire_payloads(actor=BEAT) == 2
    assert (kept(over), kept(young)) == (0, 2)
    (record,) = Record.objects.filter(event="payload.erased")
    assert (record.principal, (record.after or {})["rows"]) == ("system:retention", 2)
    assert expire_payloads(actor=BEAT) == 0
    assert Record.objects.filter(event="payload.erased").count() == 1
