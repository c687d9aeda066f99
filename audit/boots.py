"""What a gateway process is known by in the log: its boot, whose lock its connection holds for as long as it lives.

A writer is not a process: after a lost connection the same process goes on as a new writer while its calls run. Whose
lock nobody holds any more is dead (docs/adr/0028-boots.md); how much such a boot left open its last beat helps to find.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from psycopg.errors import ObjectNotInPrerequisiteState

from audit.link import Link
from core.ids import new_id

logger = logging.getLogger(__name__)
TICK: Final = 1.0  # seconds between two looks at the connection
_BEAT: Final = 5.0  # seconds between two beats
# A host that is gone keeps its session, and so its lock, until the server notices: within 25 seconds.
SETTINGS: Final = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 25000",
)
STATEMENTS: Final = {
    "audit_begin_boot": b"SELECT audit_begin_boot($1::uuid, $2::text, $3::text)",
    "audit_beat": (
        b"UPDATE audit_boot SET beat_at = now(), mark = $2::uuid, open_calls = $3::text::uuid[] WHERE id = $1::uuid"
    ),
}


class OwnBoot:
    """The boot of this process. `open_calls`: those whose intent may be on record and whose end is not."""

    def __init__(self, process: str, open_calls: Callable[[], Iterable[UUID]] = tuple) -> None:
        self.id = new_id()
        self.open_calls = open_calls
        self.is_begun = False
        self.is_given_up = False
        self._names = (socket.gethostname().encode(), process.encode())
        self._beat_at = 0.0

    def give_up(self) -> None:
        """Have the reconciler write what this process cannot: it goes on as another boot."""
        self.is_given_up = True

    async def begin(self, link: Link) -> None:
        """Hold the boot's lock through this connection. A boot that was taken for dead is followed by another one."""
        if self.is_given_up:
            self._follow()
        try:
            await self._hold(link)
        except ObjectNotInPrerequisiteState:
            logger.warning("boot %s was taken for dead and is given up", self.id)
            self._follow()
            await self._hold(link)
        self.is_begun = True

    async def beat(self, link: Link) -> None:
        """Write down, now and then, which calls are open: whatever else has an intent before the mark is over."""
        if self.is_given_up:  # what is open now would hide what was given up
            return
        now = time.monotonic()
        if now - self._beat_at >= _BEAT:
            mark, calls = new_id(), ",".join(map(str, self.open_calls()))
            await link.run("audit_beat", [self.id.bytes, mark.bytes, f"{{{calls}}}".encode()])
            self._beat_at = now

    async def _hold(self, link: Link) -> None:
        await link.run("audit_begin_boot", [self.id.bytes, *self._names])

    def _follow(self) -> None:
        self.id = new_id()
        self.is_given_up = False
        self._beat_at = 0.0
