"""What a call's records and payload rows say of its arguments and result: commitments, and what may be kept of them.

Committed to are the parameters as they are sent, without `_meta`, and the result or error as it is released. Nothing
that is not released has a commitment. A setting that keeps nothing costs one secret and two hashes a call.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from audit.content import content_of, encoded
from audit.payload import ARGUMENTS, RESULT, Part, Payload
from audit.redaction import Capture
from audit.sealing import CallKeys, Sealer
from gateway import jsonrpc

_LONG: Final = 16 * 1024  # bytes from which on the loop is better left alone meanwhile


class Said(NamedTuple):
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
        sent = {name: value for name, value in params.items() if name != "_meta"}
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

    async def arguments(self, call_id: UUID, record_id: UUID, now: datetime) -> Said:
        """What goes with the intent."""
        self._keys = keys = self._sealer.begin(call_id, record_id)
        self._expires_at = now + self._kept_for
        sealed = await self._sealed(keys, ARGUMENTS, record_id, self._sent)
        row = Payload(
            record_id, call_id, ARGUMENTS, self._expires_at, keys.key_id, keys.secret, sealed, len(self._sent)
        )
        return Said(args_commit=keys.commit(ARGUMENTS, self._sent), payload=row)

    async def result(self, call_id: UUID, released: bytes, record_id: UUID, _now: datetime) -> Said:
        """What goes with the outcome of a call whose answer is released."""
        keys, expires_at = self._keys, self._expires_at
        if keys is None or expires_at is None:
            return Said()
        commit = keys.commit(RESULT, released)
        if not self._capture.result:
            return Said(result_commit=commit)
        sealed = await self._sealed(keys, RESULT, record_id, released)
        row = Payload(record_id, call_id, RESULT, expires_at, keys.key_id, b"", sealed, len(released))
        return Said(result_commit=commit, payload=row)

    async def _sealed(self, keys: CallKeys, part: Part, record_id: UUID, data: bytes) -> bytes:
        if not self._capture.keeps(part):
            return b""
        if len(data) < _LONG:
            return self._seal(keys, part, record_id, data)
        return await asyncio.to_thread(self._seal, keys, part, record_id, data)

    def _seal(self, keys: CallKeys, part: Part, record_id: UUID, data: bytes) -> bytes:
        content = content_of(part, data, self._capture.of(part, self._tool), self._sealer.lookup_mark)
        return keys.seal(part, record_id, encoded(content))
