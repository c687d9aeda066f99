"""What a call's records and payload rows say of its arguments and result: commitments, and what may be kept of them.

Committed to are the parameters as they are sent, without `_meta`, and the result or error as it is released. Nothing
that is not released has a commitment. A setting that keeps nothing costs one secret and two hashes a call.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from audit.content import content_of, encoded
from audit.payload import ARGUMENTS, RESULT, Payload
from audit.redaction import Capture
from audit.sealing import CallKeys, Sealer
from gateway import jsonrpc

_LONG: Final = 16 * 1024  # bytes from which on the loop is better left alone meanwhile


class Said(Struct, frozen=True):
    """What goes with a record: the commitment that stands in it, and the row beside it."""

    args_commit: bytes | None = None
    result_commit: bytes | None = None
    payload: Payload | None = None


class Captures:
    """Begins what is captured of each call. `days`: how long a payload is kept."""

    def __init__(self, sealer: Sealer, *, days: int) -> None:
        self._sealer = sealer
        self._kept_for = timedelta(days=days)

    def begin(self, capture: Capture, tool: str, params: Mapping[str, Any]) -> "Captured":
        """For one call: `params` is what is sent, `tool` what rules may name."""
        sent = dict(params)
        sent.pop("_meta", None)
        return Captured(self._sealer, self._kept_for, capture, tool, jsonrpc.dumps(sent) if sent else b"")


class Captured:
    """One call's. The intent's part is asked for first: it makes the keys."""

    __slots__ = ("_capture", "_expires_at", "_kept_for", "_keys", "_sealer", "_sent", "_tool")

    def __init__(self, sealer: Sealer, kept_for: timedelta, capture: Capture, tool: str, sent: bytes) -> None:
        self._sealer = sealer
        self._kept_for = kept_for
        self._capture = capture
        self._tool = tool
        self._sent = sent
        self._keys: CallKeys | None = None
        self._expires_at: datetime | None = None

    def arguments(self, call_id: UUID, record_id: UUID, now: datetime) -> Said | Awaitable[Said]:
        """What goes with the intent; to be awaited where it takes long to seal."""
        self._keys = keys = self._sealer.begin(call_id, record_id)
        self._expires_at = expires_at = now + self._kept_for
        sent = self._sent
        row = Payload(record_id, call_id, ARGUMENTS, expires_at, keys.key_id, keys.secret, b"", len(sent))
        said = Said(keys.commit(ARGUMENTS, sent), None, row)
        return self._kept(said, row, keys, sent) if self._capture.arguments else said

    def result(self, call_id: UUID, record_id: UUID, released: bytes) -> Said | Awaitable[Said]:
        """What goes with the outcome of a call whose answer is released; to be awaited where it takes long to seal."""
        keys, expires_at = self._keys, self._expires_at
        if keys is None or expires_at is None:
            return Said()
        commit = keys.commit(RESULT, released)
        if not self._capture.result:
            return Said(None, commit)
        row = Payload(record_id, call_id, RESULT, expires_at, keys.key_id, b"", b"", len(released))
        return self._kept(Said(None, commit, row), row, keys, released)

    def _kept(self, said: Said, row: Payload, keys: CallKeys, data: bytes) -> Said | Awaitable[Said]:
        if len(data) < _LONG:
            return self._sealed(said, row, keys, data)
        return asyncio.to_thread(self._sealed, said, row, keys, data)

    def _sealed(self, said: Said, row: Payload, keys: CallKeys, data: bytes) -> Said:
        """The same with what may be kept of `data` in its row."""
        content = content_of(row.part, data, self._capture.of(row.part, self._tool), self._sealer.lookup_mark)
        return replace(said, payload=replace(row, sealed=keys.seal(row.part, row.record_id, encoded(content))))
