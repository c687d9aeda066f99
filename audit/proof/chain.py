"""Chain and MAC of the audit log's records: the layouts that no release may change, since rows are never rewritten.

A gateway's record is chained to the one before it of the same writer and shard, and what the MAC covers is the chain:
whoever changes one record has to make every later MAC again. A record of the control plane stands alone.
"""

import hmac
from hashlib import sha256
from struct import Struct
from typing import Final
from uuid import UUID

KEY_ID_BYTES: Final = 4
MAC_BYTES: Final = KEY_ID_BYTES + 32
_SHARD: Final = Struct(">i").pack
_SHARD_AND_NUMBER: Final = Struct(">iq").pack
_NOTHING: Final = sha256()  # to begin a hash takes longer than to copy one that was begun
_LEAF: Final = sha256(b"\x00")
_BLOCK: Final = 64  # of SHA-256, in bytes
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def leaf(body: bytes) -> bytes:
    """RFC 6962, section 2.1: the hash of a leaf."""
    hashing = _LEAF.copy()
    hashing.update(body)
    return hashing.digest()


def first_link(installation: str, writer: UUID, shard: int) -> bytes:
    """What a writer's first record in a shard is chained to."""
    return sha256(b"holdfast-chain/1\0" + installation.encode() + writer.bytes + _SHARD(shard)).digest()


def next_link(before: bytes, leaf_hash: bytes) -> bytes:
    """The chain with one more record."""
    hashing = _NOTHING.copy()
    hashing.update(before + leaf_hash)
    return hashing.digest()


def link_of(before: bytes, body: bytes) -> bytes:
    """The chain with a record of this body more: `next_link` and `leaf` in one, which each record of a call takes."""
    leaf_hash, hashing = _LEAF.copy(), _NOTHING.copy()
    leaf_hash.update(body)
    hashing.update(before + leaf_hash.digest())
    return hashing.digest()


def key_id(key: bytes) -> bytes:
    """Which key made a MAC: its first four bytes."""
    return sha256(b"holdfast-audit-key\0" + key).digest()[:KEY_ID_BYTES]


def writer_key(key: bytes, writer: UUID) -> bytes:
    """The key of one writer's MACs."""
    return hmac.digest(key, b"writer" + writer.bytes, "sha256")


def control_plane_key(key: bytes) -> bytes:
    """The key of the control plane's MACs."""
    return hmac.digest(key, b"control plane", "sha256")


class _Signer:
    """HMAC-SHA256 under one key. Both pads are hashed once: a MAC takes under half of what `hmac.digest` does."""

    __slots__ = ("_inner", "_key_id", "_outer")

    def __init__(self, audit_key: bytes, derived: bytes, prefix: bytes) -> None:
        block = derived.ljust(_BLOCK, b"\0")
        self._key_id = key_id(audit_key)
        self._inner = sha256(block.translate(_INNER) + prefix).copy
        self._outer = sha256(block.translate(_OUTER)).copy


class WriterMac(_Signer):
    """Makes the MACs of one gateway writer's records."""

    __slots__ = ()

    def __init__(self, audit_key: bytes, writer: UUID) -> None:
        super().__init__(audit_key, writer_key(audit_key, writer), b"holdfast-mac/1\0")

    def mac(self, shard: int, seq: int, chain: bytes) -> bytes:
        """The MAC of the record that stands at `seq` in `shard`; `chain` includes the record."""
        inner, outer = self._inner(), self._outer()
        inner.update(_SHARD_AND_NUMBER(shard, seq) + chain)
        outer.update(inner.digest())
        return self._key_id + outer.digest()


class ControlPlaneMac(_Signer):
    """Makes the MACs of the control plane's records."""

    __slots__ = ()

    def __init__(self, audit_key: bytes) -> None:
        super().__init__(audit_key, control_plane_key(audit_key), b"holdfast-mac/1c\0")

    def mac(self, record_id: bytes, shard: int, leaf_hash: bytes) -> bytes:
        """The MAC of the record with this id (16 bytes)."""
        inner, outer = self._inner(), self._outer()
        inner.update(record_id + _SHARD(shard) + leaf_hash)
        outer.update(inner.digest())
        return self._key_id + outer.digest()


def control_plane_mac(audit_key: bytes, record_id: UUID, shard: int, leaf_hash: bytes) -> bytes:
    """The MAC of one record of the control plane."""
    return ControlPlaneMac(audit_key).mac(record_id.bytes, shard, leaf_hash)
