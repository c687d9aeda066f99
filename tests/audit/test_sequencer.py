"""The sequencer against a real database: what it signs, what it refuses, and who may do it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from audit import services
from audit.drafts import shard_of
from audit.events import Event, RecordType
from audit.models import Checkpoint, Epoch, Leaf, Pending, Record
from audit.proof import merkle
from audit.proof.checkpoint import Checkpoint as Said
from audit.proof.checkpoint import open_checkpoint, sign_checkpoint
from audit.proof.note import SigningKey
from audit.sequencer import Refused, Sequencer, Service, Setup, StateDirectory, adopt, begin_anew
from audit.sequencer.refusing import Alarms, RefusalCode
from audit.sinks.base import Message
from core.actor import system_actor
from core.ids import new_id
from tests.audit.gateway_log import GatewayLog

ORIGIN = "holdfast.example/audit"
KEY = SigningKey.generate(ORIGIN)
SYSTEM = system_actor("test")

pytestmark = pytest.mark.django_db
Make = Callable[..., Sequencer]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def sequencer(state: Path) -> Iterator[Make]:
    """Makes sequencers that let go of the lead at the end."""
    made: list[Sequencer] = []

    def make(**other: Any) -> Sequencer:
        for each in made:
            each.close()
        made.append(Sequencer(a_setup(state, **other)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def a_setup(directory: Path, **other: Any) -> Setup:
    return Setup(**{"origin": ORIGIN, "keys": (KEY,), "state": StateDirectory(directory), **other})


def recorded(count: int = 1) -> None:
    for number in range(count):
        services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM, subject=f"team:{number}")


def a_round(one: Sequencer) -> Sequencer:
    one.place()
    one.sign()
    return one


def kept(state: Path) -> Said:
    return open_checkpoint((state / "checkpoint").read_bytes(), [KEY.verifier], origin=ORIGIN)


def root_of_the_table(size: int) -> bytes:
    return merkle.root(bytes(leaf.hash) for leaf in Leaf.objects.after(-1)[:size])


def refusals() -> list[str]:
    rows = Record.objects.filter(event=Event.CHECKPOINT_REFUSED.value).order_by("id")
    return [row.after["code"] for row in rows if row.after]


def test_a_checkpoint_says_what_the_table_of_leaves_is(sequencer: Make, state: Path) -> None:
    recorded(3)
    log = GatewayLog()
    log.says()
    one = a_round(sequencer())
    said = kept(state)
    assert said.size == Leaf.objects.count() == 5, "with the record that names the key"
    assert said.root == root_of_the_table(5)
    row = Checkpoint.objects.get()
    assert (row.origin, row.size, bytes(row.root)) == (ORIGIN, 5, said.root)
    assert row.note.encode() == (state / "checkpoint").read_bytes()
    assert row.epoch == Epoch.objects.get().pk
    (line,) = (state / "checkpoints.log").read_text().splitlines()
    assert json.loads(line)["note"] == row.note
    one.sign()
    assert Checkpoint.objects.count() == 1, "nothing grew"
    log.says()
    a_round(one)
    assert [row.size for row in Checkpoint.objects.order_by("id")] == [5, 6]
    assert len((state / "checkpoints.log").read_text().splitlines()) == 2


def test_whose_signature_counts_is_on_record(sequencer: Make) -> None:
    a_round(sequencer())
    (said,) = Record.objects.filter(event=Event.CHECKPOINT_KEY_CHANGED.value)
    assert said.after == {"origin": ORIGIN, "keys": [str(KEY.verifier)]}
    a_round(sequencer())
    assert Record.objects.filter(event=Event.CHECKPOINT_KEY_CHANGED.value).count() == 1


def test_a_start_goes_on_from_what_was_signed(sequencer: Make, state: Path) -> None:
    recorded(2)
    a_round(sequencer())
    recorded(2)
    a_round(sequencer())
    assert (kept(state).size, kept(state).root) == (5, root_of_the_table(5))
    assert Epoch.objects.count() == 2


def test_a_key_is_changed_by_signing_with_both_for_a_time(sequencer: Make, state: Path) -> None:
    new = SigningKey.generate(ORIGIN)
    recorded()
    a_round(sequencer())
    a_round(sequencer(keys=(KEY, new)))
    a_round(sequencer(keys=(new,)))
    assert open_checkpoint((state / "checkpoint").read_bytes(), [new.verifier]).size == 4
    assert Record.objects.filter(event=Event.CHECKPOINT_KEY_CHANGED.value).count() == 3


def test_a_key_that_nobody_announced_is_refused(sequencer: Make, state: Path) -> None:
    recorded()
    a_round(sequencer())
    before = (state / "checkpoint").read_bytes()
    recorded()
    a_round(sequencer(keys=(SigningKey.generate(ORIGIN),)))
    assert refusals() == ["other_key"]
    assert (state / "checkpoint").read_bytes() == before


def test_another_origin_is_refused(sequencer: Make) -> None:
    recorded()
    a_round(sequencer())
    other = "holdfast.example/other"
    keys = (KEY, SigningKey(other, KEY.seed))
    a_round(sequencer(origin=other, keys=keys))
    assert refusals() == ["other_origin"]


def test_without_its_state_file_it_refuses(sequencer: Make, state: Path) -> None:
    recorded()
    a_round(sequencer())
    (state / "checkpoint").unlink()
    recorded()
    one = a_round(sequencer())
    assert one.refusal is not None
    assert "the state file is gone" in str(one.refusal)
    assert refusals() == ["no_state"]
    assert Checkpoint.objects.count() == 1
    assert Pending.objects.count() == 2, "the new record and the refusal's"


def test_without_its_state_file_it_refuses_a_database_that_knows_of_no_checkpoint(sequencer: Make, state: Path) -> None:
    """A wiped or new database beside what is left of the directory."""
    recorded()
    StateDirectory(state).append(b"a note\n", timezone.now())
    one = a_round(sequencer())
    assert one.refusal is not None
    assert refusals() == ["no_state"]
    assert not Checkpoint.objects.exists()
    assert not (state / "checkpoint").exists()

    (state / "checkpoints.log").write_bytes(b"")
    assert a_round(sequencer()).refusal is None


def test_a_state_file_that_goes_while_it_runs_is_noticed(sequencer: Make, state: Path) -> None:
    recorded()
    one = a_round(sequencer())
    (state / "checkpoint").unlink()
    recorded()
    a_round(one)
    assert refusals() == ["no_state"]
    assert not (state / "checkpoint").exists()


def test_adopting_a_checkpoint_goes_on_from_it(sequencer: Make, state: Path) -> None:
    recorded()
    a_round(sequencer())
    note = (state / "checkpoint").read_bytes()
    (state / "checkpoint").unlink()
    assert adopt(a_setup(state), note).size == 2
    a_round(sequencer())
    assert kept(state).size == 3
    assert Record.objects.get(event=Event.CHECKPOINT_ADOPTED.value).after == {"note": note.decode()}


def test_a_state_file_that_is_no_note_is_refused_and_replaced_by_adopting_one(sequencer: Make, state: Path) -> None:
    recorded()
    a_round(sequencer())
    note = (state / "checkpoint").read_bytes()
    (state / "checkpoint").write_bytes(b"half a no")
    a_round(sequencer())
    assert refusals() == ["unreadable"]
    adopt(a_setup(state), note)
    a_round(sequencer())
    assert kept(state).size == 4


@pytest.mark.parametrize("wrong", ["root", "key", "size", "text"])
def test_a_checkpoint_that_the_log_contradicts_is_not_adopted(wrong: str, sequencer: Make, state: Path) -> None:
    recorded()
    a_round(sequencer())
    said = kept(state)
    (state / "checkpoint").unlink()
    notes = {
        "root": sign_checkpoint(Said(ORIGIN, said.size, bytes(32)), KEY),
        "key": sign_checkpoint(said, SigningKey.generate(ORIGIN)),
        "size": sign_checkpoint(Said(ORIGIN, said.size + 9, said.root), KEY),
        "text": b"anything\n",
    }
    with pytest.raises(Refused):
        adopt(a_setup(state), notes[wrong])
    assert not (state / "checkpoint").exists()


def test_what_another_host_signed_with_our_key_is_gone_on_from(sequencer: Make, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    recorded()
    a_round(sequencer())
    (other / "checkpoint").write_bytes((state / "checkpoint").read_bytes())
    recorded(3)
    a_round(sequencer())
    a_round(sequencer(state=StateDirectory(other)))
    assert kept(other) == kept(state)
    assert len((other / "checkpoints.log").read_text().splitlines()) == 1


def test_a_row_that_we_did_not_sign_is_passed_over_and_told(
    sequencer: Make, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded()
    a_round(sequencer())
    note = sign_checkpoint(Said(ORIGIN, 99, bytes(32)), SigningKey.generate(ORIGIN)).decode()
    Checkpoint.objects.create(origin=ORIGIN, size=99, root=bytes(32), note=note, signed_at=timezone.now(), epoch=1)
    recorded()
    a_round(sequencer())
    assert "1 checkpoints in the database are not signed by us" in caplog.text
    assert kept(state).size == 3


def test_a_checkpoint_of_ours_that_the_log_does_not_reach_is_refused(sequencer: Make) -> None:
    recorded()
    a_round(sequencer())
    note = sign_checkpoint(Said(ORIGIN, 99, bytes(32)), KEY).decode()
    Checkpoint.objects.create(origin=ORIGIN, size=99, root=bytes(32), note=note, signed_at=timezone.now(), epoch=1)
    a_round(sequencer())
    assert refusals() == ["shorter"]


def a_forged_leaf(index: int, **other: Any) -> None:
    shard = shard_of(timezone.now())
    Leaf.objects.create(**{"shard": shard, "index": index, "record_id": new_id(), "hash": bytes(32), **other})


@pytest.mark.parametrize("index", [2, 3, 10**18])
@pytest.mark.parametrize("running", ["running", ""])
def test_a_leaf_put_in_by_hand_is_refused(index: int, running: str, sequencer: Make, state: Path) -> None:
    recorded()
    one = a_round(sequencer())
    a_forged_leaf(index)
    recorded()
    a_round(one if running else sequencer())
    assert refusals() == ["forged" if index == 2 else "gap"]
    assert kept(state).size == 2
    assert Leaf.objects.count() == 3, "nothing is placed"


def test_a_leaf_of_a_record_out_of_its_writers_turn_is_refused(sequencer: Make) -> None:
    log = GatewayLog()
    log.says()
    one = a_round(sequencer())
    log.says()
    third = log.says()
    a_forged_leaf(2, record_id=third.id, writer=log.writer, seq=3, hash=merkle.EMPTY)
    a_round(one)
    assert refusals() == ["forged"]


def test_what_the_release_before_placed_meanwhile_is_taken_in(sequencer: Make, state: Path) -> None:
    recorded()
    one = a_round(sequencer())
    log = GatewayLog()
    log.says()
    recorded(2)
    assert services.place_records() == 3
    log.says()
    a_round(one)
    assert (kept(state).size, kept(state).root) == (6, root_of_the_table(6))


def test_a_full_disk_of_the_state_file_holds_the_signature_and_not_the_placing(sequencer: Make, state: Path) -> None:
    recorded()
    one = a_round(sequencer())
    log = state / "checkpoints.log"
    log.rename(state / "aside")
    log.symlink_to("/dev/full")
    recorded()
    a_round(one)
    assert refusals() == ["state_unwritable"]
    assert Leaf.objects.count() == 3
    assert Checkpoint.objects.count() == 1
    log.unlink()
    (state / "aside").rename(log)
    a_round(one)
    assert [row.size for row in Checkpoint.objects.order_by("id")] == [2, 4]
    notes = [json.loads(line)["note"] for line in log.read_text().splitlines()]
    assert notes[-1] == (state / "checkpoint").read_text()


def test_a_leader_that_stood_still_signs_nothing(sequencer: Make, state: Path) -> None:
    recorded()
    one = a_round(sequencer())
    before = (state / "checkpoint").read_bytes()
    recorded()
    one.place()
    Epoch.objects.create(host="another", process="p", started_at=timezone.now())
    one.sign()
    assert (state / "checkpoint").read_bytes() == before
    assert Checkpoint.objects.count() == 1
    a_round(one)
    assert kept(state).size == 3, "it leads again, by an epoch of its own"
    recorded()
    Epoch.objects.create(host="another", process="p", started_at=timezone.now())
    one.place()
    assert Pending.objects.count() == 1


def test_the_boundary_is_drawn_at_once_where_every_record_has_a_mac(sequencer: Make) -> None:
    recorded()
    one = a_round(sequencer())
    one.draw_boundary()
    one.draw_boundary()
    assert Record.objects.filter(event=Event.LOG_CHAINED.value).count() == 1
    GatewayLog(with_mac=False).says()
    one.placer.forget()  # rather than wait until it asks for new writers again
    one.place()
    assert one.placer.held() == 1


def test_the_boundary_waits_for_the_release_before_but_not_for_ever(
    sequencer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    GatewayLog(with_mac=False).says()
    one = a_round(sequencer())
    one.draw_boundary()
    assert not Record.objects.filter(event=Event.LOG_CHAINED.value).exists()
    assert one.placer.bare == 1
    monkeypatch.setattr("audit.sequencer.chaining.AT_LATEST", timedelta(0))
    one.draw_boundary()
    assert Record.objects.filter(event=Event.LOG_CHAINED.value).exists()


def test_a_large_log_goes_on_from_the_kept_edge_where_that_has_the_signed_root(
    sequencer: Make, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.sequencer.comparing._READ_AGAIN", 0)
    recorded(3)
    a_round(sequencer())
    recorded()
    with monkeypatch.context() as patch:
        patch.setattr("audit.sequencer.comparing.follow", None)  # nothing is read again
        a_round(sequencer())
    assert (kept(state).size, kept(state).root) == (5, root_of_the_table(5))
    (state / "frontier").write_bytes(merkle.Frontier(1, [bytes(32)]).to_bytes())
    recorded()
    a_round(sequencer())
    assert (kept(state).size, kept(state).root) == (6, root_of_the_table(6))


def test_a_database_that_goes_away_is_waited_for_and_compared_with_again(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("audit.sequencer.serving._DATABASE_PATIENCE", 0.0)
    monkeypatch.setattr("audit.sequencer.serving.connection", Closed())
    stop = threading.Event()
    stop.set()
    service = Service(a_setup(state), stop)
    recorded()
    service.round()
    sequencer = service._sequencer
    assert sequencer.tree is not None

    def fails() -> None:
        raise OperationalError("the server closed the connection")

    service._guarded(fails)
    assert not sequencer.leadership.epoch, "it leads and compares again"
    assert "database.away: the database does not answer: OperationalError" in caplog.text
    recorded()
    service._guarded(service.round)
    sequencer.sign()
    assert kept(state).size == 4, "with the records of the key and of the boundary"
    assert Epoch.objects.count() == 2
    sequencer.close()


class Closed:
    """Stands in for the connection: the test's own holds the transaction that ends with it."""

    def close(self) -> None:
        pass


def test_alarms_are_told_once_an_hour(sequencer: Make) -> None:
    one = sequencer()
    told = [one.alarms.sound("audit.held", "writer", "It is held."), one.alarms.sound("audit.held", "writer", "Again.")]
    assert told == [True, False]
    assert one.alarms.waiting.qsize() == 1


def test_an_alarm_that_is_over_holds_up_those_of_another_thread_and_loses_none() -> None:
    alarms = Alarms(ORIGIN)
    other = threading.Thread(target=alarms.sound, args=("anchor.failing", "siem", "It gets no checkpoints."))

    class Met(str):
        """A key that is met just as the publisher's thread sounds an alarm."""

        __slots__ = ()

        def startswith(self, *kind: Any) -> bool:
            other.start()
            other.join(0.2)  # it waits, or has changed what is being read
            return super().startswith(*kind)

    alarms._told[Met("audit.held writer")] = 0.0
    alarms.over("audit.held")
    other.join()
    assert not alarms.sound("anchor.failing", "siem", "It is told already.")
    assert alarms.waiting.qsize() == 1


class Anchor:
    """Breaks at the first checkpoint, and has the process stop at the second."""

    name = "siem"

    def __init__(self, stop: threading.Event) -> None:
        self.stop, self.got = stop, 0

    def send(self, messages: Sequence[Message]) -> None:
        self.got += 1
        if self.got == 1:
            raise ValueError("a defect")
        self.stop.set()


class Told:
    """A place for alarms."""

    name = "alarm"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, messages: Sequence[Message]) -> None:
        self.messages += messages


def test_what_breaks_in_publishing_is_an_alarm_and_not_its_end(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("audit.sequencer.serving._PUBLISH", 0.01)
    stop, alarm = threading.Event(), Told()
    anchor = Anchor(stop)
    setup = a_setup(state, anchors=(anchor,), alarms=(alarm,))
    setup.state.append(sign_checkpoint(Said(ORIGIN, 1, bytes(32)), KEY), timezone.now())
    Service(setup, stop)._publish()
    assert anchor.got == 2
    assert [message.kind for message in alarm.messages] == ["anchor.failing"]
    assert "checkpoints could not be sent" in caplog.text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"half a no"])
def test_a_log_does_not_begin_anew_over_a_state_file_that_cannot_be_read(content: bytes, state: Path) -> None:
    (state / "checkpoint").write_bytes(content)
    setup = a_setup(state, origin="holdfast.example/audit/2")
    with pytest.raises(Refused, match="move it away") as refusal:
        begin_anew(setup)
    assert refusal.value.code is RefusalCode.UNREADABLE
    assert (state / "checkpoint").read_bytes() == content


@pytest.mark.django_db(transaction=True)
def test_two_sequencers_one_signs(state: Path, tmp_path: Path, sequencer: Make) -> None:
    second = tmp_path / "second"
    second.mkdir()
    recorded()
    one = a_round(sequencer())

    def other() -> tuple[int, bool]:
        waiting = a_round(Sequencer(a_setup(second)))
        connections.close_all()
        return waiting.leadership.epoch, (second / "checkpoint").exists()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(other).result(60) == (0, False)
        (second / "checkpoint").write_bytes((state / "checkpoint").read_bytes())
        one.close()
        recorded()
        epoch, _ = pool.submit(other).result(60)
    assert epoch > 0
    assert kept(second).size == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("regrown", ["", "regrown"])
@pytest.mark.parametrize("running", ["running", ""])
def test_a_restored_database_is_not_signed_and_nothing_is_placed(
    regrown: str, running: str, state: Path, sequencer: Make, owner_connection: psycopg.Connection[Any]
) -> None:
    recorded(2)
    one = a_round(sequencer())
    before = backed_up(owner_connection)
    recorded(3)
    a_round(one)
    restore(owner_connection, before)
    if regrown:
        recorded(4)
        services.place_records()
    placed = Leaf.objects.count()
    recorded()
    a_round(one if running else sequencer())
    assert refusals() == ["altered" if regrown or running else "shorter"]
    assert kept(state).size == 6
    assert Leaf.objects.count() == placed
    anew = "holdfast.example/audit/2"
    setup = a_setup(state, origin=anew, keys=(SigningKey.generate(anew),))
    with pytest.raises(Refused, match="has begun already"):
        begin_anew(a_setup(state))
    begin_anew(setup)
    two = a_round(sequencer(origin=anew, keys=setup.keys))
    assert two.refusal is None
    first = Record.objects.get(event=Event.CHECKPOINT_ADOPTED.value)
    assert first.before is not None
    assert first.before["note"].startswith(f"{ORIGIN}\n6\n")
    assert Leaf.objects.filter(record_id=first.id).exists()


def backed_up(owner: psycopg.Connection[Any]) -> tuple[int, int]:
    """How much a backup made now would hold: leaves, and the last checkpoint."""
    found = owner.execute("SELECT (SELECT count(*) FROM audit_leaf), (SELECT max(id) FROM audit_checkpoint)").fetchone()
    assert found is not None
    return found[0], found[1]


def restore(owner: psycopg.Connection[Any], backup: tuple[int, int]) -> None:
    """What came after the backup is gone."""
    shard = shard_of(timezone.now())
    for table in (f"audit_record_{shard}", f"audit_leaf_{shard}", "audit_checkpoint"):
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_change")
    late = "SELECT record_id FROM audit_leaf WHERE index >= %s"
    owner.execute(f"DELETE FROM audit_record WHERE id IN ({late})", backup[:1])
    owner.execute("DELETE FROM audit_leaf WHERE index >= %s", backup[:1])
    owner.execute("DELETE FROM audit_checkpoint WHERE id > %s", backup[1:])
