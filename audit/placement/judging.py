"""Whether a record is one that we wrote: its chain and its MAC. Knows no database."""

import hmac
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Final
from uuid import UUID

from audit.proof.chain import KEY_ID_BYTES, ControlPlaneMac, WriterMac, first_link, key_id, next_link
from audit.proof.chain import leaf as leaf_of

_WRITERS: Final = 4096  # whose keys are kept


class Verdict(Enum):
    """`BARE`: neither chain nor MAC, as the release before wrote them."""

    GENUINE = "genuine"
    BARE = "bare"
    WRONG = "wrong"


class Judge:
    """Knows the keys."""

    def __init__(self, keys: Sequence[bytes], installation: str) -> None:
        self._installation = installation
        self._keys = {key_id(key): key for key in keys}
        self._control_plane = {name: ControlPlaneMac(key) for name, key in self._keys.items()}
        self._writer_mac = lru_cache(maxsize=_WRITERS)(WriterMac)

    @staticmethod
    def is_leaf(hashed: bytes, body: bytes) -> bool:
        """Whether the hash is that of the record."""
        return hmac.compare_digest(hashed, leaf_of(body))

    def control_plane(self, *, record: UUID, shard: int, leaf: bytes, mac: bytes | None) -> Verdict:
        """A record of the control plane."""
        if mac is None:
            return Verdict.BARE
        maker = self._control_plane.get(mac[:KEY_ID_BYTES])
        return _same(maker.mac(record.bytes, shard, leaf) if maker else None, mac)

    def gateway(
        self,
        *,
        writer: UUID,
        shard: int,
        seq: int,
        leaf: bytes,
        before: bytes | None,
        chain: bytes | None,
        mac: bytes | None,
    ) -> Verdict:
        """A gateway's record; `before` is the chain of the one before it, which counts from the second on."""
        if chain is None and mac is None:
            return Verdict.BARE
        link = first_link(self._installation, writer, shard) if seq == 1 else before
        if chain is None or mac is None or link is None or not hmac.compare_digest(next_link(link, leaf), chain):
            return Verdict.WRONG
        key = self._keys.get(mac[:KEY_ID_BYTES])
        return _same(self._writer_mac(key, writer).mac(shard, seq, chain) if key else None, mac)


def _same(expected: bytes | None, mac: bytes) -> Verdict:
    is_same = expected is not None and hmac.compare_digest(expected, mac)
    return Verdict.GENUINE if is_same else Verdict.WRONG
