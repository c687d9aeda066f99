"""Proofs of single records as a file (c2sp.org/tlog-proof): an index, the hashes to the root, a checkpoint. Pure."""

from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from audit.proof.checkpoint import Checkpoint, decimal, open_checkpoint
from audit.proof.merkle import HASH_BYTES, verify_inclusion
from audit.proof.note import NoteError, VerifierKey, decoded

SUFFIX: Final = ".tlog-proof"
_FIRST: Final = "c2sp.org/tlog-proof@v1"
_HASHES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class TlogProof:
    """That a record stands at `index` of the log that `checkpoint`, a signed note, is of. `extra` proves nothing."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def to_bytes(self) -> bytes:
        """The file."""
        lines = [_FIRST]
        lines += [f"extra {b64encode(self.extra).decode()}"] if self.extra else []
        lines += [f"index {self.index}", *(b64encode(part).decode() for part in self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> "TlogProof":
        """Nothing verified. Raises `NoteError`."""
        head, found, checkpoint = data.partition(b"\n\n")
        try:
            first, *lines = head.decode().split("\n")
        except UnicodeDecodeError as error:
            raise NoteError("the proof is not UTF-8") from error
        if first != _FIRST or not found:
            raise NoteError("not a proof of a transparency log")
        extra = decoded(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else b""
        if not lines or not lines[0].startswith("index ") or len(lines) > _HASHES_MAX:
            raise NoteError("the proof has no index, or too many hashes")
        index, hashes = decimal(lines[0].removeprefix("index ")), tuple(decoded(part) for part in lines[1:])
        if any(len(part) != HASH_BYTES for part in hashes):
            raise NoteError("a hash of the proof is no SHA-256 hash")
        return cls(index, hashes, checkpoint, extra)

    def verified(self, leaf: bytes, keys: Collection[VerifierKey], *, origin: str | None = None) -> Checkpoint:
        """The checkpoint, in which the leaf is. Raises `NoteError` where the proof proves nothing."""
        point = open_checkpoint(self.checkpoint, keys, origin=origin)
        proof = {"index": self.index, "size": point.size}
        if not verify_inclusion(leaf=leaf, proof=self.hashes, expected=point.root, **proof):
            raise NoteError("the record is not in the log at this place")
        return point
