"""Encryption of stored secrets: AES-256-GCM with a key per secret, itself wrapped by the installation's key.

The additional data binds a ciphertext to its place, so that a row copied over another row does not open.
The installation's key comes from a file or the environment, never from the database.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION: Final = b"\x01"
_NONCE: Final = 12
_WRAPPED: Final = _NONCE + 32 + 16


class CannotOpen(Exception):
    """Wrong key, wrong place or altered bytes; says nothing of which, and holds none of the plaintext."""


def seal(plaintext: bytes, *, key: bytes, place: str) -> bytes:
    """Encrypt `plaintext` for `place` (for example `channel:<id>:secret`). `key` has 32 bytes."""
    data_key = AESGCM.generate_key(bit_length=256)
    aad = _VERSION + place.encode()
    wrap_nonce, nonce = os.urandom(_NONCE), os.urandom(_NONCE)
    wrapped = AESGCM(key).encrypt(wrap_nonce, data_key, b"wrap" + aad)
    return _VERSION + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, plaintext, aad)


def open_sealed(sealed: bytes, *, key: bytes, place: str) -> bytes:
    """Decrypt what `seal` made for the same `place`. Raises `CannotOpen`."""
    if sealed[:1] != _VERSION or len(sealed) < 1 + _WRAPPED + _NONCE + 16:
        raise CannotOpen("not a sealed secret")
    aad = _VERSION + place.encode()
    wrap, rest = sealed[1 : 1 + _WRAPPED], sealed[1 + _WRAPPED :]
    try:
        data_key = AESGCM(key).decrypt(wrap[:_NONCE], wrap[_NONCE:], b"wrap" + aad)
        return AESGCM(data_key).decrypt(rest[:_NONCE], rest[_NONCE:], aad)
    except InvalidTag as error:
        raise CannotOpen("the secret does not open with this key at this place") from error


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, from a longer-lived one (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"holdfast:" + purpose.encode()).derive(key)
