"""The console with its streams, listening in a thread, and what a browser's stream hears."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import uvicorn
from django.core.asgi import get_asgi_application
from django.test import Client
from django.utils import timezone

from access.models import Person
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from controlplane.live.hub import Hub
from controlplane.live.streams import LiveStreams
from core.ids import new_id
from tests.gateway.world import free_port, until
from tests.tools.records import draft, write

SECONDS = 20


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
