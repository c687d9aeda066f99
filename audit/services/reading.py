"""The log as those who verify it read it: places with what stands there, a few thousand at a time, by their numbers.

No cursor over the whole log: it would hold a transaction open for as long as a verification takes. And no range of
numbers either: whoever writes a leaf far ahead would have us count up to it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection

from audit.comparing import DETAILS
from audit.drafts import COLUMNS
from audit.models import Checkpoint as SignedCheckpoint
from audit.proof.findings import Entry

_WINDOW: Final = 2000
_NEWEST: Final = 1000
_EVENLY: Final = 2000
_BEFORE_ALL: Final = -1
# A leaf's own writer and number count here, because the body is hashed with them in it; the record's are columns.
_PLACES: Final = """
    SELECT leaf.index, leaf.shard, convert_to(leaf.record_id::text, 'UTF8'), convert_to(leaf.writer::text, 'UTF8'),
        leaf.seq, made.chain, made.mac, leaf.hash, made.body
    FROM (SELECT * FROM audit_leaf WHERE (index, shard) > (%s, %s) ORDER BY index, shard LIMIT %s) AS leaf
    LEFT JOIN audit_record AS made ON made.shard = leaf.shard AND made.id = leaf.record_id
    ORDER BY leaf.index, leaf.shard
"""
_COMPARED: Final = tuple(name for name in COLUMNS if name not in ("shard", "body"))
_NAMES: Final = ", ".join(f'made."{name}"' + ("::text" if name in DETAILS else "") for name in _COMPARED)
_ROWS: Final = f"""
    SELECT leaf.index, leaf.shard, leaf.hash, leaf.writer, leaf.seq, made.body, {_NAMES}
    FROM (SELECT * FROM audit_leaf WHERE (index, shard) > (%s, %s) ORDER BY index, shard LIMIT %s) AS leaf
    JOIN audit_record AS made ON made.shard = leaf.shard AND made.id = leaf.record_id
    ORDER BY leaf.index, leaf.shard
"""  # noqa: S608 -- our own names
_LAST: Final = """
    SELECT index, shard FROM (
        SELECT index, shard FROM audit_leaf WHERE (index, shard) > (%s, %s) ORDER BY index, shard LIMIT %s) AS beyond
    ORDER BY index DESC, shard DESC LIMIT 1
"""
# Without a place: of the control plane what is not in the queue, of a gateway what others of its writer came after.
_LOST: Final = """
    made.writer IS NULL AND NOT EXISTS (
        SELECT FROM audit_pending AS waiting WHERE waiting.shard = made.shard AND waiting.record_id = made.id)
    OR made.writer IS NOT NULL AND made.seq <= (SELECT max(placed.seq) FROM audit_leaf AS placed
        WHERE placed.writer = made.writer)
"""
_UNPLACED: Final = f"""
    SELECT -1, made.shard, convert_to(made.id::text, 'UTF8'), convert_to(made.writer::text, 'UTF8'), made.seq,
        made.chain, made.mac, NULL::bytea, made.body, coalesce({_LOST}, false)
    FROM (SELECT * FROM audit_record WHERE (shard, id) > (%s, %s::uuid) ORDER BY shard, id LIMIT %s) AS made
    WHERE NOT EXISTS (SELECT FROM audit_leaf AS leaf WHERE leaf.shard = made.shard AND leaf.record_id = made.id)
    ORDER BY made.shard, made.id
"""  # noqa: S608 -- our own words
_LAST_RECORD: Final = """
    SELECT shard, id::text FROM (
        SELECT shard, id FROM audit_record WHERE (shard, id) > (%s, %s::uuid) ORDER BY shard, id LIMIT %s) AS beyond
    ORDER BY shard DESC, id DESC LIMIT 1
"""
# By the index of origin and size alone: one is looked up at each of so many sizes.
_SPACED: Final = """
    SELECT DISTINCT found.note FROM generate_series(%s::bigint, %s::bigint, %s::bigint) AS target (size)
    CROSS JOIN LATERAL (
        SELECT note FROM audit_checkpoint AS signed WHERE signed.origin = %s AND signed.size >= target.size
        ORDER BY signed.size LIMIT 1) AS found
"""
_HEAD: Final = "SELECT chain FROM audit_record WHERE shard = %s AND writer = %s::uuid AND seq = %s"


def placed_entries(first: int) -> Iterator[Entry]:
    """What stands at each place from `first` on, in the log's order."""
    after = first + _BEFORE_ALL, 2**31 - 1
    while rows := _all(_PLACES, *after, _WINDOW):
        yield from rows
        after = rows[-1][0], rows[-1][1]


def placed_rows(first: int) -> Iterator[tuple[int, int, bytes, bytes, dict[str, Any]]]:
    """Index, shard, leaf hash, body and search columns of each record that is there, in the log's order.

    `leaf.writer` and `leaf.seq` are among the columns.
    """
    after = first + _BEFORE_ALL, 2**31 - 1
    while last := _all(_LAST, *after, _WINDOW):
        for index, shard, hashed, writer, seq, body, *values in _all(_ROWS, *after, _WINDOW):
            row = dict(zip(_COMPARED, values, strict=True)) | {"leaf.writer": writer, "leaf.seq": seq}
            for name in DETAILS:
                if (text := row[name]) is not None:
                    row[name] = json.loads(text)
            yield index, shard, hashed, body, row
        after = last[0]


def unplaced_entries() -> Iterator[tuple[Entry, bool]]:
    """Records without a place, and of each whether its time for one is over."""
    after = _BEFORE_ALL, str(UUID(int=0))
    while last := _all(_LAST_RECORD, *after, _WINDOW):
        for *entry, lost in _all(_UNPLACED, *after, _WINDOW):
            yield tuple(entry), lost
        after = last[0]


def signed_notes(origin: str, beyond: int) -> list[str]:
    """Checkpoints of a log with more than `beyond` records: the newest, and of those before them evenly spaced ones.

    Some are signed each minute, for years: a root that is right says the same of every one before it.
    """
    rows = SignedCheckpoint.objects.filter(origin=origin, size__gt=beyond).order_by("-size", "-pk")
    newest = list(rows.values_list("size", "note")[:_NEWEST])
    notes = [note for _, note in newest]
    if len(newest) < _NEWEST or (lowest := newest[-1][0]) <= beyond + 1:
        return notes
    step = -(-(lowest - beyond) // _EVENLY)
    return list({*notes, *(note for (note,) in _all(_SPACED, beyond + 1, lowest, step, origin))})


def head_of(writer: bytes, shard: int, seq: int) -> bytes | None:
    """The chain at this record, where it is there and has one."""
    rows = _all(_HEAD, shard, writer.decode(), seq)
    return rows[0][0] if rows else None


def _all(statement: str, *values: Any) -> list[Any]:
    """All rows, with values in PostgreSQL's binary format: bodies are bytes, and their texts are twice as long."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        rows: list[Any] = cursor.execute(statement, values, binary=True).fetchall()
    return rows
