"""Sending tasks by name."""

import socket
import threading
import time
from pathlib import Path

import pytest
from celery import current_app

from core.queue import enqueue

pytestmark = pytest.mark.django_db


def test_a_broker_that_accepts_and_never_answers_does_not_hold_up_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    path = tmp_path / "broker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        accepted: list[socket.socket] = []
        accepting = threading.Thread(target=lambda: accepted.append(listener.accept()[0]), daemon=True)
        accepting.start()
        # Whoever waits for ever fails instead of hanging.
        ending = threading.Timer(60, lambda: accepted[0].shutdown(socket.SHUT_RDWR))
        ending.start()
        monkeypatch.setattr(current_app.conf, "broker_write_url", f"redis+socket://{path}")
        began = time.monotonic()
        with django_capture_on_commit_callbacks(execute=True):
            enqueue("tools.poll_servers", leases=[])
        took = time.monotonic() - began
        ending.cancel()
        accepting.join(60)
        for held in accepted:
            held.close()
        assert took < 30
        assert accepted, "the broker was asked"


def test_a_broker_that_is_away_is_no_error_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    monkeypatch.setattr(current_app.conf, "broker_write_url", f"redis+socket://{tmp_path / 'nobody.sock'}")
    began = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        enqueue("tools.poll_servers", leases=[])
    assert time.monotonic() - began < 30
