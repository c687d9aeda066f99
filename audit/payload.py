"""A call's payload as it is stored: sealed bytes in a row of `audit_payload`, beside the record and apart from it.

Pure module. A call has one random secret of 32 bytes. From it come the salts of both commitments and the keys that
seal what is kept (`audit.sealing`); it stands, sealed itself, in the row of the intent. Whoever erases that row erases
all of it, and the records, which hold commitments only, still verify.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

Part = Literal["arguments", "result"]
ARGUMENTS: Final = "arguments"  # the row that goes with a call's intent and holds the call's secret
RESULT: Final = "result"  # the row that goes with its outcome, where results are kept
PARTS: Final = (ARGUMENTS, RESULT)


class Payload(Struct, frozen=True):
    """One row, written by the statement that writes its record: both become durable or neither does.

    The row has one more column, `shard`, which is the statement's: that of the record. `record_id` is the record's
    `id`, and a record has at most one row. `secret` is the call's secret, sealed to this record; it is empty in the
    row of a result. `sealed` is what is kept of the content, empty where nothing is but its commitment. `size` is the
    length of what the commitment is made over, in bytes. `key_id` names the key that `secret` opens with; in the row
    of a result it says which one was used for the intent.
    """

    record_id: UUID
    call_id: UUID
    part: Part
    expires_at: datetime
    key_id: bytes
    secret: bytes
    sealed: bytes
    size: int


# The table's columns beside `shard` and their types, in the order of the struct's fields.
COLUMNS: Final = Payload.__struct_fields__
TYPES: Final = ("uuid", "uuid", "text", "timestamptz", "bytea", "bytea", "bytea", "int8")
