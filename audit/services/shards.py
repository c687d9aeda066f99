"""The log's shards, one a month: made ahead of time."""

from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from audit.drafts import next_shard, shard_of

_AHEAD: Final = 2
_shards: Final[set[tuple[str, int]]] = set()  # database and shard


def create_shards() -> int:
    """Make sure that this month's shard and the next two exist; answers how many were made."""
    shard = shard_of(timezone.now())
    made = 0
    for _ in range(1 + _AHEAD):
        made += ensure_shard(shard)
        shard = next_shard(shard)
    return made


def ensure_shard(shard: int) -> bool:
    """Whether the shard had to be made."""
    known = (str(connection.settings_dict["NAME"]), shard)
    if known in _shards:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_create_shard(%s)", [shard])
        made = bool(cursor.fetchone()[0])
    # Not before the commit: a shard that this very transaction made goes away with its rollback.
    transaction.on_commit(lambda: _shards.add(known))
    return made
