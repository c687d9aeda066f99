"""JSONL: the bytes that count, one line a record, as `audit.proof.bundle` has them. Pure module."""

from audit.formats.placed import Placed
from audit.proof.bundle import line as written


def line(record: Placed) -> bytes:
    """The record's line; its body stands in it as it was recorded."""
    writer = None if record.writer is None else str(record.writer).encode()
    entry = (
        record.index, record.shard, record.text("id").encode(), writer, record.seq, record.chain, record.mac,
        record.hash, record.body,
    )  # fmt: skip
    return written(entry)
