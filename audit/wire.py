"""How a record's row reaches PostgreSQL: the statements, and values in its binary format. Pure module.

A value has its length before it (four bytes, -1 for null), as in arrays: several rows travel as an array per column.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import Any, Final
from uuid import UUID

from audit.chaining import Chain
from audit.drafts import FIELDS

Values = tuple[bytes, ...]
Row = tuple[Values, Values, Values]  # the values of `ORDER`; the second are those that many rows share

INT: Final = Struct(">i").pack
BIG: Final = Struct(">q").pack
ARRAY: Final = Struct(">iiiii").pack  # dimensions, nulls, OID, length, lower bound
SIZED_BIG: Final = Struct(">iq").pack
NULL: Final = INT(-1)
SIXTEEN: Final = INT(16)  # before an id
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL counts microseconds from here


def array_literal(texts: Sequence[str]) -> bytes:
    """Arrays of texts travel as text: an array of arrays of different lengths does not exist."""
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return f"{{{','.join(quoted)}}}".encode()


def _jsonb(value: Any) -> bytes:
    return b"\x01" + json.dumps(value).encode()


def microseconds(time: datetime) -> int:
    """Since PostgreSQL's epoch."""
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type: its name, the OID of what travels, and the binary format of a value."""

    name: str
    oid: int
    encode: Callable[[Any], bytes]


TEXT: Final = Type("text", 25, str.encode)
TEXTS: Final = Type("text[]", 25, array_literal)
_BYTEA: Final = Type("bytea", 17, bytes)
_UUID: Final = Type("uuid", 2950, lambda value: value.bytes)
_INT4: Final = Type("int4", 23, INT)
_INT8: Final = Type("int8", 20, BIG)
_JSONB: Final = Type("jsonb", 3802, _jsonb)
TIME: Final = Type("timestamptz", 1184, lambda value: BIG(microseconds(value.astimezone(UTC))))
TYPES: Final = {
    **dict.fromkeys(("rule_ids", "scopes_used"), TEXTS),
    **dict.fromkeys(("args_commit", "result_commit", "body", "chain", "mac"), _BYTEA),
    **dict.fromkeys(("id", "writer", "call_id", "parent_call_id", "batch_id"), _UUID),
    **dict.fromkeys(("shard", "latency_ms"), _INT4),
    **dict.fromkeys(("seq", "bytes"), _INT8),
    **dict.fromkeys(("before", "after"), _JSONB),
    "time": TIME,
}
UNIQUE: Final = ("intention", "reason", "trace_id")  # texts that hardly any two calls share
_PLACE: Final = ("shard", "writer")  # the same for a whole batch
WORDS: Final = tuple(name for name in FIELDS if TYPES.get(name, TEXT) in (TEXT, TEXTS) and name not in UNIQUE)
OTHERS: Final = tuple(sorted(set(FIELDS) - set(WORDS)))  # in the order in which the body has them (RFC 8785)
# What records of calls say besides words, in order.
VARYING: Final = (
    "args_commit", "bytes", "call_id", "id", "intention", "latency_ms", "result_commit", "time", "trace_id",
)  # fmt: skip
RARE: Final = tuple(name for name in OTHERS if name not in VARYING)
ORDER: Final = ("seq", "body", "chain", "mac", *WORDS, *RARE, *VARYING)
_OIDS: Final = tuple(TYPES.get(name, TEXT).oid for name in ORDER)


PARAMETERS: Final = 4 + len(ORDER)  # of either statement
_FIRST: Final = 5  # the number of the first parameter of a row; before it those of `CONTINUES`
CONTINUES: Final = (
    "($3::int8 = 0 OR EXISTS (SELECT FROM audit_record AS last WHERE last.shard = $1::int4 AND last.writer = $2::uuid "
    "AND last.seq = $3::int8 AND last.chain IS NOT DISTINCT FROM $4::bytea))"
)


def _insert(source: Callable[[list[str]], str]) -> bytes:
    """Nothing is inserted where the writer's last record is not what it left: that is no error, but zero rows."""
    names = ", ".join(f'"{name}"' for name in (*_PLACE, *ORDER))
    kinds = [TYPES.get(name, TEXT) for name in ORDER]
    chosen = source([kind.name for kind in kinds])
    return f"INSERT INTO audit_record ({names}) {chosen} WHERE {CONTINUES}".encode()


def _one(kinds: list[str]) -> str:
    numbered = enumerate(kinds, start=_FIRST)
    values = (f"${n}::text::text[]" if kind == "text[]" else f"${n}::{kind}" for n, kind in numbered)
    return f"SELECT $1::int4, $2::uuid, {', '.join(values)}"


def _many(kinds: list[str]) -> str:
    arrays = (f"${n}::{kind.removesuffix('[]')}[]" for n, kind in enumerate(kinds, start=_FIRST))
    names = [f'"{name}"' for name in ORDER]
    chosen = (f"u.{name}::text[]" if kind == "text[]" else f"u.{name}" for name, kind in zip(names, kinds, strict=True))
    from_arrays = f"unnest({', '.join(arrays)}) AS u ({', '.join(names)})"
    return f"SELECT $1::int4, $2::uuid, {', '.join(chosen)} FROM {from_arrays}"  # noqa: S608 -- our own names


INSERT_ONE: Final = _insert(_one)
INSERT_MANY: Final = _insert(_many)
CREATE_SHARD: Final = b"SELECT audit_create_shard($1::int4)"
INSERT_WRITER: Final = (
    b"INSERT INTO audit_writer (id, shard, host, process, started_at, key_id) "
    b"VALUES ($1::uuid, $2::int4, $3::text, $4::text, $5::timestamptz, $6::text)"
)


def parameters(after: Chain, rows: Sequence[Row]) -> list[bytes | None]:
    """What `INSERT_ONE` takes for one row, `INSERT_MANY` for several, which follow `after`: binary, null is None."""
    writer = after.writer.int.to_bytes(16, "big")  # `UUID.bytes` is written in Python
    place: list[bytes | None] = [INT(after.shard), writer, BIG(after.seq), after.link]
    if len(rows) == 1:
        first, shared, last = rows[0]
        return [*place, *_bare(first), *_bare_shared(shared), *_bare(last)]
    whole = [(*first, *shared, *last) for first, shared, last in rows]
    return place + arrays(_heads(len(rows)), whole)


@lru_cache(maxsize=1024)
def _heads(count: int) -> Values:
    """What stands before the values of each column in `ORDER`, in an array of so many."""
    made = {oid: ARRAY(1, 1, oid, count, 1) for oid in _OIDS}
    return tuple(made[oid] for oid in _OIDS)


def arrays(heads: Values, rows: Iterable[Values]) -> list[bytes | None]:
    """An array for each column. There are over forty and batches are small, so no line of Python is run for each."""
    return list(map(b"".join, zip(heads, *rows, strict=True)))


def _bare(values: Values) -> list[bytes | None]:
    """The values without their lengths."""
    return [None if value == NULL else value[4:] for value in values]


_bare_shared: Final = lru_cache(maxsize=128)(_bare)


def shard_parameters(shard: int) -> list[bytes | None]:
    """What `CREATE_SHARD` takes."""
    return [INT(shard)]


def writer_parameters(
    writer: UUID, shard: int, host: str, process: str, started_at: datetime, key_id: str
) -> list[bytes | None]:
    """What `INSERT_WRITER` takes."""
    time = TIME.encode(started_at)
    return [writer.bytes, INT(shard), host.encode(), process.encode(), time, key_id.encode()]


def encoded(name: str, value: Any) -> bytes:
    """Any value of a column. Raises `struct.error` for a number that the column does not hold."""
    return NULL if value is None else sized(TYPES.get(name, TEXT).encode(value))


def sized(value: bytes) -> bytes:
    """The value with its length before it."""
    return INT(len(value)) + value
