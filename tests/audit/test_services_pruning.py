"""Bodies of a month are pruned by two people, past the retention, when nothing needs them; the leaves stay."""

from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit import verify
from audit.drafts import shard_of
from audit.events import Event, RecordType
from audit.filters import Filters
from audit.formats.writing import Format
from audit.models import Leaf, Record, Removal, RemovalConfirmation
from audit.placement import Judge, is_chained
from audit.proof.checkpoint import sign_checkpoint
from audit.proof.findings import Kind
from audit.proof.note import SigningKey
from audit.services import begin_export, confirm_pruning, place_records, pruning, record, request_pruning, verify_log
from core.actor import Actor, ActorKind, system_actor
from core.errors import Conflict, Invalid, NotFound, PermissionDenied
from core.permissions import Permission
from tests.audit.old_month import OLD, write_old
from tests.audit.writing import ORIGIN, SYSTEM, checkpoint

pytestmark = pytest.mark.django_db(transaction=True)

SIGNING = SigningKey.generate(ORIGIN)
PRUNE = frozenset({Permission.LOG_PRUNE})
ONE, OTHER = (Actor(ActorKind.PERSON, str(uuid4()), name, PRUNE) for name in ("ada", "bob"))
AUDITOR = Actor(ActorKind.PERSON, str(uuid4()), "eve", frozenset({Permission.AUDIT_EXPORT, Permission.AUDIT_READ}))


def asked() -> Removal:
    return request_pruning(shard=OLD, actor=ONE, reason="Two years are enough.")


def refusal() -> str:
    with pytest.raises(Conflict) as refused:
        confirm_pruning(shard=OLD, actor=OTHER)
    assert Record.objects.filter(shard=OLD).count() >= 3
    assert not Record.objects.filter(event="log.pruned").exists()
    return refused.value.message


def test_two_people_prune_a_month_and_its_places_stay(old_month: psycopg.Connection[Any]) -> None:
    leaves = list(Leaf.objects.filter(shard=OLD).order_by("index").values_list("index", "hash"))
    removal = asked()
    assert confirm_pruning(shard=OLD, actor=OTHER) == 3
    assert not Record.objects.filter(shard=OLD).exists()
    assert list(Leaf.objects.filter(shard=OLD).order_by("index").values_list("index", "hash")) == leaves
    said = Record.objects.get(event="log.pruned")
    assert (said.batch_id, said.subject, said.mac is not None) == (removal.id, f"shard:{OLD}", True)
    after = said.after or {}
    assert (after["records"], after["first"], after["last"]) == (3, leaves[0][0], leaves[-1][0])
    with pytest.raises(NotFound):
        confirm_pruning(shard=OLD, actor=OTHER)


def test_what_goes_with_a_month_is_repeated_by_the_next_pruning(old_month: psycopg.Connection[Any]) -> None:
    record(type=RecordType.CHECKPOINT, event=Event.LOG_CHAINED, actor=SYSTEM)
    place_records()
    boundary = Leaf.objects.head()
    asked()
    confirm_pruning(shard=OLD, actor=OTHER)
    said = Record.objects.get(event="log.pruned").after or {}
    assert (said["earlier"], said["chained_at"]) == ({}, boundary)
    this_month = shard_of(timezone.now())
    assert pruning._what(this_month)["earlier"] == {str(OLD): 3}
    judge = Judge(settings.AUDIT_KEYS, settings.INSTALLATION_ID)
    assert is_chained(judge)
    forged = Judge([bytes(32)], settings.INSTALLATION_ID)
    assert not is_chained(forged), "only what we wrote counts"


def whole_log() -> bytes:
    return b"".join(begin_export(form=Format.JSONL, filters=Filters(), actor=AUDITOR).chunks())


def verdict(path: Path, export: bytes, records: int) -> int:
    """As somebody else verifies it, with the key for MACs and a checkpoint of so many records."""
    (path / "export.jsonl").write_bytes(export)
    (path / "checkpoint").write_bytes(sign_checkpoint(checkpoint(records), SIGNING))
    (path / "audit.key").write_text(",".join(b64encode(key).decode() for key in settings.AUDIT_KEYS) + "\n")
    trusted = ["--vkey", str(SIGNING.verifier), "--checkpoint", str(path / "checkpoint")]
    return verify.main([str(path / "export.jsonl"), "--audit-key-file", str(path / "audit.key"), *trusted])


def test_the_log_and_exports_of_before_and_after_verify(old_month: psycopg.Connection[Any], tmp_path: Path) -> None:
    before = whole_log()
    asked()
    place_records()
    outside = checkpoint()
    confirm_pruning(shard=OLD, actor=OTHER)
    place_records()

    report = verify_log(actor=SYSTEM, is_full=True, checkpoints=[outside])
    assert (list(report.findings), report.pruned, report.matched) == ([], 3, [outside])
    after = whole_log()
    assert (before.count(b'"body":null'), after.count(b'"body":null')) == (0, 3)
    sizes = [export.count(b"\n") - 1 for export in (before, after)]
    assert [verdict(tmp_path, *each) for each in zip((before, after), sizes, strict=True)] == [verify.CLEAN] * 2
    lines = [line for line in after.splitlines(keepends=True) if b'"log.pruned"' not in line]
    assert verdict(tmp_path, b"".join(lines), sizes[1]) == verify.FOUND


def test_a_month_that_is_dropped_without_a_record_is_missing(old_month: psycopg.Connection[Any]) -> None:
    outside = checkpoint()
    old_month.execute(f"DROP TABLE audit_record_{OLD}")
    report = verify_log(actor=SYSTEM, is_full=True, checkpoints=[outside])
    assert [(finding.kind, finding.index) for finding in report.findings] == [(Kind.MISSING, n) for n in range(3)]
    assert report.pruned == 0


def test_one_person_cannot_prune(old_month: psycopg.Connection[Any]) -> None:
    asked()
    with pytest.raises(Conflict, match="Another person"):
        confirm_pruning(shard=OLD, actor=ONE)
    for actor in (system_actor("test"), Actor(ActorKind.PERSON, str(uuid4()), "eve", frozenset(Permission) - PRUNE)):
        with pytest.raises(PermissionDenied):
            confirm_pruning(shard=OLD, actor=actor)
    assert Record.objects.filter(shard=OLD).count() == 3


def test_what_is_within_the_retention_stays(old_month: psycopg.Connection[Any]) -> None:
    asked()
    for months in (0, 1200):
        old_month.execute("UPDATE audit_retention SET months = %s", [months])
        assert "retention" in refusal()


def test_a_month_with_a_record_that_has_no_place_stays(old_month: psycopg.Connection[Any]) -> None:
    asked()
    write_old()
    assert "no place" in refusal()


def test_a_shard_that_a_sink_has_not_read_stays(old_month: psycopg.Connection[Any]) -> None:
    asked()
    old_month.execute("DROP TABLE IF EXISTS audit_exportcursor CASCADE")
    old_month.execute("CREATE TABLE audit_exportcursor (index bigint NOT NULL)")
    last = Leaf.objects.filter(shard=OLD).order_by("-index")[0].index
    old_month.execute("INSERT INTO audit_exportcursor VALUES (%s)", [last - 1])
    assert "sink" in refusal()
    old_month.execute("UPDATE audit_exportcursor SET index = %s", [last])
    assert confirm_pruning(shard=OLD, actor=OTHER) == 3


def test_the_application_cannot_call_the_function_past_its_conditions(old_month: psycopg.Connection[Any]) -> None:
    record = Record.objects.filter(shard=OLD)[0]
    removal = Removal.objects.create(shard=OLD, reason="x", requested_by="a")

    def refused(statement: str, *values: Any) -> None:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)

    prune = "SELECT audit_prune_shard(%s, %s, %s)"
    refused(prune, removal.id, record.shard, record.id)
    RemovalConfirmation.objects.create(removal=removal, confirmed_by="b")
    refused(prune, removal.id, record.shard, record.id)  # no record says so
    refused(f"DROP TABLE audit_record_{OLD}")
    refused("UPDATE audit_retention SET months = 1")
    refused("INSERT INTO audit_retention VALUES (1, 1)")
    assert Record.objects.filter(shard=OLD).count() == 3


def test_what_is_no_month_is_not_asked_for() -> None:
    for shard, error in ((202613, Invalid), (shard_of(timezone.now()) + 1000, NotFound)):
        with pytest.raises(error):
            request_pruning(shard=shard, actor=ONE, reason="x")
    with pytest.raises(Invalid):
        request_pruning(shard=OLD, actor=ONE, reason="")
