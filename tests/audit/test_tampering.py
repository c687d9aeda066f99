"""What who owns the database can do to the log, and what tells it: the table of docs/audit.md, row by row.

Each test says what is found and that nothing else is.
"""

from base64 import b64encode
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from audit import services
from audit.chaining import Chain
from audit.events import Event, RecordType
from audit.models import Leaf, Record
from audit.proof import chain, merkle
from audit.proof.checkpoint import Checkpoint
from audit.proof.findings import Kind, Report
from core.ids import new_id
from tests.audit.writing import (
    ORIGIN,
    SYSTEM,
    Gateway,
    a_control_plane_record,
    a_log,
    as_owner,
    checkpoint,
    without_triggers,
)


@pytest.fixture
def owner(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Any:
    """Who owns the database and has switched off what protects the log."""
    with django_db_blocker.unblock(), as_owner():
        request.getfixturevalue("db")
        connection.ensure_connection()
        without_triggers(connection.connection)
        yield connection.connection


@pytest.fixture
def gateway(owner: Any) -> Gateway:
    return Gateway()


@pytest.fixture
def log(gateway: Gateway) -> list[Record]:
    return a_log(gateway)


def verified(*points: Checkpoint) -> Report:
    return services.verify_log(actor=SYSTEM, is_full=True, checkpoints=points)


def told(*points: Checkpoint) -> list[tuple[Kind, int | None, str]]:
    """Kind, index and record of everything that a verification finds."""
    report = verified(*points)
    assert report.count == len(report.findings)
    return [(finding.kind, finding.index, finding.record) for finding in report.findings]


def put(owner: Any, row: dict[str, Any], index: int | None = None) -> None:
    """A row, and its place, by SQL."""
    made = Record(**row)
    Record.objects.bulk_create([made])
    if index is not None:
        owner.execute(
            "INSERT INTO audit_leaf (shard, index, record_id, writer, seq, hash) VALUES (%s, %s, %s, %s, %s, %s)",
            (made.shard, index, made.id, made.writer, made.seq, chain.leaf(bytes(made.body))),
        )


def test_what_nobody_touched_is_whole(log: list[Record]) -> None:
    report = verified(*(checkpoint(size) for size in range(len(log) + 1)))

    assert report.count == 0
    assert report.notices == []
    assert (report.records, report.authenticated, len(report.matched)) == (8, 8, 9)


@pytest.mark.parametrize("index", [1, 3])
def test_an_edited_body(owner: Any, log: list[Record], index: int) -> None:
    point = checkpoint()
    owner.execute(
        "UPDATE audit_record SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"v\":', '\"v\": '), 'UTF8') "
        "WHERE id = %s",
        (log[index].id,),
    )

    assert told(point) == [(Kind.LEAF, index, str(log[index].id))]


@pytest.mark.parametrize(
    ("index", "change", "column"),
    [
        (2, "tool = 'write'", "tool"),
        (2, "rule_ids = '{}'", "rule_ids"),
        (3, "latency_ms = 13", "latency_ms"),
        (6, "reason = ''", "reason"),
        (2, "args_commit = NULL", "args_commit"),
        (1, 'after = \'{"name": "blue"}\'', "after"),
        (1, "principal = 'system:other'", "principal"),
        (3, "time = time + interval '1 microsecond'", "time"),
        (3, "seq = 99", "seq"),
    ],
)
def test_an_edited_column(owner: Any, log: list[Record], index: int, change: str, column: str) -> None:
    owner.execute(f"UPDATE audit_record SET {change} WHERE id = %s", (log[index].id,))

    report = verified(checkpoint())

    assert [(finding.kind, finding.record) for finding in report.findings] == [(Kind.COLUMN, str(log[index].id))]
    assert report.findings[0].found.startswith(f"{column} ")


def test_an_edited_column_of_a_place(owner: Any, log: list[Record]) -> None:
    owner.execute("UPDATE audit_leaf SET writer = %s WHERE index = 2", (new_id(),))

    kinds = {kind for kind, _, _ in told()}
    assert Kind.COLUMN in kinds


def test_a_record_moved_to_another_shard(owner: Any, log: list[Record]) -> None:
    """The body does not say its shard: the MAC does."""
    later = log[1].shard + 1 if log[1].shard % 100 < 12 else log[1].shard + 89
    for table, name in (("audit_record", "id"), ("audit_leaf", "record_id")):
        owner.execute(f"UPDATE {table} SET shard = %s WHERE {name} = %s", (later, log[1].id))

    assert told(checkpoint()) == [(Kind.MAC, 1, str(log[1].id))]


def test_a_deleted_record(owner: Any, log: list[Record]) -> None:
    owner.execute("DELETE FROM audit_record WHERE id = %s", (log[3].id,))

    assert told(checkpoint()) == [(Kind.MISSING, 3, str(log[3].id))]


def test_a_deleted_record_and_leaf(owner: Any, gateway: Gateway, log: list[Record]) -> None:
    old, new = checkpoint(3), checkpoint()
    owner.execute("DELETE FROM audit_record WHERE id = %s", (log[3].id,))
    owner.execute("DELETE FROM audit_leaf WHERE record_id = %s", (log[3].id,))

    report = verified(old, new)

    assert [(finding.kind, finding.index) for finding in report.findings] == [
        (Kind.INDEX, 3),
        (Kind.SEQUENCE, None),
        (Kind.ROOT, 7),
    ]
    assert (report.findings[1].writer, report.findings[1].seq) == (str(gateway.writer), 2)
    assert report.matched == [old]


def test_a_cut_tail_is_seen_by_a_newer_checkpoint_and_not_by_an_older_one(owner: Any, log: list[Record]) -> None:
    old, new = checkpoint(4), checkpoint()
    owner.execute("DELETE FROM audit_record WHERE id = ANY(%s)", ([made.id for made in log[5:]],))
    owner.execute("DELETE FROM audit_leaf WHERE index >= 5")

    assert told(old) == []
    owner.execute("DELETE FROM audit_verification")
    assert told(old, new) == [(Kind.CUT, 5, "")]


def test_a_wiped_log_is_seen_only_with_a_checkpoint_from_outside(owner: Any, log: list[Record]) -> None:
    outside = checkpoint()
    for table in ("audit_record", "audit_leaf", "audit_checkpoint", "audit_verification", "audit_pending"):
        owner.execute(f"DELETE FROM {table}")

    assert told() == []
    owner.execute("DELETE FROM audit_verification")
    assert told(outside) == [(Kind.CUT, 0, "")]


class TestForged:
    def test_a_gateways_record_before_it_is_placed(self, owner: Any, gateway: Gateway, log: list[Record]) -> None:
        row = gateway.row(server="files")
        put(owner, row | {"mac": log[2].mac})
        services.place_records()

        assert told(checkpoint()) == [(Kind.MAC, None, str(row["id"]))]

    def test_a_record_without_a_mac_before_it_is_placed(self, owner: Any, log: list[Record]) -> None:
        """As the release before wrote them, which `log.chained` has put an end to."""
        made = a_control_plane_record(subject="team:forged")
        owner.execute("UPDATE audit_record SET mac = NULL WHERE id = %s", (made.id,))
        services.place_records()

        assert told(checkpoint(8)) == [(Kind.UNAUTHENTICATED, None, str(made.id))]

    def test_a_record_with_a_place_that_it_gave_itself(self, owner: Any, gateway: Gateway, log: list[Record]) -> None:
        outside = checkpoint()
        row = Gateway(key=bytes(32)).row(server="files")
        put(owner, row, 8)

        assert told(outside) == [(Kind.UNKNOWN_KEY, 8, str(row["id"]))]

    def test_a_record_in_the_place_of_another(self, owner: Any, log: list[Record]) -> None:
        outside = checkpoint()
        forged = Gateway(key=bytes(32)).row(server="files")
        owner.execute("DELETE FROM audit_leaf WHERE index = 7")
        put(owner, forged, 7)

        report = verified(outside)
        found = [(finding.kind, finding.index, finding.record) for finding in report.findings]
        assert found == [
            (Kind.UNKNOWN_KEY, 7, str(forged["id"])),
            (Kind.ROOT, 7, ""),
            (Kind.UNPLACED, None, str(log[7].id)),
        ]

    def test_a_record_that_was_never_meant_to_be_placed(self, owner: Any, gateway: Gateway, log: list[Record]) -> None:
        lost = a_control_plane_record(subject="team:hidden")
        owner.execute("DELETE FROM audit_pending WHERE record_id = %s", (lost.id,))

        assert told(checkpoint()) == [(Kind.UNPLACED, None, str(lost.id))]

    def test_a_place_far_ahead(self, owner: Any, log: list[Record]) -> None:
        """Whoever may insert may insert that: it is told, and counted up to by nobody."""
        outside = checkpoint()
        owner.execute(
            "INSERT INTO audit_leaf (shard, index, record_id, hash) VALUES (%s, 1000000000000, %s, %s)",
            (log[0].shard, new_id(), bytes(32)),
        )

        assert [kind for kind, _, _ in told(outside)] == [Kind.INDEX, Kind.MISSING]


def test_a_restored_backup_is_seen_by_what_left_since(owner: Any, gateway: Gateway, log: list[Record]) -> None:
    """That its sequencer signs nothing is in tests/audit/test_sequencer*.py: this is what an auditor sees."""
    since = checkpoint()
    owner.execute("DELETE FROM audit_record WHERE id = ANY(%s)", ([made.id for made in log[5:]],))
    owner.execute("DELETE FROM audit_leaf WHERE index >= 5")
    assert told(since) == [(Kind.CUT, 5, "")]

    for number in range(4):
        a_control_plane_record(subject=f"team:{number}")
    services.place_records()
    owner.execute("DELETE FROM audit_verification")
    assert told(checkpoint(5), since) == [(Kind.ROOT, 7, "")]


def test_with_database_and_keys_only_an_anchor_tells(owner: Any, gateway: Gateway, log: list[Record]) -> None:
    """Everything made anew from the edited record on: body, leaves, chain, MACs, checkpoint."""
    anchored = checkpoint()
    key = settings.AUDIT_KEYS[0]
    anew = Chain(settings.INSTALLATION_ID, gateway.writer, gateway.shard, key)
    for made in [made for made in log if made.writer is not None]:
        body = bytes(made.body).replace(b'"files"', b'"faked"')
        link, mac = anew.add(body)
        owner.execute(
            "UPDATE audit_record SET body = %s, chain = %s, mac = %s, server = replace(server, 'files', 'faked') "
            "WHERE id = %s",
            (body, link, mac, made.id),
        )
        owner.execute("UPDATE audit_leaf SET hash = %s WHERE record_id = %s", (chain.leaf(body), made.id))
    hashes = [bytes(hashed) for hashed in Leaf.objects.after(-1).values_list("hash", flat=True)]
    signed_anew = Checkpoint(ORIGIN, 8, merkle.root(hashes))

    assert told(signed_anew) == []
    owner.execute("DELETE FROM audit_verification")
    assert told(signed_anew, anchored) == [(Kind.ROOT, 7, "")]


def test_a_gateway_that_omits_its_own_calls_is_bounded_by_the_intent_rule(
    owner: Any, gateway: Gateway, log: list[Record]
) -> None:
    """Nothing is sent before its intent is durable: what a gateway can leave out is how it ended."""
    call = new_id()
    made = gateway.begin(call)
    services.place_records()

    report = verified()

    assert report.count == 0
    assert [(notice.kind, notice.record) for notice in report.notices] == [(Kind.INTENT, str(made.id))]


def test_pruning_that_the_log_tells_of_is_no_deletion_and_any_other_is(owner: Any, log: list[Record]) -> None:
    shard = log[0].shard
    a_control_plane_record(
        type=RecordType.ADMIN, event=Event.LOG_PRUNED, after={"shard": shard, "records": 2, "first": 0, "last": 1}
    )
    services.place_records()
    owner.execute("DELETE FROM audit_record WHERE id = ANY(%s)", ([made.id for made in log[:2]],))

    report = verified(checkpoint())
    assert (report.count, report.pruned) == (0, 2)
    owner.execute("DELETE FROM audit_record WHERE id = %s", (log[2].id,))
    assert [(kind, index) for kind, index, _ in told(checkpoint())] == [(Kind.MISSING, index) for index in range(3)]


def test_what_a_finding_says_shows_no_key(owner: Any, log: list[Record]) -> None:
    owner.execute("UPDATE audit_record SET mac = %s WHERE id = %s", (log[2].mac, log[3].id))

    text = "\n".join(verified(checkpoint()).lines())

    assert "FINDING mac" in text
    assert settings.AUDIT_KEYS[0].hex() not in text
    assert b64encode(settings.AUDIT_KEYS[0]).decode() not in text
    assert bytes(log[3].mac or b"").hex() not in text
