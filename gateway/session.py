"""Sessions of the handshake era as clients hold them: a sealed id, which any process can open.

It is bound to installation, principal and server: another principal's does not open, and the answer is that of a
session that never was. It is no authentication; every request still carries an access token. What else belongs to a
session (whether it has ended, the session with the server behind it) is in a shared row: `gateway.session_store`.
"""

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol
from uuid import UUID

from gateway.protocol import HANDSHAKE_VERSIONS
from gateway.sealing import Seal, Unsealed

LIFETIME: Final = 24 * 3600  # seconds
_REMEMBERED: Final = 4096  # sessions whose ids a process opens once and not with every call
_BODY: Final = struct.Struct(">BI16s")  # index of the version, seconds since the epoch, identifier
_VERSIONS: Final = tuple(reversed(HANDSHAKE_VERSIONS))  # oldest first: a new version keeps the old ones' indexes


class SessionEnded(Protocol):
    """What hears that a session has ended: one of ours (`of="server"`) or one at a server (`of="client"`)."""

    def __call__(self, seconds: float, *, of: str) -> None:
        """It was open for so long."""


def unheard(seconds: float, *, of: str) -> None:
    """Nobody hears."""


class UnknownSession(Exception):
    """No such session for this principal: never issued, expired, ended or somebody else's."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a session id says. `owner`: whom a session with a server behind this one belongs to."""

    id: UUID
    version: str
    owner: str = field(init=False, repr=False, compare=False)  # every call asks for it several times

    def __post_init__(self) -> None:
        object.__setattr__(self, "owner", self.id.hex)


class Sessions:
    """Issues and opens session ids. `key` has 32 bytes; times are seconds since the epoch."""

    def __init__(self, *, key: bytes, installation: str) -> None:
        self._seal = Seal(key=key, installation=installation, purpose="session", longest=256)
        # What an id says to a principal at a server never changes; that it was not ours is found out each time.
        self._said = lru_cache(maxsize=_REMEMBERED)(self._read)
        self._key = hmac.digest(key, b"gateway messages", hashlib.sha256)

    def issue(self, *, principal: str, slug: str, version: str, now: float) -> tuple[str, Session]:
        """A fresh session, and its id in visible ASCII."""
        session = Session(UUID(bytes=os.urandom(16), version=4), version)
        body = _BODY.pack(_VERSIONS.index(version), int(now), session.id.bytes)
        return self._seal.close(body, principal, slug), session

    def open(self, token: str, *, principal: str, slug: str, now: float) -> Session:
        """What a session id says. Raises `UnknownSession`."""
        session, issued = self._said(token, principal, slug)
        if not 0 <= now - issued + 60 <= LIFETIME:
            raise UnknownSession
        return session

    def _read(self, token: str, principal: str, slug: str) -> tuple[Session, int]:
        """The session, and when it was issued."""
        try:
            version, issued, id_ = _BODY.unpack(self._seal.open(token, principal, slug))
            return Session(UUID(bytes=id_), _VERSIONS[version]), issued
        except (Unsealed, struct.error, IndexError) as error:  # the last: of a version that newer processes speak
            raise UnknownSession from error

    def mark(self, *parts: str) -> str:
        """What stands for `parts` in a message between processes: it tells nothing, and nobody else can make it."""
        return hmac.digest(self._key, "\0".join(parts).encode("utf-8", "replace"), hashlib.sha256).hex()
