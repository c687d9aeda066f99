"""The tasks that beat sends."""

import pytest
from celery import current_app
from django.conf import settings

from audit import services, tasks
from audit.events import Event, RecordType
from audit.models import Leaf
from core.actor import system_actor


@pytest.mark.parametrize("name", ["audit.create_shards", "audit.place_records"])
def test_beat_sends_a_registered_task(name: str) -> None:
    assert name in current_app.tasks
    assert name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


@pytest.mark.django_db
def test_the_tasks_do_their_work() -> None:
    services.record(type=RecordType.ADMIN, event=Event.TEAM_CREATED, actor=system_actor("test"))
    tasks.create_shards()
    tasks.place_records()
    assert Leaf.objects.head() == 0
