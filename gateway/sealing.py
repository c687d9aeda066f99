"""Sealed texts: what we hand out and want back unchanged, from whom we gave it to, for what we gave it for.

Session ids, the ids of what servers ask, states of multi-round-trip requests and task handles are such texts. Each
purpose has a key of its own; the place (principal, server and more) is additional data and stands nowhere in the
text, so that a text that was given to one does not open for another (AES-256-GCM, NIST SP 800-38D).
"""

import base64
import binascii
import hashlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12  # bytes


class Unsealed(Exception):
    """The text does not open here: never sealed, changed, or given to somebody else or for something else."""


class Seal:
    """Seals texts of one purpose. `key` has 32 bytes; `longest` bounds, in characters, what is tried to open."""

    def __init__(self, *, key: bytes, installation: str, purpose: str, longest: int = 1024) -> None:
        self._cipher = AESGCM(hmac.digest(key, f"gateway {purpose}".encode(), hashlib.sha256))
        self._installation = installation
        self._longest = longest

    def close(self, content: bytes, *place: str) -> str:
        """`content` sealed for `place`, as visible ASCII."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, content, self._data(place))
        return base64.urlsafe_b64encode(sealed).decode()

    def open(self, text: str, *place: str) -> bytes:
        """What `close` sealed for the same place. Raises `Unsealed`."""
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True) if len(text) <= self._longest else b""
            if base64.urlsafe_b64encode(sealed).decode() != text:
                raise Unsealed  # base64 has several writings of the same bytes, and we gave out one
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._data(place))
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise Unsealed from error

    def _data(self, place: tuple[str, ...]) -> bytes:
        # Lengths keep `("a", "bc")` and `("ab", "c")` apart, whatever the parts hold.
        parts = (self._installation, *place)
        return b"".join(b"%d:%s" % (len(part), part) for part in (each.encode("utf-8", "replace") for each in parts))
