"""Payloads are read by who may, for a reason, and never without a record."""

import hashlib
import hmac
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import Record, StoredPayload
from audit.redaction import Capture, Do, Rule
from audit.services import CallPayload, PartShown, read_payload
from core.actor import Actor, ActorKind, system_actor
from core.errors import Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.audit.calls import ASKED, TOLD, kept_call

pytestmark = pytest.mark.django_db

READER = Actor(ActorKind.PERSON, str(uuid4()), "ada", frozenset({Permission.PAYLOAD_READ}))
HIDING = Rule("arguments", "/arguments/q", Do.MASK)


def read(call_id: UUID) -> CallPayload:
    return read_payload(call_id=call_id, actor=READER, reason="A complaint.")


def parts(call_id: UUID) -> tuple[PartShown, PartShown]:
    asked, told = read(call_id).parts
    return asked, told


def test_what_was_sent_and_released_is_shown_and_its_commitments_hold() -> None:
    asked, told = parts(kept_call())
    assert (asked.state, asked.text, asked.commitment) == ("exact", ASKED.decode(), "holds")
    assert (told.state, told.text, told.commitment) == ("exact", TOLD.decode(), "holds")


def test_a_commitment_is_proved_by_who_has_the_salt() -> None:
    asked, _ = parts(kept_call(capture=Capture()))
    assert (asked.state, asked.text, asked.commitment) == ("commitment_only", "", "unchecked")
    assert hmac.digest(bytes.fromhex(asked.salt), ASKED, hashlib.sha256).hex() == asked.commit


def test_what_was_redacted_is_shown_as_it_is_kept() -> None:
    asked, told = parts(kept_call(capture=Capture(arguments=True, rules=(HIDING,))))
    assert (asked.state, asked.commitment) == ("changed", "unchecked")
    assert "[masked]" in asked.text
    assert "ada" not in asked.text
    assert told.state == "commitment_only"


def test_a_reading_is_recorded_with_its_reason_and_what_was_shown() -> None:
    call_id = kept_call(owner_team="red")
    read(call_id)
    record = Record.objects.get(event="payload.read")
    assert (record.call_id, record.reason, record.server, record.owner_team) == (
        call_id,
        "A complaint.",
        "files",
        "red",
    )
    assert record.after == {"arguments": "exact", "result": "exact"}
    # As a word: the digits of an id may spell it.
    assert not re.search(rb"\bada\b", bytes(record.body))


@pytest.mark.django_db(transaction=True)
def test_reading_is_recorded_first_and_not_shown_when_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    call_id = kept_call()
    seen: list[bool] = []

    def broken(**_fact: object) -> None:
        seen.append(connection.in_atomic_block)
        raise DatabaseError("no record today")

    with monkeypatch.context() as patched:
        patched.setattr("audit.services.payloads.record", broken)
        with pytest.raises(DatabaseError):
            read(call_id)
    assert seen == [True]
    with transaction.atomic(), pytest.raises(RuntimeError):  # inside another transaction it could be undone
        read(call_id)
    assert not Record.objects.filter(event="payload.read").exists()
    assert read(call_id).parts[0].state == "exact"
    assert Record.objects.filter(event="payload.read").count() == 1


@pytest.mark.parametrize(
    "actor",
    [
        Actor(ActorKind.PERSON, str(uuid4()), "bob", frozenset(Permission) - {Permission.PAYLOAD_READ}),
        Actor(ActorKind.PERSON, str(uuid4()), "eve", own_team_permissions=frozenset({Permission.PAYLOAD_READ})),
        system_actor("test"),
    ],
)
def test_who_may_not_read_is_refused_and_recorded(actor: Actor) -> None:
    with pytest.raises(PermissionDenied):
        read_payload(call_id=kept_call(), actor=actor, reason="Curious.")
    assert Record.objects.filter(event="action.denied").count() == 1
    assert not Record.objects.filter(event="payload.read").exists()


def test_without_a_reason_or_a_call_nothing_is_read() -> None:
    with pytest.raises(Invalid):
        read_payload(call_id=kept_call(), actor=READER, reason="  ")
    with pytest.raises(NotFound):
        read(uuid4())
    assert not Record.objects.filter(event="payload.read").exists()


def test_what_is_stored_opens_only_at_its_own_record() -> None:
    other = StoredPayload.objects.get(call_id=kept_call(), part="arguments")
    # As somebody would who can add rows and took one away before: the same call, with what another's row holds.
    for taken in ({"sealed": other.sealed}, {"sealed": other.sealed, "secret": other.secret}):
        call_id = kept_call(capture=Capture(), expires_in=timedelta(days=-1))
        lost = StoredPayload.objects.get(call_id=call_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_expire_payloads(100)")
        same = {name: getattr(lost, name) for name in ("call_id", "record_id", "part", "shard", "key_id", "size")}
        StoredPayload.objects.create(**(same | {"secret": lost.secret, "expires_at": other.expires_at} | taken))
        asked, _ = parts(call_id)
        assert (asked.state, asked.commitment) == ("broken", "unchecked")


def test_without_the_key_a_payload_is_told_to_be_closed(settings: Any) -> None:
    call_id = kept_call()
    settings.PAYLOAD_KEYS = (bytes(32),)
    asked, told = parts(call_id)
    assert (asked.state, told.state) == ("broken", "broken")
    assert "no payload key" in asked.text
