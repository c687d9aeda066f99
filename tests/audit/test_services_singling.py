"""The proof of one record: a file that the verifier takes, of that record and its call alone."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from audit import services, verify
from audit.events import Event, RecordType
from audit.models import Leaf, Record
from core.actor import Actor
from core.errors import Conflict, NotFound, PermissionDenied
from core.ids import new_id
from core.permissions import Permission
from tests.audit.made_log import SIGNING_KEY
from tests.audit.test_exports import AUDITOR, SYSTEM, a_checkpoint, a_log, may
from tests.audit.writing import Gateway

pytestmark = pytest.mark.django_db


def proof_of(record_id: UUID, actor: Actor = AUDITOR) -> bytes:
    return b"".join(services.begin_proof(record_id=record_id, actor=actor).chunks())


def verdict(tmp_path: Path, file: bytes) -> int:
    (tmp_path / "proof.jsonl").write_bytes(file)
    return verify.main([str(tmp_path / "proof.jsonl"), "--vkey", str(SIGNING_KEY.verifier)])


def a_call(gateway: Gateway, **said: Any) -> UUID:
    call = new_id()
    gateway.begin(call, server="files", tool="read", **said)
    gateway.end(call, server="files", tool="read", **said)
    services.place_records()
    return call


def test_each_record_of_a_log_is_proved_by_whichever_checkpoint_comes_next(tmp_path: Path) -> None:
    for size in (1, 2, 4):
        a_log(size)
        a_checkpoint(Leaf.objects.head() + 1)
    for record in Record.objects.all():
        file = proof_of(record.id)
        assert len(file.splitlines()) == 2
        assert verdict(tmp_path, file) == verify.CLEAN
        a_log(1)
    services.verify_log(actor=SYSTEM, is_full=True)
    assert verdict(tmp_path, proof_of(Record.objects.order_by("id")[4].id)) == verify.CLEAN


def test_it_holds_both_records_of_the_call_and_no_other(tmp_path: Path) -> None:
    gateway = Gateway()
    a_call(gateway)
    call = a_call(gateway)
    a_log(2)
    a_checkpoint(Leaf.objects.head() + 1)
    file = proof_of(Record.objects.get(call_id=call, type="intent").id)
    header, *lines = [json.loads(line) for line in file.splitlines()]
    assert header["kind"] == "selection"
    assert [(line["body"]["call_id"], line["body"]["type"]) for line in lines] == [
        (str(call), "intent"), (str(call), "outcome"),
    ]  # fmt: skip
    assert verdict(tmp_path, file) == verify.CLEAN


def test_what_comes_later_and_who_read_it_keeps_no_call_from_being_proved(tmp_path: Path) -> None:
    gateway, call = Gateway(), new_id()
    gateway.begin(call)
    services.place_records()
    a_checkpoint(1)
    gateway.end(call)
    services.record(type=RecordType.ADMIN, event=Event.PAYLOAD_READ, actor=SYSTEM, call_id=call)
    services.place_records()
    intent = Record.objects.get(type="intent")
    assert len(proof_of(intent.id).splitlines()) == 2, "the end is not signed yet"
    a_checkpoint(Leaf.objects.head() + 1)
    file = proof_of(intent.id)
    assert [json.loads(line)["body"]["type"] for line in file.splitlines()[1:]] == ["intent", "outcome"]
    assert verdict(tmp_path, file) == verify.CLEAN


def test_a_changed_byte_is_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_log(3)
    a_checkpoint(3)
    record = Record.objects.get(subject="team:t1")
    assert verdict(tmp_path, proof_of(record.id).replace(b"team:t1", b"team:t9")) == verify.FOUND
    assert str(record.id) in capsys.readouterr().out


def test_a_record_that_nothing_signed_has_yet_is_not_proved() -> None:
    a_log(2)
    first, last = Record.objects.order_by("id")
    with pytest.raises(Conflict, match="signed"):
        proof_of(first.id)
    a_checkpoint(1)
    assert proof_of(first.id)
    with pytest.raises(Conflict):
        proof_of(last.id)
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM)  # has no place yet
    with pytest.raises(Conflict):
        proof_of(Record.objects.newest_first()[0].id)


def test_it_is_recorded_before_the_first_byte() -> None:
    a_log(1)
    a_checkpoint(1)
    record = Record.objects.get()
    services.begin_proof(record_id=record.id, actor=AUDITOR)
    made = Record.objects.get(event="audit.exported")
    assert made.after == {"format": "proof", "record": str(record.id), "first": 0, "end": 1}


def test_only_what_both_rights_reach_is_proved() -> None:
    a_log(1, owner_team="red")
    a_log(1, owner_team="blue")
    a_checkpoint(2)
    ours, theirs = Record.objects.order_by("id")
    team = may(own_teams=(Permission.AUDIT_EXPORT, Permission.AUDIT_READ))
    assert proof_of(ours.id, team)
    with pytest.raises(NotFound):
        proof_of(theirs.id, team)
    for lacking in (may(Permission.AUDIT_READ), may(Permission.AUDIT_EXPORT)):
        with pytest.raises(PermissionDenied):
            proof_of(ours.id, lacking)
