"""How payload rows reach PostgreSQL in the statement that writes their records. Pure module; see `audit.wire`."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from audit.payload import COLUMNS, PARTS, TYPES, Payload
from audit.wire import (
    ARRAY,
    CONTINUES,
    INSERT_MANY,
    INSERT_ONE,
    INT,
    PARAMETERS,
    SIXTEEN,
    SIZED_BIG,
    Values,
    arrays,
    microseconds,
    sized,
)

_OIDS: Final = {"uuid": 2950, "text": 25, "timestamptz": 1184, "bytea": 17, "int8": 20}
_PARTS: Final = {part: sized(part.encode()) for part in PARTS}


def _with_payloads(statement: bytes) -> bytes:
    """The statement for records, with rows of payloads in arrays after its own parameters; it counts records."""
    names = ", ".join(COLUMNS)
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(TYPES, start=PARAMETERS + 1))
    kept = (
        f"WITH kept AS (INSERT INTO audit_payload (shard, {names}) "  # noqa: S608 -- our own names
        f"SELECT $1::int4, p.* FROM unnest({arrays}) AS p ({names}) WHERE {CONTINUES}) "
    )
    return kept.encode() + statement


KEEP_ONE: Final = _with_payloads(INSERT_ONE)
KEEP_MANY: Final = _with_payloads(INSERT_MANY)


def parameters(payloads: Sequence[Payload]) -> list[bytes | None]:
    """What `KEEP_ONE` and `KEEP_MANY` take after the parameters of the records."""
    return arrays(_heads(len(payloads)), map(_row, payloads))


@lru_cache(maxsize=1024)
def _heads(count: int) -> Values:
    return tuple(ARRAY(1, 0, _OIDS[kind], count, 1) for kind in TYPES)


def _row(payload: Payload) -> Values:
    """In the order of `audit.payload.COLUMNS`."""
    key_id, secret, sealed = payload.key_id, payload.secret, payload.sealed
    return (
        SIXTEEN + payload.record_id.int.to_bytes(16, "big"),  # `UUID.bytes` is written in Python
        SIXTEEN + payload.call_id.int.to_bytes(16, "big"),
        _PARTS[payload.part],
        SIZED_BIG(8, microseconds(payload.expires_at)),
        INT(len(key_id)) + key_id,
        INT(len(secret)) + secret,
        INT(len(sealed)) + sealed,
        SIZED_BIG(8, payload.size),
    )
