"""Sessions of the handshake era: a sealed token, so that any process can serve any request of it.

The token is bound to installation, principal and server by its additional data: another principal's token does
not open, and the answer is that of a session that never was. It is no authentication; every request still
carries an access token. DELETE is remembered by the process that answered it, until the shared row of a session
(which names the upstream sessions behind it) takes this over.
"""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.protocol import HANDSHAKE_VERSIONS

LIFETIME: Final = 24 * 3600  # seconds
_MAX_TOKEN: Final = 256  # characters
_NONCE: Final = 12
_BODY: Final = struct.Struct(">BI16s")  # index of the version, seconds since the epoch, identifier
_ENDED_KEPT: Final = 100_000
_VERSIONS: Final = tuple(reversed(HANDSHAKE_VERSIONS))  # oldest first: a new version keeps the old ones' indexes


class UnknownSession(Exception):
    """No such session for this principal: never issued, expired, ended or somebody else's."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says."""

    id: bytes
    version: str


class Sessions:
    """Issues and opens session tokens. `key` has 32 bytes; times are seconds since the epoch."""

    def __init__(self, *, key: bytes, installation: str) -> None:
        self._cipher = AESGCM(hmac.digest(key, b"gateway session", hashlib.sha256))
        self._installation = installation
        self._ended: OrderedDict[bytes, None] = OrderedDict()

    def issue(self, *, principal: str, slug: str, version: str, now: float) -> str:
        """A fresh session's token, in visible ASCII."""
        nonce = os.urandom(_NONCE)
        body = _BODY.pack(_VERSIONS.index(version), int(now), os.urandom(16))
        sealed = nonce + self._cipher.encrypt(nonce, body, self._place(principal, slug))
        return base64.urlsafe_b64encode(sealed).decode()

    def open(self, token: str, *, principal: str, slug: str, now: float) -> Session:
        """What `token` says. Raises `UnknownSession`."""
        try:
            sealed = base64.b64decode(token, altchars=b"-_", validate=True) if len(token) <= _MAX_TOKEN else b""
            body = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._place(principal, slug))
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise UnknownSession from error
        version, issued, id_ = _BODY.unpack(body)
        if not 0 <= now - issued + 60 <= LIFETIME or id_ in self._ended:
            raise UnknownSession
        return Session(id_, _VERSIONS[version])

    def end(self, session: Session) -> None:
        """From now on the session is unknown to this process."""
        self._ended[session.id] = None
        while len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)

    def _place(self, principal: str, slug: str) -> bytes:
        return f"{self._installation}\x00{principal}\x00{slug}".encode()
