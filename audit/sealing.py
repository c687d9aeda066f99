"""A call's secret, and what comes from it: salts of commitments, keys of what is kept. Pure module.

A call draws 32 random bytes. Together with the installation's payload key and the ids of call and intent they give, by
HKDF (RFC 5869, SHA-512), two salts and, where anything is kept, two keys. The random bytes stand in the payload row of
the intent: without the row nobody can compute salts or keys again, the holder of the payload key included, and without
the payload key the row is of no use. A tag in the row tells when its bytes were altered or belong to another call.
docs/adr/0026-payloads.md says why.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.payload import ARGUMENTS, Part
from core.envelope import CannotOpen

_LABEL: Final = b"holdfast-payload/1\0"
_RANDOM: Final = 32
_TAG: Final = 16
_NONCE: Final = 12
_BLOCK_256: Final = 64
_BLOCK_512: Final = 128
_INNER: Final = bytes(each ^ 0x36 for each in range(256))
_OUTER: Final = bytes(each ^ 0x5C for each in range(256))
_begun: Final = hashlib.sha256().copy  # to begin a hash is dearer than to copy one that was begun
_begun_tag: Final = hashlib.sha256(_LABEL).copy
_BATCH: Final = 64  # secrets for which the system is asked at once: one question costs as much as a hash
_secrets: Iterator[bytes] = iter(())  # of `_RANDOM` bytes each, fresh from the system


def key_id(key: bytes) -> bytes:
    """Four bytes that name a payload key."""
    return hashlib.sha256(b"holdfast-payload-key\0" + key).digest()[:4]


def commitment(salt: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, with half the overhead of `hmac.digest` for a key that is used once."""
    padded = salt.ljust(_BLOCK_256, b"\0")
    inner, outer = _begun(), _begun()
    inner.update(padded.translate(_INNER))
    inner.update(data)
    outer.update(padded.translate(_OUTER) + inner.digest())
    return outer.digest()


def _fresh() -> bytes:
    """Random bytes for one call, which no other call gets."""
    return next(_secrets, None) or _more()


def _more() -> bytes:
    global _secrets  # noqa: PLW0603 -- the stock that `_fresh` draws from; each is drawn once, by one thread
    drawn = os.urandom(_RANDOM * _BATCH)
    _secrets = iter([drawn[start : start + _RANDOM] for start in range(0, len(drawn), _RANDOM)])
    return next(_secrets)


def _forget() -> None:
    global _secrets  # noqa: PLW0603 -- a child that drew from its parent's stock would seal with the same secrets
    _secrets = iter(())


os.register_at_fork(after_in_child=_forget)


class CallKeys:
    """The salts and keys of one call. `secret` is what its row holds."""

    __slots__ = ("_key", "_place", "arguments_salt", "key_id", "result_salt", "secret")  # fmt: skip

    def __init__(self, key: "_PayloadKey", place: bytes, random: bytes) -> None:
        salts = key.expand(b"salts\0" + place + random)
        self._key = key
        self._place = place
        self.key_id = key.id
        self.arguments_salt, self.result_salt = salts[:32], salts[32:]
        tag = _begun_tag()
        tag.update(salts)
        self.secret = random + tag.digest()[:_TAG]

    def commit(self, part: Part, data: bytes) -> bytes:
        """The commitment to the exact bytes of a part."""
        return commitment(self.arguments_salt if part == ARGUMENTS else self.result_salt, data)

    def seal(self, part: Part, record_id: UUID, content: bytes) -> bytes:
        """`content`, to be opened as this part of this record only."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(part).encrypt(nonce, content, self._bound(part, record_id))

    def unseal(self, part: Part, record_id: UUID, sealed: bytes) -> bytes:
        """What `seal` sealed. Raises `CannotOpen`."""
        try:
            return self._cipher(part).decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(part, record_id))
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("the payload does not open as this part of this record") from error

    def _cipher(self, part: Part) -> AESGCM:
        keys = self._key.expand(b"keys\0" + self._place + self.secret[:_RANDOM])
        return AESGCM(keys[:32] if part == ARGUMENTS else keys[32:])

    def _bound(self, part: Part, record_id: UUID) -> bytes:
        return _LABEL + part.encode() + b"\0" + record_id.bytes + self._place


class Sealer:
    """Makes and finds the keys of calls. The first of `keys` is used for new calls, all of them open old ones."""

    def __init__(self, keys: Sequence[bytes], installation: str) -> None:
        self._keys = {found.id: found for found in map(_PayloadKey, keys)}
        self._first = self._keys[key_id(keys[0])]
        self._installation = installation.encode()
        self._lookup = hmac.digest(keys[0], _LABEL + b"lookup\0" + self._installation, hashlib.sha256)

    def begin(self, call_id: UUID, record_id: UUID) -> CallKeys:
        """Fresh keys for a call; `record_id` is its intent's."""
        return CallKeys(self._first, self._place(call_id, record_id), _fresh())

    def find(self, named: bytes, secret: bytes, call_id: UUID, record_id: UUID) -> CallKeys:
        """The keys of an earlier call, from the row of its intent. Raises `CannotOpen`."""
        key = self._keys.get(named)
        if key is None:
            raise CannotOpen("no payload key of this installation has the id that the row names")
        found = CallKeys(key, self._place(call_id, record_id), secret[:_RANDOM])
        if not hmac.compare_digest(found.secret, secret):
            raise CannotOpen("the row of the payload was altered, or belongs to another call")
        return found

    def lookup_mark(self, data: bytes) -> str:
        """What stands for a value that can be looked for and not read; the same for the same value."""
        return commitment(self._lookup, data).hex()[:32]

    def _place(self, call_id: UUID, record_id: UUID) -> bytes:
        # `UUID.bytes` is written in Python.
        return self._installation + b"\0" + call_id.int.to_bytes(16, "big") + record_id.int.to_bytes(16, "big")


class _PayloadKey:
    """One payload key, with the hash states that expanding begins with."""

    def __init__(self, key: bytes) -> None:
        extracted = hmac.digest(bytes(64), key, hashlib.sha512).ljust(_BLOCK_512, b"\0")
        self.id = key_id(key)
        self._inner = hashlib.sha512(extracted.translate(_INNER) + _LABEL).copy
        self._outer = hashlib.sha512(extracted.translate(_OUTER)).copy

    def expand(self, info: bytes) -> bytes:
        """HKDF-Expand: 64 bytes, which is one block."""
        inner, outer = self._inner(), self._outer()
        inner.update(info + b"\x01")
        outer.update(inner.digest())
        return outer.digest()
