"""Access tokens that were found valid, kept for a moment, so that not every call asks the database.

A token is kept under its hash, never as it came. It holds while the revision of `access` is the one it was found
under, five seconds at most, and not beyond its own end. Revoking a token, suspending an agent, deactivating a person
and taking a grant away all count that revision up, and nothing is served once revisions cannot be read for five
seconds (`gateway.snapshot.STALE_AFTER`); so a change is felt within a second without any message. Pure module.
"""

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.snapshot import Token

KEPT_SECONDS: Final = 5.0
_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Found:
    token: Token
    revision: int | None
    until: float  # monotonic seconds
    expires_at: float  # seconds since the epoch


class Bearer:
    """A token as its caller presented it, and the hash that it is known by, which is made once. Shows neither."""

    __slots__ = ("key", "raw")

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.key = hashlib.sha256(raw.encode("latin-1", "replace")).digest()


class KeptTokens:
    """One process's."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, _Found] = OrderedDict()

    def get(self, bearer: Bearer, revision: int | None) -> Token | None:
        """The token, if it was found under the very revision that is known now."""
        found = self._found.get(bearer.key)
        if found is None or found.revision != revision or revision is None or found.until < time.monotonic():
            return None
        return found.token if found.expires_at > time.time() else None

    def has(self, bearer: Bearer) -> bool:
        """Whether the token was found to be one of ours, however long ago that was."""
        return bearer.key in self._found

    def keep(self, bearer: Bearer, revision: int | None, token: Token, expires_at: datetime) -> None:
        """Keep a token that was found; `revision` is from before the look-up."""
        key = bearer.key
        self._found[key] = _Found(token, revision, time.monotonic() + KEPT_SECONDS, expires_at.timestamp())
        self._found.move_to_end(key)
        if len(self._found) > _KEPT:
            self._found.popitem(last=False)
