"""The console with its streams, listening in a thread, and what a browser's stream hears."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from celery import current_app
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg import sql

from access.models import Person
from access.services import revisions
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from controlplane import devservices, devvalkey
from controlplane.env import broker_url
from controlplane.live.hub import Hub
from controlplane.live.streams import LiveStreams
from core.ids import new_id
from tests import databases
from tests.gateway.world import free_port, until
from tests.tools.records import draft, write

SECONDS = 60


class Console:
    """A listening console. `leaving` is what a process that was told to stop says."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.leaving = False
        self.hub = Hub(leaving=lambda: self.leaving, tick=0.05)
        self.application = LiveStreams(get_asgi_application(), self.hub)

    @contextmanager
    def stream(self, person: Person, query: str = "calls=1") -> "Iterator[Stream]":
        """A stream of somebody who signs in for it, once it was told the counts: from then on nothing is missed."""
        browser = Client()
        browser.force_login(person)
        cookies = {name: each.value for name, each in browser.cookies.items()}
        headers = {"accept": "text/event-stream"}
        with httpx2.stream(
            "GET", f"{self.url}/live/?{query}", cookies=cookies, headers=headers, timeout=SECONDS
        ) as answer:
            yield Stream(answer, browser)

    def asked(self, person: Person) -> int:
        """The status that somebody's browser gets who asks why there is no stream."""
        browser = Client()
        browser.force_login(person)
        cookies = {name: each.value for name, each in browser.cookies.items()}
        return httpx2.head(f"{self.url}/live/?calls=1", cookies=cookies, timeout=SECONDS).status_code


class Stream:
    """What came."""

    def __init__(self, answer: httpx2.Response, browser: Client) -> None:
        self.answer = answer
        self.browser = browser
        self._lines = answer.iter_lines()

    def next(self) -> dict[str, Any]:
        """The next event; an empty one where the stream is over."""
        for line in self._lines:
            if line.startswith("data: "):
                said: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return said
        return {}

    def calls(self) -> str:
        """The rows of the next event that has some."""
        while (said := self.next()) and "calls" not in said:
            pass
        return " ".join(said.get("calls", ()))

    def rest(self) -> list[str]:
        """Read on until it is over."""
        return list(self._lines)


@contextmanager
def listening() -> Iterator[Console]:
    """A console of this process, for as long as the block runs."""
    port = free_port()
    console = Console(port)
    config = uvicorn.Config(console.application, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, seconds=SECONDS)
        yield console
    finally:
        console.leaving = server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


class Valkey:
    """A Valkey of one test, which can end and begin again at the same place."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._running = ExitStack()

    def start(self) -> str:
        """Its URL, which is always the same."""
        log = self._runtime / "log"
        running = devvalkey.running(runtime=self._runtime, data=None, log=log, environment=os.environ)
        return self._running.enter_context(running).url

    def stop(self) -> None:
        """End its process."""
        self._running.close()


@contextmanager
def own_valkey() -> Iterator[Valkey]:
    """A running Valkey that this process, and nobody else, sends its tasks and messages to."""
    with devservices.runtime_directory() as runtime, pytest.MonkeyPatch.context() as patch:
        valkey = Valkey(runtime)
        url = valkey.start()
        patch.setattr(settings, "REDIS_URL", url)
        patch.setattr(current_app.conf, "broker_write_url", broker_url(url))
        revisions._messenger.cache_clear()
        yield valkey
        revisions._messenger.cache_clear()
        valkey.stop()


@contextmanager
def without_database() -> Iterator[None]:
    """For the length of the block this thread alone has the database: the others' connections end, and none begins."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_database()")
        own, name = cursor.fetchone()
    with databases.owner_connection("postgres") as owner:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        owner.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s"
        owner.execute(cut, [name, own])
        try:
            yield
        finally:
            owner.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


def ended_call(tool: str = "read", **says: Any) -> None:
    """A call that was answered, as a gateway records it: intent and outcome."""
    call = {"server": "files", "tool": tool, "agent": "bot", "call_id": new_id(), **says}
    begun = {"type": RecordType.INTENT, "event": Event.CALL_INTENDED, **call}
    ended = {"type": RecordType.OUTCOME, "event": Event.CALL_COMPLETED, "status": "ok", "latency_ms": 12, **call}
    write([RecordDraft(**draft(begun)), RecordDraft(**draft(ended))])


def refused_call(tool: str = "write", **says: Any) -> None:
    """A call that was refused."""
    values = {"server": "files", "tool": tool, "agent": "bot", "call_id": new_id(), "reason": "no_grant", **says}
    fixed = {"type": RecordType.DENY, "event": Event.CALL_DENIED, "decision": "denied", "status": "denied"}
    write([RecordDraft(**draft(values | fixed))])


def idle(person: Person) -> None:
    """Let a person's sessions have done nothing for a day."""
    person.console_sessions.update(last_seen_at=timezone.now() - timedelta(days=1))
