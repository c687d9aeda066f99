"""Clocks that are set: a few minutes change nothing, a month is refused with a sentence and is over when it is right."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from audit import services
from audit.drafts import next_shard, shard_of
from audit.events import Event, RecordType
from audit.models import Leaf, Record
from audit.services import shards
from audit.writer import AuditUnavailable, GroupCommitWriter
from core.actor import Actor, ActorKind, system_actor
from core.errors import Unavailable
from core.permissions import Permission
from tests.audit.test_writer import PATIENCE, a_draft, sequences, writers

pytestmark = pytest.mark.django_db(transaction=True)
SYSTEM = system_actor("test")
READER = Actor(ActorKind.PERSON, "r", "r", frozenset({Permission.AUDIT_READ}))


@contextmanager
def clock(patch: pytest.MonkeyPatch, step: timedelta) -> Iterator[None]:
    """This process's clock, so much off."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + step

    with patch.context() as here:
        here.setattr("audit.writer.datetime", Off)
        here.setattr("audit.services.recording.timezone.now", lambda: datetime.now(UTC) + step)
        yield


@pytest.fixture
async def writer() -> AsyncIterator[GroupCommitWriter]:
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as running:
        yield running


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_ten_minutes_leave_one_sequence_and_every_record_is_found(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    drafts = []
    for step in (timedelta(0), timedelta(minutes=minutes), timedelta(0)):
        with clock(monkeypatch, step):
            drafts.append(a_draft(time=timezone.now() + step))
            await writer.write(drafts[-1])
    assert list((await sequences()).values()) == [[1, 2, 3]]
    assert len(await writers()) == 1
    for draft in drafts:
        assert (await sync_to_async(Record.objects.visible_to(READER).one)(draft.id)).time == draft.time
    assert await sync_to_async(services.place_records)() == 3
    assert await sync_to_async(Leaf.objects.head)() == 2


async def test_a_month_ahead_is_the_next_shard_and_back_again_stays_there(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = shard_of(timezone.now())
    await writer.write(a_draft())
    with clock(monkeypatch, timedelta(days=31)):
        await writer.write(a_draft())
    await writer.write(a_draft())
    found = await sync_to_async(lambda: list(Record.objects.order_by("shard", "seq").values_list("shard", "seq")))()
    assert found == [(now, 1), (next_shard(now), 1), (next_shard(now), 2)]


@pytest.mark.parametrize("days", [-75, 500])
async def test_months_off_are_refused_with_a_sentence_and_it_goes_on_when_the_clock_is_right(
    writer: GroupCommitWriter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, days: int
) -> None:
    with clock(monkeypatch, timedelta(days=days)), caplog.at_level(logging.ERROR, "audit.writer"):
        with pytest.raises(AuditUnavailable):
            await writer.write(a_draft())
    assert "may be made now" in caplog.text
    await writer.write(a_draft())
    assert list((await sequences()).values()) == [[1]]


@pytest.mark.parametrize("days", [-75, 500])
def test_the_control_plane_says_that_its_clock_is_off_and_goes_on_when_it_is_right(
    monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setattr(shards, "_shards", set())
    with clock(monkeypatch, timedelta(days=days)), pytest.raises(Unavailable, match="clock"):
        services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM)
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=SYSTEM)
    assert Record.objects.count() == 1
