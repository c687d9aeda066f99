"""Signed notes (c2sp.org/signed-note): a text with Ed25519 signatures below it, and the keys as text.

Nothing of a note may be used before `opened` has verified it. What it does not know it ignores; a signature that
claims to be of a known key and is not rejects the whole note.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NOTE_MAX: Final = 1_000_000  # bytes
SIGNATURES_MAX: Final = 128
_ED25519: Final = b"\x01"
_DASH: Final = "— "


class NoteError(ValueError):
    """What was read is no note, or no note of these keys."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key's public half: who may have signed."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `name+id+key`. Raises `NoteError`."""
        name, _, rest = text.strip().partition("+")
        stated, _, encoded = rest.partition("+")
        key = cls(checked_name(name), _material(encoded))
        if key.key_id.hex() != stated:
            raise NoteError("the verifier key's id is not that of its name and key")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A key that signs. `seed` is a secret, which nothing shows."""

    name: str
    seed: bytes

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new key of this name."""
        return cls(checked_name(name), Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self._private().public_key().public_bytes_raw())

    def signature_line(self, text: bytes) -> str:
        """The line below the text."""
        signature = self.verifier.key_id + self._private().sign(text)
        return f"{_DASH}{self.name} {b64encode(signature).decode()}\n"

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note: what it claims."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text (it ends in a newline) and the lines below it."""

    text: str
    signatures: tuple[Signature, ...]


def signed(text: str, *keys: SigningKey) -> bytes:
    """The text with every key's signature. Raises `NoteError` for a text that no note may hold."""
    body = text.encode()
    if not keys or not text.endswith("\n") or _controls(body):
        raise NoteError("a note is a text of whole lines, without control characters, and is signed")
    return body + b"\n" + "".join(key.signature_line(body) for key in keys).encode()


def parsed(data: bytes) -> Note:
    """The note's parts, nothing verified. Raises `NoteError`."""
    if len(data) > NOTE_MAX:
        raise NoteError("the note is too large")
    if _controls(data):
        raise NoteError("the note holds a control character")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    end = whole.rfind("\n\n")
    if end < 0 or not whole.endswith("\n"):
        raise NoteError("the note has no signatures")
    lines = whole[end + 2 : -1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteError("the note has too many signatures")
    return Note(whole[: end + 1], tuple(_signature(line) for line in lines))


def opened(data: bytes, keys: Collection[VerifierKey]) -> Note:
    """The note, signed by at least one of these keys. Raises `NoteError`."""
    note = parsed(data)
    known = {(key.name, key.key_id): key for key in keys}
    text, verified = note.text.encode(), False
    for line in note.signatures:
        if (key := known.get((line.name, line.key_id))) is None:
            continue
        if not key.signed(text, line.signature):
            raise NoteError(f"a signature by {key.name} is wrong")
        verified = True
    if not verified:
        raise NoteError("no known key signed the note")
    return note


def checked_name(name: str) -> str:
    """The key's name, or origin. Raises `NoteError`."""
    if not name or "+" in name or any(letter.isspace() or letter < " " for letter in name):
        raise NoteError("a name has no blanks, no control characters and no plus, and is not empty")
    return name


def decoded(text: str) -> bytes:
    """Strict base64: one text for each value. Raises `NoteError`."""
    try:
        value = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("not base64") from error
    if b64encode(value).decode() != text:
        raise NoteError("not base64 in its only form")
    return value


def _signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise NoteError("a line below the note is no signature")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    value = decoded(encoded)
    if len(value) < 5:
        raise NoteError("a signature is too short")
    return Signature(checked_name(name), value[:4], value[4:])


def _material(encoded: str) -> bytes:
    value = decoded(encoded)
    if len(value) != 33 or value[:1] != _ED25519:
        raise NoteError("not an Ed25519 key")
    return value[1:]


def _controls(data: bytes) -> bool:
    return any(byte < 0x20 and byte != 0x0A for byte in data)
