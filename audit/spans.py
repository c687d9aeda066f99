"""Where a time lies in the log: in which shards, and between which ids. Pure module."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from audit.drafts import shard_of

# How far a record's id may stand from its time: both are read from one clock, one after the other.
SLACK: Final = timedelta(minutes=10)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def shard_of_id(record_id: UUID) -> int:
    """The shard that a UUIDv7's own time belongs to; a UUID of another version gives a shard without rows."""
    milliseconds = record_id.int >> 80
    if record_id.version != 7 or milliseconds >= 10**14:
        return 0
    return shard_of(datetime.fromtimestamp(milliseconds / 1000, tz=UTC))


def id_at(moment: datetime, later: timedelta) -> UUID:
    """The least UUIDv7 of so much after a moment; the first or last of all where it lies beyond what those can tell."""
    milliseconds = (moment - _EPOCH + later) // timedelta(milliseconds=1)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


def widening(shards: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Shards from the last one back, as the first and last of one, of two before it, of four before those, and so on.

    So what is common is looked for in one shard, and what is nowhere in few looks.
    """
    end, many = len(shards), 1
    while end > 0:
        begin = max(end - many, 0)
        yield shards[begin], shards[end - 1]
        end, many = begin, many * 2
