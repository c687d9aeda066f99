"""A log that says what the tests need, and alerts that follow it."""

from dataclasses import dataclass
from typing import Any

from alerts import services
from audit import services as audit
from audit.events import Event, RecordType
from core.actor import system_actor

POLLER = system_actor("poller")


@dataclass(frozen=True)
class Log:
    """Writes records, places them, and lets the alerts follow."""

    def notes(self, event: Event, subject: str = "tool:files/read", **fields: Any) -> None:
        kind, _, rest = subject.partition(":")
        fields = {"server": rest.partition("/")[0], "owner_team": "red", "actor": POLLER, "kind": kind, **fields}
        audit.record(**{"type": RecordType.CONFIG, "event": event, "subject": subject, **fields})

    def says(self, event: Event, subject: str = "tool:files/read", **fields: Any) -> None:
        self.notes(event, subject, **fields)
        self.is_followed()

    def is_followed(self) -> int:
        audit.place_records()
        return services.follow_records()
