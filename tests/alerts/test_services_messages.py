"""The body of a message and the hint that it waits."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import current_app

from alerts import services
from alerts.services.messages import BODY_MAX, DELIVER, message
from audit.events import Event
from core.actor import Actor
from tests.alerts.logs import Log

Capture = Callable[..., AbstractContextManager[list[Any]]]


def test_a_message_has_type_timestamp_and_data() -> None:
    text = message("tool.drifted", {"server": "files"}, datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    assert json.loads(text) == {
        "type": "tool.drifted",
        "timestamp": "2026-11-22T09:30:00.000000Z",
        "data": {"server": "files"},
    }


def test_too_much_data_is_cut_to_what_leads_to_the_alert() -> None:
    said = json.loads(message("tool.drifted", {"alert_id": "1", "reason": "x" * BODY_MAX}))
    assert said["data"] == {"alert_id": "1", "cut": True}


@pytest.mark.django_db
def test_news_sends_a_hint_after_the_commit(
    log: Log, operator: Actor, django_capture_on_commit_callbacks: Capture
) -> None:
    services.create_channel(name="hook", url="https://hooks.example/x", actor=operator)
    log.notes(Event.TOOL_DRIFTED)
    with django_capture_on_commit_callbacks() as hints:
        log.is_followed()
    assert len(hints) == 1
    assert DELIVER in current_app.tasks
