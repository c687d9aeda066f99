"""Spans leave over OTLP/HTTP, and a collector that is away or slow never holds up anything."""

import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from gateway import tracing
from gateway.telemetry import Telemetry
from gateway.tracing import QUEUE, Tracing, exporting
from tests.gateway.collector import Collector, collector
from tests.gateway.observed import SERVERS, head

pytestmark = pytest.mark.network
SECRET = "canary-of-the-collector"


def traced(url: str) -> Telemetry:
    processor = exporting(url, {"x-key": SECRET})
    made = Tracing(processor, ratio=1.0, service="gateway", installation="here")
    return Telemetry(is_server=SERVERS.__contains__, tracing=made)


def call(telemetry: Telemetry) -> None:
    with telemetry.request("files", head()) as operation:
        operation.asked("tools/call", {})
        operation.about("tool", "read")
        with operation.upstream("http://127.0.0.1:1/mcp"):
            pass
        operation.ended("ok")


@pytest.fixture
def receiver():
    with collector() as running:
        yield running


async def test_a_span_that_ends_reaches_the_collector(receiver: Collector):
    telemetry = traced(receiver.url)
    call(telemetry)
    assert receiver.came.wait(10)  # by itself, within the period
    assert receiver.names == ["tools/call read", "tools/call read"]
    assert receiver.heads[0].startswith("POST /v1/traces HTTP/1.1\r\n")
    assert f"x-key: {SECRET}" in receiver.heads[0]
    await telemetry.close()


async def test_what_waits_is_handed_on_at_the_end(receiver: Collector):
    telemetry = traced(receiver.url)
    call(telemetry)
    await telemetry.close()
    assert len(receiver.names) == 2


async def test_calls_go_on_while_the_collector_is_slow_and_the_queue_is_bounded(receiver: Collector, monkeypatch):
    monkeypatch.setattr(tracing, "CLOSE_SECONDS", 0.2)
    receiver.open.clear()  # the first request gets no answer until the test ends
    telemetry = traced(receiver.url)
    call(telemetry)
    assert receiver.came.wait(10)
    for _ in range(QUEUE):  # twice as many spans as fit
        call(telemetry)
    provider: Any = telemetry.tracing._provider if telemetry.tracing else None
    (processor,) = provider._active_span_processor._span_processors
    assert len(processor._batch_processor._queue) == QUEUE
    await telemetry.close()
    assert len(receiver.heads) == 1  # still the one that waits
    shutdown = [thread for thread in threading.enumerate() if thread.name == "tracing shutdown"]
    assert all(thread.daemon for thread in shutdown)  # nothing of it keeps the process alive
    receiver.open.set()
    for thread in shutdown:
        thread.join()


async def test_calls_go_on_while_the_collector_is_away_and_no_secret_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(tracing, "CLOSE_SECONDS", 0.2)
    with collector() as gone:
        url = gone.url
    telemetry = traced(url)
    with caplog.at_level(logging.DEBUG):
        call(telemetry)
        await telemetry.close()
        call(telemetry)
        for thread in threading.enumerate():
            if thread.name == "tracing shutdown":
                thread.join()
    assert "127.0.0.1" in caplog.text
    assert SECRET not in caplog.text


def test_nothing_of_it_is_loaded_where_tracing_is_off():
    program = """
import os, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
django.setup(set_prefix=False)
from gateway.telemetry import Telemetry
assert Telemetry.from_settings(is_server=bool).tracing is None
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "google"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
