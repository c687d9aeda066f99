"""What the log is searched by, read from text: what fits, what does not, and that it stays the same when kept."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.api.serializers import RecordFilters
from audit.filters import FILTERS, LONGEST, Filters, read_filters
from audit.forms import RecordFilterForm
from core.errors import Invalid

CALL = UUID("01932c00-0000-7000-8000-00000000000a")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, Filters()),
        ({"server": "", "since": " "}, Filters()),
        ({"server": " files "}, Filters(server="files")),
        ({"tool": " files/read "}, Filters(tool=" files/read ")),
        ({"call_id": CALL.hex.upper()}, Filters(call_id=CALL)),
        ({"trace_id": "4BF92F3577B34DA6A3CE929D0E0E4736"}, Filters(trace_id="4bf92f3577b34da6a3ce929d0e0e4736")),
        ({"since": "2026-11-28"}, Filters(since=datetime(2026, 11, 28, tzinfo=UTC))),
        ({"until": "2026-11-28T09:30"}, Filters(until=datetime(2026, 11, 28, 9, 30, tzinfo=UTC))),
        ({"until": "2026-11-28 09:30:01.5+02:00"}, Filters(until=datetime(2026, 11, 28, 7, 30, 1, 500000, tzinfo=UTC))),
        ({"intention": "\U0001f600 report"}, Filters(intention="\U0001f600 report")),
    ],
)
def test_what_fits_is_read(given: dict[str, str], meant: Filters) -> None:
    assert read_filters(given) == meant
    assert bool(meant) == bool(meant.canonical())


@pytest.mark.parametrize(
    "given",
    [
        {"colour": "red"},
        {"type": "gossip"},
        {"event": "call.dreamt"},
        {"decision": "perhaps"},
        {"intention": "!!! \U0001f600"},
        {"since": "yesterday"},
        {"since": "20261128"},
        {"since": "2026-W48-6"},
        {"since": "2026-02-30"},
        {"since": "\u0662\u0660\u0662\u0666-11-28"},
        {"until": "0001-01-01T00:00+14:00"},
        {"call_id": "12"},
        {"trace_id": "12"},
        {"server": "a\0b"},
        {"tool": "\ud800"},
        {"reason": "x" * (LONGEST + 1)},
        {"agent": 7},
    ],
)
def test_what_does_not_fit_is_said_with_its_name(given: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refusal:
        read_filters(given)
    assert refusal.value.details.keys() == given.keys()


def test_every_slip_is_said_at_once_and_a_time_does_not_end_before_it_begins() -> None:
    with pytest.raises(Invalid) as refusal:
        read_filters({"type": "gossip", "since": "2026-11-28", "until": "2026-11-28"})
    assert refusal.value.details.keys() == {"type", "until"}


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- see timezones


@given(
    st.builds(
        Filters, principal=_TEXT.map(str.strip), tool=_TEXT, reason=_TEXT.map(str.strip), since=st.none() | _MOMENT,
        call_id=st.none() | st.uuids(), decision=st.sampled_from(["", "denied"]), event=st.sampled_from(["", "pin.set"]),
    )
)  # fmt: skip
def test_what_is_kept_is_read_as_the_same(filters: Filters) -> None:
    kept = filters.canonical()
    assert read_filters(kept) == filters
    assert read_filters(kept).canonical() == kept


def test_the_form_and_the_api_know_the_same_filters() -> None:
    assert set(RecordFilters().fields) == set(RecordFilterForm().fields) == set(FILTERS)


@pytest.mark.parametrize("after", [timedelta(0), timedelta(seconds=5), timedelta(milliseconds=5)])
def test_the_form_shows_a_moment_as_a_browser_would_have_written_it(after: timedelta) -> None:
    moment = datetime(2026, 11, 28, 9, 30, tzinfo=UTC) + after
    form = RecordFilterForm(Filters(since=moment).canonical())
    assert form.is_valid()
    (shown,) = [part for part in str(form["since"]).split() if part.startswith("value=")]
    assert read_filters({"since": shown.removeprefix("value=").strip('">')}).since == moment
