"""What is to be recorded, and its two forms: canonical body bytes and search columns. Pure module.

`body` (RFC 8785) is the truth and at most 8 KB; the columns are extracted from the same bounded values. Texts are
hostile: NUL stays in the body as its JSON escape and becomes U+2400 in the columns, which PostgreSQL would
otherwise refuse; lone surrogates, which neither can hold, become U+FFFD; what is too long ends in its hash.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from audit.events import Event, RecordType
from core.canonical import canonical_bytes
from core.ids import new_id

BODY_MAX: Final = 8192  # bytes
BODY_VERSION: Final = 1
Commitment = bytes  # an alias, because a field below is called `bytes`
LONG_TEXTS: Final = frozenset({"reason", "intention"})
# Limits in UTF-8 bytes, tried in this order until the body fits: (name, long text, items of a list, keep details).
LIMITS: Final = ((512, 2000, 64, True), (512, 2000, 64, False), (128, 512, 16, False), (24, 64, 8, False))


class RecordDraft(Struct, frozen=True):
    """One record before it has a place. `time` is aware; `latency_ms` in milliseconds, `bytes` of the answer.

    `principal` and `actor` are a person's pseudonym, `agent:<client id>` or `system:<name>`: see `audit.subjects`.
    """

    type: RecordType
    event: Event
    principal: str
    time: datetime
    id: UUID = field(default_factory=new_id)
    actor: str = ""
    agent: str = ""
    token_id: str = ""
    call_id: UUID | None = None
    parent_call_id: UUID | None = None
    batch_id: UUID | None = None
    server: str = ""
    method: str = ""
    kind: str = ""
    tool: str = ""
    tool_hash: str = ""
    subject: str = ""
    owner_team: str = ""
    environment: str = ""
    decision: str = ""
    reason: str = ""
    rule_ids: tuple[str, ...] = ()
    policy_digest: str = ""
    scopes_used: tuple[str, ...] = ()
    upstream_credential: str = ""
    args_commit: Commitment | None = None
    result_commit: Commitment | None = None
    intention: str = ""
    status: str = ""
    error_class: str = ""
    latency_ms: int | None = None
    bytes: int | None = None
    client_ip: str = ""
    trace_id: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Pattern:
    """What many records of calls have in common: a draft whose `Repeat`s differ only in what those name.

    `form` is what `audit.rows` made of it; a pattern is good for one writer.
    """

    draft: RecordDraft
    form: Any = None


class Repeat(Struct, frozen=True):
    """A record that says what its pattern says, at another time and of another call."""

    pattern: Pattern
    id: UUID
    time: datetime
    call_id: UUID | None
    latency_ms: int | None = None
    bytes: int | None = None
    trace_id: str = ""
    args_commit: Commitment | None = None
    result_commit: Commitment | None = None
    intention: str = ""

    def draft(self) -> RecordDraft:
        """The same written out."""
        return replace(
            self.pattern.draft, id=self.id, time=self.time, call_id=self.call_id, latency_ms=self.latency_ms,
            bytes=self.bytes, trace_id=self.trace_id, args_commit=self.args_commit, result_commit=self.result_commit,
            intention=self.intention,
        )  # fmt: skip


def written_out(record: RecordDraft | Repeat) -> RecordDraft:
    """The record with everything that its pattern says."""
    return record.draft() if isinstance(record, Repeat) else record


FIELDS: Final = RecordDraft.__struct_fields__
COLUMNS: Final = ("shard", "writer", "seq", *FIELDS, "body")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a gateway process's record stands: its writer and the gapless number in it."""

    writer: UUID
    seq: int


def shard_of(time: datetime) -> int:
    """The shard of a moment, YYYYMM in UTC."""
    moment = time.astimezone(UTC)
    return moment.year * 100 + moment.month


def next_shard(shard: int) -> int:
    """The shard of the following month."""
    year, month = divmod(shard, 100)
    return (year + 1) * 100 + 1 if month == 12 else shard + 1


def columns(draft: RecordDraft, *, installation: str, shard: int, position: Position | None = None) -> dict[str, Any]:
    """Every column of the record's row, the body included. Never raises for what a text holds."""
    place = {"v": BODY_VERSION, "installation": installation}
    if position is not None:
        place |= {"writer": str(position.writer), "seq": position.seq}
    for name_limit, long_limit, items, details in LIMITS:
        values = _bounded(draft, name_limit, long_limit, items, details=details)
        body = canonical_bytes(place | {name: _plain(value) for name, value in values.items() if _said(value)})
        if len(body) <= BODY_MAX:
            break
    row = {name: visible(value) for name, value in values.items()}
    writer, seq = (position.writer, position.seq) if position is not None else (None, None)
    return {"shard": shard, "writer": writer, "seq": seq, **row, "body": body}


def search_text(text: str, *, long: bool = False) -> str:
    """`text` as it stands in a search column, so that a filter finds what was shortened or made visible.

    `long`: a column of `LONG_TEXTS`.
    """
    shown = visible(_shortened(text, LIMITS[0][1 if long else 0]))
    return str(shown)


def _said(value: object) -> bool:
    return value is not None and value not in ("", ())


def _bounded(draft: RecordDraft, name_limit: int, long_limit: int, items: int, *, details: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(draft, name)
        if isinstance(value, str):
            value = _shortened(str(value), long_limit if name in LONG_TEXTS else name_limit)
        elif isinstance(value, tuple):
            value = tuple(_shortened(item, name_limit) for item in value[:items])
        elif isinstance(value, Mapping):
            value = _plain(value) if details else _digest(value)
        values[name] = value
    return values


def _shortened(text: str, limit: int) -> str:
    if len(text) * 4 <= limit:
        return text.encode(errors="surrogatepass").decode(errors="replace") if not text.isascii() else text
    whole = text.encode("utf-8", "surrogatepass")
    if len(whole) > limit:
        tag = f"…#{hashlib.sha256(whole).hexdigest()[:16]}"
        return whole[: max(limit - 20, 4)].decode("utf-8", "ignore") + tag
    return whole.decode("utf-8", "replace")


def _digest(value: Mapping[str, Any]) -> dict[str, Any]:
    """Stands where details were too long for the body; small ones stay."""
    whole = canonical_bytes(_plain(value))
    if len(whole) <= 512:
        return dict(_plain(value))
    return {"cut": True, "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(_plain(str(item)) for item in value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def visible(value: Any) -> Any:
    """The value as it stands in a search column."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value.replace("\0", "\u2400")
    if isinstance(value, Mapping):
        return {visible(key): visible(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [visible(item) for item in value]
    return value
