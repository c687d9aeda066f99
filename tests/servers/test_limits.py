"""The limits of a server: which fit, and what is said of those that do not."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from servers.limits import BOUNDS, DEFAULTS, LIMITS, MEANINGS, WITHIN_TOTAL, misfits

ROOMY = {name: high for name, (_, high) in BOUNDS.items()}


def test_the_defaults_fit() -> None:
    assert misfits(asdict(DEFAULTS)) == {}


def test_every_limit_has_bounds_and_a_meaning() -> None:
    assert set(BOUNDS) == set(MEANINGS) == set(LIMITS)


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_fits_at_its_bounds_and_not_beyond(name: str) -> None:
    low, high = BOUNDS[name]
    others = {**ROOMY, **dict.fromkeys(WITHIN_TOTAL, 1)} if name == "total_seconds" else ROOMY
    for value in (low, high):
        assert misfits({**others, name: value}) == {}
    for value in (low - 1, high + 1, -low, 0):
        assert misfits({**others, name: value}) == {name: f"A whole number from {low} to {high}."}


@pytest.mark.parametrize("value", [None, True, "60", 60.0, float("nan"), [60]])
def test_only_whole_numbers_are_limits(value: Any) -> None:
    assert list(misfits({**ROOMY, "idle_seconds": value})) == ["idle_seconds"]


@pytest.mark.parametrize("name", WITHIN_TOTAL)
def test_no_part_of_a_call_may_last_longer_than_the_call(name: str) -> None:
    short = {**ROOMY, **dict.fromkeys(WITHIN_TOTAL, 30), "total_seconds": 30}
    assert misfits(short) == {}
    assert misfits({**short, name: 31}) == {name: "At most the 30 seconds that a whole call may take."}


def test_everything_that_is_wrong_is_said_at_once() -> None:
    given = {**ROOMY, "connect_seconds": 0, "first_byte_seconds": 40, "idle_seconds": "x", "total_seconds": 30}
    assert list(misfits(given)) == ["connect_seconds", "idle_seconds", "first_byte_seconds"]


def test_against_a_total_that_does_not_fit_nothing_is_measured() -> None:
    assert list(misfits({**ROOMY, "total_seconds": 0})) == ["total_seconds"]


def test_the_page_about_limits_says_the_same() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "gateway-limits.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:5]] for line in page.splitlines() if line.startswith("| `")]
    told = {name.strip("`"): [int(number.partition(" ")[0]) for number in numbers] for name, *numbers in rows}
    assert told == {name: [getattr(DEFAULTS, name), *BOUNDS[name]] for name in LIMITS}
