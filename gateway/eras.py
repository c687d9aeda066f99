"""Which era a server is spoken to in: the client's own, where the server speaks it, so that nothing must be translated.

The poller settles for the modern era where it is spoken. Whether such a server speaks the handshake era too shows when
a session is opened with it for a client of that era; what came of it is remembered for a while.
"""

import time
from typing import Final

from gateway.protocol import HANDSHAKE_VERSIONS, Wire

REMEMBERED_SECONDS: Final = 300.0
_SERVERS: Final = 10_000
HANDSHAKE: Final = Wire(modern=False, version=HANDSHAKE_VERSIONS[0])
# What an endpoint answers that does not know `initialize`; anything else says nothing about its era.
REFUSED: Final = frozenset({"malformed", "protocol_error"})


class Eras:
    """What is known of servers' eras, by endpoint."""

    def __init__(self) -> None:
        self._modern_only: dict[str, float] = {}
        self._both: set[str] = set()

    def way(self, client: Wire, server: Wire, url: str) -> Wire:
        """How to speak to a server for a client."""
        if client.modern or not server.modern or self._modern_only.get(url, 0.0) > time.monotonic():
            return server
        return HANDSHAKE

    def speaks_handshake(self, server: Wire, url: str) -> bool:
        """Whether a session can be opened with a server, as far as is known."""
        return not server.modern or url in self._both

    def has_opened(self, url: str) -> None:
        """A server of the modern era opened a session as well."""
        if len(self._both) >= _SERVERS:
            self._both.clear()
        self._both.add(url)

    def is_modern_only(self, url: str) -> None:
        """The server opened no session."""
        if len(self._modern_only) >= _SERVERS:
            self._modern_only.clear()
        self._both.discard(url)
        self._modern_only[url] = time.monotonic() + REMEMBERED_SECONDS
