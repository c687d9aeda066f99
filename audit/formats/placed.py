"""What every format is made from: one record with its place in the log. Pure module."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Placed(Struct, frozen=True):
    """A record at its place. `body` holds the bytes that count, `said` is what they say; `hash` is the leaf's.

    `writer`, `seq` and `chain` belong to gateways' records; `mac` is empty in records of releases that had none.
    """

    index: int
    shard: int
    hash: bytes
    body: bytes
    said: Mapping[str, Any]
    writer: UUID | None = None
    seq: int | None = None
    chain: bytes | None = None
    mac: bytes | None = None

    def text(self, name: str) -> str:
        """A field of the body as text; empty where nothing was said."""
        value = self.said.get(name)
        return "" if value is None else str(value)

    @property
    def time_ns(self) -> int:
        """When, in nanoseconds since 1970. Raises `ValueError` for a body without a time."""
        since = datetime.fromisoformat(self.text("time")) - _EPOCH
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000

    @property
    def leaf(self) -> str:
        """The leaf hash (RFC 6962) that the log holds, in hexadecimal: by it a line is tied to the log."""
        return self.hash.hex()


def placed(
    *,
    index: int,
    shard: int,
    hash: bytes,  # noqa: A002 -- the column's name
    body: bytes,
    writer: UUID | None = None,
    seq: int | None = None,
    chain: bytes | None = None,
    mac: bytes | None = None,
) -> Placed:
    """A record from its row. Raises `ValueError` for a body that is no JSON object."""
    said = json.loads(body)
    if not isinstance(said, dict):
        raise ValueError("the body of a record is a JSON object")  # noqa: TRY004 -- one error for all of it
    return Placed(
        index=index, shard=shard, hash=hash, body=body, said=said, writer=writer, seq=seq, chain=chain, mac=mac
    )
