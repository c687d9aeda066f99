"""What places outside are told, and what they have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from core.canonical import canonical_bytes


class Undelivered(Exception):
    """It did not arrive, or nobody knows: it is sent again. The sentence holds nothing that the other side sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to say. A receiver tells a repetition by its `id`."""

    kind: str
    data: Mapping[str, Any]
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: uuid4().hex)

    def text(self) -> str:
        """One line of JSON, by the shape of Standard Webhooks."""
        moment = self.time.astimezone(UTC)
        body = {"type": self.kind, "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}", "data": dict(self.data)}
        return canonical_bytes(body).decode()


class Sink(Protocol):
    """A place outside. `name` tells it from the others, and may be shown."""

    @property
    def name(self) -> str:
        """Shown, and kept in the database."""

    def send(self, messages: Sequence[Message]) -> None:
        """Returns when all arrived, in their order. Raises `Undelivered`."""
