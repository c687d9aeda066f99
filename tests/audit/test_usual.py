"""What is usual is encoded as the canonical way encodes it, and what is not is left to that."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.usual import Memory, encoder, memory, moment
from audit.wire import BIG, TIME, sized
from core.canonical import canonical_bytes


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100))
def test_a_text_stands_in_the_body_in_canonical_form_and_in_its_column_as_it_is(text: str) -> None:
    member, value = memory("tool").encode(text)[0]
    assert member == (b'"tool":%b,' % canonical_bytes(text) if text else b"")
    assert value == sized(text.encode())


@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 513, "\u00fc" * 257, 7, None])
def test_a_text_that_no_column_holds_as_it_is_is_unusual(text: object) -> None:
    with pytest.raises(ValueError, match=r"unusual|surrogates"):
        memory("tool").encode(text)


ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-4))])


@given(st.datetimes(timezones=ZONES).filter(lambda time: 1000 < time.year < 9999))
def test_a_moment_is_its_second_its_microsecond_and_the_columns_value(time: datetime) -> None:
    second, microsecond, value = moment(time)
    shown = b"%b.%06dZ" % (second, microsecond)
    assert shown.decode() == time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert value == sized(TIME.encode(time))


def test_what_is_beyond_exact_numbers_and_early_years_are_unusual() -> None:
    assert encoder("bytes")(2**53 - 1) == (b'"bytes":9007199254740991,', sized(BIG(2**53 - 1)))
    for name, value in (("bytes", 2**53), ("latency_ms", -1), ("time", datetime(999, 1, 1, tzinfo=UTC))):
        with pytest.raises(ValueError, match="unusual"):
            encoder(name)(value)


def test_a_text_that_is_worth_remembering_is_remembered() -> None:
    texts: Memory = memory("tool")
    assert texts["read"] is texts["read"]
    assert "x" * 200 not in texts | {"": texts["x" * 200]}
