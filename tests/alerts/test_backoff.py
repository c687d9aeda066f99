"""Retries over days, with jitter, heeding the receiver."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.backoff import ATTEMPTS, DELAYS, next_attempt, parse_retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_retries_reach_over_days_and_then_end() -> None:
    moments = [NOW]
    for attempts in range(1, ATTEMPTS):
        again = next_attempt(attempts, now=moments[-1], chance=0.5, retry_after=None)
        assert again is not None
        moments.append(again)
    assert timedelta(days=2) < moments[-1] - NOW < timedelta(days=4)
    assert next_attempt(ATTEMPTS, now=NOW, chance=0.5, retry_after=None) is None


@pytest.mark.parametrize("attempts", range(1, ATTEMPTS))
def test_jitter_spreads_around_the_delay(attempts: int) -> None:
    early = next_attempt(attempts, now=NOW, chance=0.0, retry_after=None)
    late = next_attempt(attempts, now=NOW, chance=0.999, retry_after=None)
    assert early is not None
    assert late is not None
    assert early < NOW + DELAYS[attempts - 1] < late


@pytest.mark.parametrize(
    ("wish", "delay"),
    [
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(seconds=1), DELAYS[0]),
        (timedelta(days=300), timedelta(days=1)),
    ],
)
def test_the_receivers_wish_only_puts_off_and_by_a_day_at_most(wish: timedelta, delay: timedelta) -> None:
    assert next_attempt(1, now=NOW, chance=0.5, retry_after=wish) == NOW + delay


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("9" * 400, timedelta(seconds=10**8)),
        ("Sun, 22 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 22 Nov 2026 12:01:00 -0000", timedelta(minutes=1)),
        ("Sun, 22 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("-5", None),
        ("soon", None),
        ("\u0661", None),
        ("", None),
        (None, None),
        ("Sun, 99 Nov 2026 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: timedelta | None) -> None:
    assert parse_retry_after(value, now=NOW) == expected
