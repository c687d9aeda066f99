"""A server's limits as the bounds of one exchange with it."""

from dataclasses import replace
from functools import lru_cache

from core.wire import WireLimits
from servers.limits import CallLimits


@lru_cache(maxsize=1024)
def of_call(limits: CallLimits) -> WireLimits:
    """The bounds of one call and its answer, be that a stream or not."""
    return WireLimits(
        connect_seconds=limits.connect_seconds,
        head_seconds=limits.first_byte_seconds,
        idle_seconds=limits.idle_seconds,
        total_seconds=limits.total_seconds,
        lifetime_seconds=limits.total_seconds,
        body_bytes=limits.answer_bytes,
        event_bytes=limits.answer_bytes,
    )


@lru_cache(maxsize=1024)
def of_stream(limits: CallLimits) -> WireLimits:
    """The bounds of a stream that only waits for news: silent for as long as it lives."""
    seconds = limits.stream_seconds
    return replace(of_call(limits), lifetime_seconds=seconds, idle_seconds=seconds)
