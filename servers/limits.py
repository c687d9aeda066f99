"""What one server may take of a gateway process, and what of it is looked at: time, bytes and places. Pure.

A hanging or greedy server then costs its own callers at most this, and callers of other servers nothing
(docs/gateway-limits.md). The bounds are the database's too (`servers/models.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from core import strictjson

CALLS_OF_ONE_SERVER: Final = 500  # at most, so that one server can never fill a process (`gateway.bulkhead`)
STREAMS_OF_ONE_SERVER: Final = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one observation; bytes, seconds and counts."""

    total_seconds: float = 30.0
    answer_seconds: float = 10.0
    probe_seconds: float = 5.0  # for `server/discover`, which an older server may leave unanswered
    answer_bytes: int = 16 * 1024 * 1024
    surface_values: int = 1_000_000  # brackets and commas of all answers: what they cost once they are parsed
    surface_bytes: int = 32 * 1024 * 1024  # all answers of one observation together
    item_bytes: int = 1024 * 1024
    name_bytes: int = 2048
    depth: int = strictjson.MAX_DEPTH
    events: int = 10_000  # of one stream, before the answer
    pages: int = 1000  # of one list
    items: int = 10_000  # of all lists


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The limits of one server, in each gateway process by itself; seconds and bytes (`MEANINGS`)."""

    connect_seconds: int = 5
    first_byte_seconds: int = 60
    idle_seconds: int = 60
    total_seconds: int = 300
    stream_seconds: int = 3600
    answer_bytes: int = 16 * 1024 * 1024
    concurrent_calls: int = 64
    concurrent_streams: int = 64


DEFAULTS: Final = CallLimits()
LIMITS: Final = tuple(field.name for field in fields(CallLimits))
BOUNDS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "connect_seconds": (1, 60),
        "first_byte_seconds": (1, 3600),
        "idle_seconds": (1, 3600),
        "total_seconds": (1, 3600),
        "stream_seconds": (10, 86_400),
        "answer_bytes": (4096, 64 * 1024 * 1024),
        "concurrent_calls": (1, CALLS_OF_ONE_SERVER),
        "concurrent_streams": (1, STREAMS_OF_ONE_SERVER),
    }
)
MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "connect_seconds": "Seconds until a connection must stand.",
        "first_byte_seconds": "Seconds from sending a call until its answer must begin.",
        "idle_seconds": "Seconds of silence within an answer that has begun.",
        "total_seconds": "Seconds that a whole call may take.",
        "stream_seconds": "Seconds that a stream of server messages may live.",
        "answer_bytes": "Bytes of one answer, or of one message of a stream.",
        "concurrent_calls": "Calls under way at once, in each gateway process.",
        "concurrent_streams": "Streams open at once, in each gateway process.",
    }
)
# Each of these is a part of a call, so none of them can be longer than a call.
WITHIN_TOTAL: Final = ("connect_seconds", "first_byte_seconds", "idle_seconds")


def misfits(given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with limits, as a sentence by field; empty when they fit. `given` has every name of `LIMITS`."""
    wrong = {name: _out_of_bounds(name) for name in LIMITS if not _fits(name, given[name])}
    if "total_seconds" in wrong:
        return wrong
    total = given["total_seconds"]
    for name in WITHIN_TOTAL:
        if name not in wrong and given[name] > total:
            wrong[name] = f"At most the {total} seconds that a whole call may take."
    return wrong


def _fits(name: str, value: Any) -> bool:
    low, high = BOUNDS[name]
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _out_of_bounds(name: str) -> str:
    low, high = BOUNDS[name]
    return f"A whole number from {low} to {high}."
