"""A server's limits are the bounds of what is exchanged with it."""

from core.wire import WireLimits
from gateway.bounds import of_call, of_stream
from servers.limits import DEFAULTS, CallLimits

# Each another number, so that none is taken for another.
LIMITS = CallLimits(
    connect_seconds=1, first_byte_seconds=2, idle_seconds=3, total_seconds=4, stream_seconds=50, answer_bytes=6000,
    concurrent_calls=7, concurrent_streams=8,
)  # fmt: skip


def test_a_call_is_bounded_in_every_part_and_as_a_whole_be_its_answer_a_stream_or_not() -> None:
    assert of_call(LIMITS) == WireLimits(
        connect_seconds=1, head_seconds=2, idle_seconds=3, total_seconds=4, lifetime_seconds=4, body_bytes=6000,
        event_bytes=6000,
    )  # fmt: skip


def test_a_stream_that_waits_for_news_may_be_silent_for_as_long_as_it_lives() -> None:
    assert of_stream(LIMITS) == WireLimits(
        connect_seconds=1, head_seconds=2, idle_seconds=50, total_seconds=4, lifetime_seconds=50, body_bytes=6000,
        event_bytes=6000,
    )  # fmt: skip


def test_bounds_of_the_same_limits_are_made_once() -> None:
    assert of_call(DEFAULTS) is of_call(CallLimits())
    assert of_stream(DEFAULTS) is of_stream(CallLimits())
    assert of_call(DEFAULTS) != of_call(LIMITS)
