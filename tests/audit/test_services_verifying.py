"""Verifying the database's log: where it goes on, what it keeps, and what it is held against."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit import services, tasks
from audit.events import Event
from audit.models import Checkpoint as SignedCheckpoint
from audit.models import Leaf, Record, Verification
from audit.proof.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from audit.proof.findings import Kind, Report
from audit.proof.merkle import Frontier
from audit.proof.note import SigningKey
from audit.services import reading
from core.ids import new_id
from tests.audit.writing import (
    ORIGIN,
    SYSTEM,
    Gateway,
    a_control_plane_record,
    a_log,
    as_owner,
    checkpoint,
    placed,
    without_triggers,
)

KEY = SigningKey.generate(ORIGIN)


@pytest.fixture
def owner(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Any:
    """Who owns the database and has switched off what protects the log."""
    with django_db_blocker.unblock(), as_owner():
        request.getfixturevalue("db")
        connection.ensure_connection()
        without_triggers(connection.connection)
        yield connection.connection


def newly(*points: Checkpoint, **more: Any) -> Report:
    return services.verify_log(actor=SYSTEM, is_full=False, checkpoints=points, **more)


def wholly(*points: Checkpoint, **more: Any) -> Report:
    return services.verify_log(actor=SYSTEM, is_full=True, checkpoints=points, **more)


def more_records(number: int = 2) -> None:
    for _ in range(number):
        a_control_plane_record(subject="team:more")
    services.place_records()


def kinds(report: Report) -> list[Kind]:
    return [finding.kind for finding in report.findings]


def signed(point: Checkpoint, key: SigningKey = KEY) -> SignedCheckpoint:
    return SignedCheckpoint.objects.create(
        origin=point.origin, size=point.size, root=point.root, note=sign_checkpoint(point, key).decode(),
        signed_at=timezone.now(), epoch=1,
    )  # fmt: skip


@pytest.mark.django_db
def test_a_verification_goes_on_where_the_last_one_ended() -> None:
    gateway = Gateway()
    a_log(gateway)
    first = newly()
    gateway.write()
    more_records()

    second = newly(checkpoint())

    assert [(report.first, report.end, report.records, report.count) for report in (first, second)] == [
        (0, 8, 8, 0),
        (8, 11, 3, 0),
    ]
    assert second.matched == [checkpoint()]
    assert second.authenticated == 3
    kept = Verification.objects.order_by("pk").last()
    assert kept is not None
    assert Frontier.from_bytes(bytes(kept.frontier or b"")).root() == checkpoint().root
    assert (newly().records, wholly().records) == (0, 11)


@pytest.mark.django_db
def test_an_empty_log_is_verified_too() -> None:
    assert Verification.objects.standing() is None

    report = newly()

    assert (report.count, report.records) == (0, 0)
    standing = Verification.objects.standing()
    assert standing is not None
    assert (standing.until, standing.full_at, standing.finding) == (0, None, None)


@pytest.mark.django_db
def test_the_tasks_verify_what_is_new_and_everything() -> None:
    a_log(Gateway())
    tasks.verify_new_records()
    tasks.verify_log()

    assert list(Verification.objects.order_by("pk").values_list("is_full", "first", "until", "count")) == [
        (False, 0, 8, 0),
        (True, 0, 8, 0),
    ]


@pytest.mark.django_db
def test_a_log_of_more_than_a_window_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_WINDOW", 3)
    a_log(Gateway())

    assert (wholly(checkpoint()).records, len(list(reading.placed_rows(0))), len(list(reading.placed_rows(5)))) == (
        8,
        8,
        3,
    )


@pytest.mark.django_db
def test_records_without_a_place_are_read_a_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    a_log(Gateway())
    waiting = [str(a_control_plane_record(subject=f"team:{number}").id) for number in range(5)]
    whole = list(reading.unplaced_entries())
    assert sorted(entry[2].decode() for entry, _ in whole) == sorted(waiting)
    monkeypatch.setattr(reading, "_WINDOW", 2)

    assert list(reading.unplaced_entries()) == whole
    assert len(reading._all(reading._UNPLACED, -1, str(UUID(int=0)), 100)) == 5
    assert reading._all(reading._UNPLACED, -1, str(UUID(int=0)), 2) == [], "no more than two records are looked at"


@pytest.mark.django_db
def test_nobody_changes_what_a_verification_found() -> None:
    newly()
    for statement in (
        "UPDATE audit_verification SET count = 0",
        "DELETE FROM audit_verification",
        "TRUNCATE audit_verification",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_finding_stands_until_a_full_verification_finds_nothing(owner: Any) -> None:
    log = a_log(Gateway())
    owner.execute("UPDATE audit_record SET tool = 'write' WHERE id = %s", (log[2].id,))
    newly()
    more_records()
    newly()

    standing = Verification.objects.standing()
    assert standing is not None
    assert standing.finding is not None
    assert (standing.finding["kind"], standing.finding["record"], standing.count) == ("column", str(log[2].id), 1)
    assert standing.until > 8

    wholly()
    assert Verification.objects.standing().finding == standing.finding  # type: ignore[union-attr]
    owner.execute("UPDATE audit_record SET tool = 'read' WHERE id = %s", (log[2].id,))
    wholly()
    after = Verification.objects.standing()
    assert after is not None
    assert (after.finding, after.full_at) == (None, after.at)


def test_a_finding_goes_on_record_once(owner: Any) -> None:
    log = a_log(Gateway())
    owner.execute("DELETE FROM audit_record WHERE id = %s", (log[3].id,))
    wholly()
    wholly()

    (said,) = Record.objects.filter(event=Event.LOG_CONTRADICTED.value)
    assert said.after == {
        "kind": "missing", "index": 3, "shard": log[3].shard, "record": str(log[3].id), "writer": str(log[3].writer),
        "seq": 2, "findings": 1,
    }  # fmt: skip
    assert said.actor == "system:test"


def test_after_a_gap_the_next_verification_begins_before_it_again(owner: Any) -> None:
    log = a_log(Gateway())
    newly()
    more_records(3)
    owner.execute("DELETE FROM audit_record WHERE id = %s", (placed()[9].id,))
    owner.execute("DELETE FROM audit_leaf WHERE index = 9")

    assert kinds(newly()) == [Kind.INDEX]
    assert newly().first == 8
    assert log


def test_a_log_shorter_than_at_its_last_verification_is_told(owner: Any) -> None:
    a_log(Gateway())
    newly()
    owner.execute("DELETE FROM audit_record WHERE id = %s", (placed()[7].id,))
    owner.execute("DELETE FROM audit_leaf WHERE index = 7")

    report = newly()

    assert kinds(report) == [Kind.CUT]
    assert (report.findings[0].expected, report.findings[0].found) == (
        "8 records, as at an earlier verification",
        "7 records",
    )


def test_a_writer_goes_on_from_its_last_chain_and_nothing_else(owner: Any) -> None:
    gateway = Gateway()
    a_log(gateway)
    newly()
    gateway.write()
    services.place_records()
    assert newly().count == 0
    owner.execute("UPDATE audit_record SET chain = %s WHERE writer = %s AND seq = 6", (bytes(32), gateway.writer))
    gateway.write()
    made = Record.objects.get(seq=7)
    owner.execute(
        "INSERT INTO audit_leaf (shard, index, record_id, writer, seq, hash) VALUES (%s, 9, %s, %s, 7, sha256(%s))",
        (made.shard, made.id, made.writer, b"\0" + bytes(made.body)),
    )

    assert kinds(newly()) == [Kind.CHAIN]


@pytest.mark.parametrize("boundary", ["genuine", "forged", "none"])
def test_a_record_without_a_mac_is_told_where_the_boundary_was_verified_earlier(owner: Any, boundary: str) -> None:
    log = a_log(Gateway())
    if boundary == "forged":
        owner.execute("UPDATE audit_record SET mac = %s WHERE id = %s", (bytes(36), log[0].id))
    if boundary == "none":
        owner.execute("UPDATE audit_record SET event = 'team.created' WHERE id = %s", (log[0].id,))
    newly()
    more_records(1)
    bare = placed()[8]
    owner.execute("UPDATE audit_record SET mac = NULL WHERE id = %s", (bare.id,))

    report = newly()

    assert (report.first, report.records) == (8, 1 if boundary == "genuine" else 2)
    expected = ([Kind.UNAUTHENTICATED], 0) if boundary == "genuine" else ([], 1)
    assert (kinds(report), report.unauthenticated) == expected


class TestCheckpointsOfTheDatabase:
    def test_the_log_is_held_against_them(self, owner: Any) -> None:
        log = a_log(Gateway())
        signed(checkpoint(4))
        signed(checkpoint())
        assert [point.size for point in wholly(vkeys=[KEY.verifier]).matched] == [4, 8]
        owner.execute("UPDATE audit_leaf SET hash = %s WHERE index = 5", (bytes(32),))

        assert kinds(wholly()).count(Kind.ROOT) == 2  # the checkpoint's, and the earlier verification's
        assert log

    @pytest.mark.django_db
    def test_what_another_key_signed_counts_for_nothing_and_is_told(self) -> None:
        a_log(Gateway())
        signed(checkpoint(), SigningKey.generate(ORIGIN))

        report = wholly(vkeys=[KEY.verifier])

        assert kinds(report) == [Kind.ROOT]
        assert "a note that is none" in report.findings[0].expected
        assert wholly().count == 0

    @pytest.mark.django_db
    def test_of_very_many_the_newest_and_evenly_spaced_ones_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_log(Gateway())
        for size in range(1, 9):
            signed(checkpoint(size))
        signed(Checkpoint(f"{ORIGIN}/2", 7, bytes(32)))

        def sizes(beyond: int) -> list[int]:
            notes = reading.signed_notes(ORIGIN, beyond)
            return sorted(open_checkpoint(note.encode(), [KEY.verifier]).size for note in notes)

        assert (sizes(0), sizes(5), sizes(8)) == ([1, 2, 3, 4, 5, 6, 7, 8], [6, 7, 8], [])
        monkeypatch.setattr(reading, "_NEWEST", 2)
        monkeypatch.setattr(reading, "_EVENLY", 3)
        assert (sizes(0), sizes(6), sizes(8)) == ([1, 4, 7, 8], [7, 8], [])

    @pytest.mark.django_db
    def test_under_a_new_name_the_log_is_held_against_that_names(self) -> None:
        a_log(Gateway())
        signed(Checkpoint(ORIGIN, 50, bytes(32)))
        assert kinds(wholly()) == [Kind.CUT]
        anew = Checkpoint(f"{ORIGIN}/2", 8, checkpoint().root)
        signed(anew, SigningKey.generate(anew.origin))

        assert wholly().count == 0


@pytest.mark.django_db
def test_records_that_wait_for_their_place_are_no_finding() -> None:
    gateway = Gateway()
    a_log(gateway)
    a_control_plane_record(subject="team:waiting")
    call = new_id()
    gateway.begin(call)
    gateway.end(call)

    report = wholly(checkpoint())

    assert (report.count, report.notices, report.records, report.authenticated) == (0, [], 11, 11)
    assert Leaf.objects.head() == 7


@pytest.mark.django_db
def test_how_it_stands_says_when_it_was_verified_last() -> None:
    before = timezone.now()
    wholly()
    newly()

    standing = Verification.objects.standing()
    assert standing is not None
    assert standing.full_at is not None
    assert before - timedelta(seconds=1) < standing.full_at < standing.at
