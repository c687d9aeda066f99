"""Conditions: what may be written, when they hold, and that nothing unknown ever does."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.conditions import DAYS, NETWORKS_MAX, NEVER, Conditions, checked, read
from core.errors import Invalid

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
OFFICE: dict[str, Any] = {"hours": {"days": ["mon", "tue"], "from": "08:00", "to": "18:00"}}
INSIDE: dict[str, Any] = {"networks": ["10.0.0.0/8", "2001:db8::/32"]}


def conditions(stored: Any) -> Conditions:
    found = read(stored)
    assert found is not None
    return found


def test_a_grant_without_conditions_has_none() -> None:
    assert read({}) is None


@pytest.mark.parametrize(
    ("minutes", "holds"),
    [(8 * 60 - 1, False), (8 * 60, True), (18 * 60 - 1, True), (18 * 60, False), (24 * 60 + 9 * 60, True),
     (48 * 60 + 9 * 60, False), (7 * 24 * 60 + 9 * 60, True)],
)  # fmt: skip
def test_hours_hold_from_their_first_minute_to_the_one_before_their_last(minutes: int, holds: int) -> None:
    assert conditions(OFFICE).hold(MONDAY + timedelta(minutes=minutes), "") == holds


def test_hours_are_those_of_utc_wherever_the_clock_is_read() -> None:
    there = datetime(2026, 11, 23, 20, 0, tzinfo=timezone(timedelta(hours=9)))  # 11:00 UTC
    assert conditions(OFFICE).hold(there, "")
    assert not conditions(OFFICE).hold(datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=9))), "")


def test_hours_without_days_hold_every_day_and_may_last_until_midnight() -> None:
    late = conditions({"hours": {"from": "22:00", "to": "24:00"}})
    assert all(late.hold(MONDAY + timedelta(days=day, hours=23, minutes=59), "") for day in range(7))


@pytest.mark.parametrize(
    ("client_ip", "holds"),
    [("10.1.2.3", True), ("11.0.0.1", False), ("2001:db8::1", True), ("2001:db9::1", False), ("::ffff:10.0.0.1", True),
     ("::ffff:11.0.0.1", False), ("", False), ("unix", False), ("10.1.2.3\0", False), ("10.1.2.3, 10.1.2.3", False)],
)  # fmt: skip
def test_a_network_holds_for_the_addresses_in_it_and_for_no_unknown_one(client_ip: str, holds: int) -> None:
    assert conditions(INSIDE).hold(MONDAY, client_ip) == holds


def test_all_conditions_must_hold() -> None:
    both = conditions({**OFFICE, **INSIDE})
    noon, night = MONDAY + timedelta(hours=12), MONDAY
    assert both.hold(noon, "10.0.0.1")
    assert not both.hold(night, "10.0.0.1")
    assert not both.hold(noon, "192.0.2.1")


def test_what_is_checked_is_stored_in_one_form() -> None:
    wanted = {
        "networks": ["2001:DB8::/32", "10.0.0.0/8", "192.0.2.7"],
        "hours": {"days": ["tue", "mon", "tue"], "from": "08:00", "to": "24:00"},
    }
    assert checked(wanted) == {
        "networks": ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"],
        "hours": {"days": ["mon", "tue"], "from": "08:00", "to": "24:00"},
    }
    assert checked({"hours": {"from": "00:00", "to": "00:01"}})["hours"]["days"] == list(DAYS)


REFUSED: tuple[Any, ...] = (
    None,
    [],
    "networks",
    {"moon": "full"},
    {**INSIDE, "moon": "full"},
    {"networks": []},
    {"networks": "10.0.0.0/8"},
    {"networks": [10]},
    {"networks": [None]},
    {"networks": ["10.0.0.1/8"]},
    {"networks": ["ten"]},
    {"networks": ["10.0.0.0/8" + " " * 99]},
    {"networks": ["\0"]},
    {"networks": ["10.0.0.0/8"] * (NETWORKS_MAX + 1)},
    {"networks": None},
    {"hours": None},
    {"hours": []},
    {"hours": {}},
    {"hours": {"from": "08:00"}},
    {"hours": {"from": "18:00", "to": "08:00"}},
    {"hours": {"from": "08:00", "to": "08:00"}},
    {"hours": {"from": "8:00", "to": "18:00"}},
    {"hours": {"from": "08:00", "to": "24:01"}},
    {"hours": {"from": "08:00", "to": "18:00\n"}},
    {"hours": {"from": "\u0660\u0668:\u0660\u0660", "to": "18:00"}},
    {"hours": {"from": 8, "to": 18}},
    {"hours": {"days": [], "from": "08:00", "to": "18:00"}},
    {"hours": {"days": ["monday"], "from": "08:00", "to": "18:00"}},
    {"hours": {"days": [["mon"]], "from": "08:00", "to": "18:00"}},
    {"hours": {"days": "mon", "from": "08:00", "to": "18:00"}},
    {"hours": {"from": "08:00", "to": "18:00", "zone": "CET"}},
)


@pytest.mark.parametrize("wanted", REFUSED, ids=repr)
def test_what_does_not_fit_is_refused_at_its_field_and_never_holds_where_it_is_stored(wanted: Any) -> None:
    with pytest.raises(Invalid) as refused:
        checked(wanted)
    assert refused.value.field == "conditions"
    assert read(wanted) is NEVER
    assert not any(NEVER.hold(MONDAY + timedelta(hours=hour), "10.0.0.1") for hour in range(24 * 7))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["networks", "hours", "days", "from", "to", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_no_stored_value_whatever_breaks_the_reading_of_grants(stored: Any) -> None:
    found = read(stored)
    assert found is not None or stored == {}
    if found is not None and found.understood:
        assert read(checked(stored)) == found, "one form, which reads as the same"
