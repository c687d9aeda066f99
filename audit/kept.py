"""How payload rows reach PostgreSQL in the statement that writes their records. Pure module; see `audit.wire`."""

from collections.abc import Sequence
from struct import Struct as Layout
from typing import Final

from audit.payload import COLUMNS, TYPES, Payload
from audit.wire import ARRAY, BIG, CONTINUES, INSERT_MANY, INSERT_ONE, PARAMETERS, TIME, sized

_OIDS: Final = {"uuid": 2950, "text": 25, "timestamptz": 1184, "bytea": 17, "int8": 20}
_SIXTEEN: Final = Layout(">i").pack(16)


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
    columns = zip(*map(_row, payloads), strict=True)
    return [
        ARRAY(1, 0, _OIDS[kind], len(payloads), 1) + b"".join(values)
        for kind, values in zip(TYPES, columns, strict=True)
    ]


def _row(payload: Payload) -> tuple[bytes, ...]:
    """In the order of `audit.payload.COLUMNS`."""
    return (
        _SIXTEEN + payload.record_id.bytes,
        _SIXTEEN + payload.call_id.bytes,
        sized(payload.part.encode()),
        sized(TIME.encode(payload.expires_at)),
        sized(payload.key_id),
        sized(payload.secret),
        sized(payload.sealed),
        sized(BIG(payload.size)),
    )
