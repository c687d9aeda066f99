"""One open stream: who looks, what they asked for, and what waits to be sent to them, which is bounded."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from controlplane.live.rows import Wanted
from core.actor import Actor

ROOM: Final = 100  # rows that wait for one viewer; the oldest give way, and are counted


@dataclass(frozen=True, slots=True)
class Wish:
    """What a signed-in person's request for a stream asks for. `session` is the hash that the session's row has.

    `proof` changes with the person's password, as it does for Django's sessions. `calls` is None where the page shows
    no calls.
    """

    session: str
    proof: str
    person_id: int
    actor: Actor
    language: str
    calls: Wanted | None = None
    health: bool = False


@dataclass(eq=False, slots=True)
class Viewer:
    """An open stream."""

    wish: Wish
    actor: Actor
    ended: bool = False
    greeted: bool = False  # was told the counts once
    left_out: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _rows: deque[str] = field(default_factory=deque)
    _counts: dict[str, int] | None = None
    _told: dict[str, int] | None = None
    _health: dict[str, str] = field(default_factory=dict)

    def offer_row(self, html: str) -> None:
        """One more row. Who reads slower than calls come loses the oldest."""
        if len(self._rows) == ROOM:
            self._rows.popleft()
            self.left_out += 1
        self._rows.append(html)
        self.wake.set()

    def leave_out(self, number: int) -> None:
        """So many rows are not sent."""
        if number:
            self.left_out += number
            self.wake.set()

    def count(self, counts: dict[str, int]) -> None:
        """Counts in the navigation; only what differs from what was told is sent.

        The first are, even where there are none: from that word on nothing is missed, and what was recorded before it
        is in the log for a page to read.
        """
        self._counts = counts
        if counts != self._told:
            self.wake.set()

    def show_health(self, slug: str, html: str) -> None:
        """How a server is now; a later word replaces an earlier one that was not sent yet."""
        self._health[slug] = html
        self.wake.set()

    def end(self) -> None:
        """The stream ends with what was sent."""
        self.ended = True
        self.wake.set()

    def take(self) -> bytes:
        """All that waits as one event, or nothing."""
        self.wake.clear()
        said: dict[str, Any] = {}
        if self._rows or self.left_out:
            said |= {"calls": list(self._rows), "left_out": self.left_out}
        if self._counts != self._told:
            said["counts"] = self._told = self._counts
        if self._health:
            said["health"] = self._health
        self._rows.clear()
        self.left_out, self._health = 0, {}
        return f"data: {json.dumps(said)}\n\n".encode() if said else b""
