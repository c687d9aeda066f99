"""Checkpoints (c2sp.org/tlog-checkpoint): the size and the root of a log at a moment, as a signed note."""

from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from audit.proof.merkle import HASH_BYTES
from audit.proof.note import NoteError, SigningKey, VerifierKey, checked_name, decoded, opened, signed

_SIZE_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: `origin` names the log."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, *keys: SigningKey) -> bytes:
    """The signed note. Raises `NoteError` for an origin that no other tool would read."""
    checked_name(checkpoint.origin)
    return signed(checkpoint.text(), *keys)


def open_checkpoint(data: bytes, keys: Collection[VerifierKey], *, origin: str | None = None) -> Checkpoint:
    """What a checkpoint says, signed by one of these keys and of this log, if one is named. Raises `NoteError`."""
    checkpoint = parse_checkpoint(opened(data, keys).text)
    if origin is not None and checkpoint.origin != origin:
        raise NoteError(f"the checkpoint is of another log: {checkpoint.origin}")
    return checkpoint


def parse_checkpoint(text: str) -> Checkpoint:
    """The lines of the note's text. Extension lines are passed over. Raises `NoteError`."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise NoteError("a checkpoint has at least three lines, and none is empty")
    origin, size, root = lines[:3]
    hashed = decoded(root)
    if len(hashed) != HASH_BYTES:
        raise NoteError("the checkpoint's root is no SHA-256 hash")
    return Checkpoint(origin, decimal(size), hashed)


def decimal(text: str) -> int:
    """A number without sign and leading zeros, below 2**63. Raises `NoteError`."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19) or (text[0] == "0" and text != "0"):
        raise NoteError("not a decimal number")
    if (value := int(text)) > _SIZE_MAX:
        raise NoteError("the number is too large")
    return value
