"""What cannot be recorded is told outside once, counted, and set right in the log when that can be."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest

from audit.drafts import RecordDraft, written_out
from audit.events import Event, RecordType
from audit.payload import Payload
from audit.writer import AuditAltered, AuditBusy, AuditRefused, AuditUnavailable, Tail
from core.ids import new_id
from gateway import outage as module
from gateway.errors import Refused
from gateway.outage import NOT_SENT, UNRECORDED, Outage
from gateway.recorder import Outcome, Recorded, Recorder
from tests.gateway.admitting import Kept

OK = Outcome("ok")


class Scene:
    """A recorder, the writer that fails as told, and what was sounded and given up."""

    def __init__(self, most: int = 2000) -> None:
        self.kept = Kept()
        self.alarms: list[tuple[str, Mapping[str, Any]]] = []
        self.given_up = 0
        self.error: Exception | None = None
        self.cannot: set[UUID | None] = set()  # calls of which nothing can be written
        self.outage = Outage(self, alarm=self.sound, give_up=self.give_up, most=most)
        self.recorder = Recorder(self, self.outage)

    async def write(self, record: Any, payload: Payload | None = None) -> None:
        if self.error is not None:
            raise self.error
        if written_out(record).call_id in self.cannot:
            raise AuditRefused("not this one")
        await self.kept.write(record, payload)

    async def sound(self, kind: str, data: Mapping[str, Any]) -> bool:
        self.alarms.append((kind, data))
        return True

    def give_up(self) -> None:
        self.given_up += 1

    async def refused(self, work: Any) -> None:
        with pytest.raises(Refused):
            await work

    def of(self, event: Event) -> list[RecordDraft]:
        return [draft for draft in self.kept.drafts if draft.event is event]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 -- many things change it
                await asyncio.sleep(0.001)


def a_call() -> Recorded:
    return Recorded(call_id=new_id(), principal="agent:a", server="files", tool="read", trace_id="4b" * 16)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.001)


async def test_while_the_database_is_away_the_alarm_goes_out_once_and_the_end_is_recorded() -> None:
    scene = Scene()
    for _ in range(2):
        scene.error = AuditUnavailable("away")
        for _ in range(3):
            await scene.refused(scene.recorder.intended(a_call()))
        assert scene.outage.is_on
        await asyncio.sleep(0.05)
        scene.error = None
        await scene.until(lambda: not scene.outage.is_on)
    assert [kind for kind, _ in scene.alarms] == ["audit.unavailable"] * 2
    first, second = scene.of(Event.AUDIT_INTERRUPTED)
    assert first.type is RecordType.ADMIN
    assert first.after is not None
    assert second.after is not None
    assert first.after["refused"] == second.after["refused"] == 3
    assert first.after["from"] < first.after["until"] < second.after["from"]
    assert list(scene.outage.calls()) == []


async def test_too_many_records_at_once_are_no_outage() -> None:
    scene = Scene()
    scene.error = AuditBusy("busy")
    await scene.refused(scene.recorder.intended(a_call()))
    assert not scene.outage.is_on
    assert scene.alarms == []


@pytest.mark.parametrize("kind", [AuditRefused, AuditAltered])
async def test_what_is_refused_although_the_database_takes_records_is_no_outage(kind: type[AuditUnavailable]) -> None:
    scene = Scene()
    scene.error = kind("not this one")
    await scene.refused(scene.recorder.intended(a_call()))
    assert not scene.outage.is_on
    assert scene.alarms == []
    assert list(scene.outage.calls()) == []


async def test_what_was_taken_out_of_the_log_is_told_outside_and_on_record() -> None:
    scene, writer = Scene(), new_id()
    scene.error = AuditUnavailable("away")
    scene.outage.altered(Tail(writer, 202611, 7, b"\xab" * 32))
    await asyncio.sleep(0.01)
    scene.error = None
    await scene.until(lambda: scene.of(Event.LOG_CONTRADICTED))
    about = {"writer": str(writer), "shard": 202611, "seq": 7, "link": "ab" * 32}
    ((kind, data),) = scene.alarms
    assert (kind, {name: data[name] for name in about}) == ("audit.altered", about)
    (record,) = scene.of(Event.LOG_CONTRADICTED)
    assert (record.type, record.after) == (RecordType.CHECKPOINT, {"kind": "tail", **about})
    assert not scene.outage.is_on


async def test_what_is_being_told_gets_out_before_the_process_ends() -> None:
    scene = Scene()
    scene.outage.altered(Tail(new_id(), 202611, 7, bytes(32)))
    await scene.outage.close()
    assert len(scene.of(Event.LOG_CONTRADICTED)) == len(scene.alarms) == 1


async def test_an_end_that_can_never_be_written_is_left_to_the_reconciler_and_keeps_no_other_back() -> None:
    scene, calls = Scene(), [a_call() for _ in range(3)]
    for call in calls:
        await scene.recorder.intended(call)
    scene.error = AuditUnavailable("away")
    for call in calls:
        await scene.refused(scene.recorder.completed(call, OK))
    scene.cannot.add(calls[0].call_id)
    scene.error = None
    await scene.until(lambda: not list(scene.outage.calls()))
    assert {draft.call_id for draft in scene.of(Event.CALL_UNKNOWN)} == {call.call_id for call in calls[1:]}
    assert scene.given_up == 1
    assert not scene.outage.is_on


async def test_a_defect_while_an_outage_ends_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.error = AuditUnavailable("away")
    await scene.refused(scene.recorder.intended(a_call()))
    scene.error = RuntimeError("a defect")
    await scene.until(lambda: "the end of an outage is not on record" in caplog.text)
    scene.error = None
    await scene.until(lambda: not scene.outage.is_on)


async def test_an_outcome_that_could_not_be_written_is_written_as_unknown_later() -> None:
    scene, call = Scene(), a_call()
    await scene.recorder.intended(call)
    assert list(scene.outage.calls()) == [call.call_id]
    scene.error = AuditUnavailable("away")
    await scene.refused(scene.recorder.completed(call, OK))
    assert list(scene.outage.calls()) == [call.call_id]
    scene.error = None
    await scene.until(lambda: not list(scene.outage.calls()))
    (record,) = scene.of(Event.CALL_UNKNOWN)
    assert (record.type, record.status, record.call_id, record.trace_id, record.tool) == (
        RecordType.OUTCOME, "unknown", call.call_id, "4b" * 16, "read",
    )  # fmt: skip
    assert record.reason == UNRECORDED


async def test_an_intent_that_may_be_on_record_all_the_same_gets_an_end_and_no_other_does() -> None:
    scene, doubtful, sure = Scene(), a_call(), a_call()
    scene.error = AuditUnavailable("away")
    await scene.refused(scene.recorder.intended(sure))
    scene.error = late = AuditUnavailable("too late")
    late.in_doubt = True
    await scene.refused(scene.recorder.intended(doubtful))
    scene.error = None
    await scene.until(lambda: not list(scene.outage.calls()))
    (record,) = scene.of(Event.CALL_UNKNOWN)
    assert (record.call_id, record.reason) == (doubtful.call_id, NOT_SENT)


async def test_a_call_that_is_stopped_while_its_intent_is_written_gets_an_end() -> None:
    scene, call = Scene(), a_call()
    began = asyncio.Event()

    async def hang(_record: Any, _payload: Any = None) -> None:
        began.set()
        await asyncio.sleep(60)

    usual = scene.write
    scene.write = hang  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(scene.recorder.intended(call))
    await began.wait()
    scene.write = usual  # type: ignore[method-assign]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await scene.until(lambda: scene.of(Event.CALL_UNKNOWN))


async def test_more_calls_than_are_kept_are_left_to_the_reconciler() -> None:
    scene = Scene(most=2)
    calls = [a_call() for _ in range(3)]
    for call in calls:
        await scene.recorder.intended(call)
    scene.error = AuditUnavailable("away")
    for call in calls:
        assert scene.given_up == 0
        await scene.refused(scene.recorder.completed(call, OK))
    assert scene.given_up == 1
    scene.error = None
    await scene.until(lambda: not scene.outage.is_on)
    assert scene.of(Event.CALL_UNKNOWN) == []


async def test_what_a_process_could_not_set_right_before_it_ends_is_left_to_the_reconciler() -> None:
    scene, call = Scene(), a_call()
    await scene.recorder.intended(call)
    scene.error = AuditUnavailable("away")
    await scene.refused(scene.recorder.completed(call, OK))
    await scene.outage.close()
    assert list(scene.outage.calls()) == [call.call_id]


async def test_questions_to_clients_are_no_calls() -> None:
    scene = Scene()
    await scene.recorder.intended(a_call(), Event.CLIENT_ASKED)
    assert list(scene.outage.calls()) == []
    scene.error = AuditUnavailable("away")
    await scene.refused(scene.recorder.answered(a_call(), OK))
    assert list(scene.outage.calls()) == []
    await scene.outage.close()
