"""What the head of one request says by itself, found once for as long as a connection brings the same head."""

from collections.abc import MutableMapping
from typing import Any

from msgspec import Struct

from gateway import auth, front
from gateway.door import SEEN, Seen
from gateway.front import Head
from gateway.kept_tokens import Bearer

Scope = MutableMapping[str, Any]


class Entry(Struct):
    """`slug`: whose endpoint it may go on to, once that is known; whether the client takes `streams`.

    Whether the token is valid, and what its bearer may do, is asked for every request.
    """

    head: Head
    streams: bool
    bearer: Bearer | None
    slug: str | None = None


def entry_of(scope: Scope) -> Entry:
    """The entry of a request, as it was left at the last one with the very same head on its connection."""
    seen: Seen | None = scope.get(SEEN)
    if seen is None:
        return _read(scope)
    entry: Entry | None = seen.kept
    if entry is None:
        entry = seen.kept = _read(scope)
    return entry


def _read(scope: Scope) -> Entry:
    client = scope.get("client")
    head = front.read_head(
        scope["method"], _raw_path(scope), scope["query_string"], scope["headers"], client[0] if client else ""
    )
    return Entry(head, front.accepts(head, "text/event-stream"), auth.presented(head))


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")
