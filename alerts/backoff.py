"""When to try a delivery again, and when to give up. Pure module.

Standard Webhooks asks for retries over days with jitter: here about two and a half days in twelve attempts.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

DELAYS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600, 24 * 3600)
)
ATTEMPTS: Final = len(DELAYS) + 1
LONGEST_WISH: Final = timedelta(days=1)
# A channel that fails for this long without one success is disabled.
DISABLE_AFTER: Final = timedelta(days=3)
_JITTER: Final = 0.2


def next_attempt(attempts: int, *, now: datetime, chance: float, retry_after: timedelta | None) -> datetime | None:
    """When to try after `attempts` failures; None to give up. `chance` is uniform in [0, 1).

    The receiver's wish can only put the next attempt off, and by a day at most.
    """
    if attempts >= ATTEMPTS:
        return None
    delay = DELAYS[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    if retry_after is not None:
        delay = max(delay, min(retry_after, LONGEST_WISH))
    return now + delay


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """RFC 9110, section 10.2.3: seconds or a date; None for anything else."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(aware - now, timedelta(0))
