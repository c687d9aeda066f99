"""The tasks that beat sends."""

import pytest
from celery import current_app
from django.conf import settings

from alerts import tasks
from alerts.models import Cursor


@pytest.mark.parametrize("name", ["alerts.follow_records", "alerts.deliver_due", "alerts.tell_policy"])
def test_beat_sends_a_registered_task(name: str) -> None:
    assert name in current_app.tasks
    assert name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


@pytest.mark.django_db
def test_the_tasks_run_with_nothing_to_do() -> None:
    tasks.follow_records()
    tasks.deliver_due()
    tasks.tell_policy()
    assert set(Cursor.objects.values_list("name", "index")) == {("alerts", -1), ("stamps", -1)}
