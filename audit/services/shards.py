"""The log's shards, one a month: made ahead of time."""

from typing import Final

from django.db import DataError, connection, transaction
from django.utils import timezone

from audit.drafts import next_shard, shard_of
from core.errors import Unavailable

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
    """Whether the shard had to be made. Raises `Unavailable` where the database would not make it now."""
    known = (str(connection.settings_dict["NAME"]), shard)
    if known in _shards:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_create_shard(%s)", [shard])
            made = bool(cursor.fetchone()[0])
    except DataError as error:
        raise Unavailable(f"The clock says {shard}, which the audit log's database does not take for now.") from error
    # Not before the commit: a shard that this very transaction made goes away with its rollback.
    transaction.on_commit(lambda: _shards.add(known))
    return made
