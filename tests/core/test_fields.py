"""A moment is read as browsers and people write it, and shown as a browser wants it back."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from core.fields import MomentField


@pytest.mark.parametrize("text", ["2026-11-29T08:30", "2026-11-29T08:30:00", "2026-11-29 08:30"])
def test_a_moment_is_read_as_utc(text: str) -> None:
    assert MomentField().clean(text) == datetime(2026, 11, 29, 8, 30, tzinfo=UTC)


def test_a_day_begins_at_midnight_and_is_written_for_the_browser() -> None:
    field = MomentField()
    found = field.clean("2026-11-29")
    assert found == datetime(2026, 11, 29, tzinfo=UTC)
    assert field.widget.format_value(found) == "2026-11-29T00:00"


@pytest.mark.parametrize("text", ["tomorrow", "29.11.2026", "2026-13-01", "08:30"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MomentField().clean(text)
