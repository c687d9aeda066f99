"""Asking for a verification now: it is recorded, it is sent to a worker, and it is over when the log was verified."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.utils import timezone

from audit import services, tasks
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, PermissionDenied

pytestmark = pytest.mark.django_db


def test_it_is_recorded_and_over_once_the_whole_log_was_verified(ada: Actor) -> None:
    assert services.verification_asked() is None
    made = services.request_verification(actor=ada)
    assert (made.event, made.subject) == ("log.verification_requested", "log:records")
    assert services.verification_asked() == made.time
    services.place_records()
    tasks.verify_new_records()
    assert services.verification_asked() == made.time, "only a part was verified"
    tasks.verify_log()
    assert services.verification_asked() is None
    services.request_verification(actor=ada)


def test_while_it_is_under_way_nobody_asks_again(ada: Actor) -> None:
    services.request_verification(actor=ada)
    with pytest.raises(Conflict, match="already"):
        services.request_verification(actor=ada)
    assert Record.objects.filter(event="log.verification_requested").count() == 1
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):  # the worker may be away
        assert services.verification_asked() is None


def test_who_may_not_read_the_log_does_not_have_it_verified(bob: Actor) -> None:
    with pytest.raises(PermissionDenied):
        services.request_verification(actor=bob)
    assert Record.objects.get().event == "action.denied"


def test_what_is_sent_is_a_task_of_the_queue_that_verifies(
    ada: Actor, valkey_url: str, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        services.request_verification(actor=ada)
    with current_app.connection_for_read() as connection:
        message = connection.SimpleQueue("scan").get(timeout=60)
        assert message.headers["task"] == "audit.verify_log"
        message.ack()
