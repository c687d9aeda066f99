"""The form of the tokens we issue: random, self-authenticating, stored as a hash. Pure module.

`hf.<kid>.<random>.<tag>` for agents (`hfc` for codes, `hfr` for refresh tokens) and `hfp_<kid>_<random>_<tag>` for
the API. The tag is an HMAC-SHA256, cut to 128 bits, over everything before it; so rubbish is refused before any query,
and whoever can write to the database but does not hold the key cannot make a token. `kid` names the key, so that keys
can be changed.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RANDOM_BYTES: Final = 32
TAG_BYTES: Final = 16


class TokenKind(StrEnum):
    """What a token is for; its value is the prefix by which people and secret scanners know it."""

    ACCESS = "hf"
    API = "hfp"
    CODE = "hfc"
    REFRESH = "hfr"


_SEPARATOR: Final = {TokenKind.ACCESS: ".", TokenKind.API: "_", TokenKind.CODE: ".", TokenKind.REFRESH: "."}
_FORM: Final = {
    kind: re.compile(
        rf"(?P<head>{kind.value}{re.escape(sign)}(?P<kid>[0-9a-f]{{8}}){re.escape(sign)}[0-9a-f]{{{2 * RANDOM_BYTES}}})"
        rf"{re.escape(sign)}(?P<tag>[0-9a-f]{{{2 * TAG_BYTES}}})"
    )
    for kind, sign in _SEPARATOR.items()
}


@dataclass(frozen=True, slots=True, repr=False)
class TokenKey:
    """The secret under which tokens are made and checked, bound to one installation."""

    key: bytes
    installation: str

    @property
    def kid(self) -> str:
        """The public name of the key: eight hex characters that tell nothing of it."""
        return hmac.new(self.key, b"holdfast token key id", hashlib.sha256).hexdigest()[:8]

    def tag(self, head: str) -> str:
        """The authentication tag over `head`, in hex."""
        message = b"holdfast token\0" + self.installation.encode() + b"\0" + head.encode()
        return hmac.new(self.key, message, hashlib.sha256).digest()[:TAG_BYTES].hex()


def mint(kind: TokenKind, key: TokenKey) -> str:
    """A fresh token of `kind` with 256 random bits."""
    sign = _SEPARATOR[kind]
    head = sign.join((kind.value, key.kid, secrets.token_hex(RANDOM_BYTES)))
    return f"{head}{sign}{key.tag(head)}"


def is_genuine(token: str, kind: TokenKind, key: TokenKey) -> bool:
    """Whether we made `token` as one of `kind`. Says nothing of whether it is still valid."""
    match = _FORM[kind].fullmatch(token)
    if match is None or match["kid"] != key.kid:
        return False
    return hmac.compare_digest(match["tag"], key.tag(match["head"]))


def checksum(token: str) -> str:
    """What is stored of a token: its SHA-256 in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
