"""Counts of durations tell about what the durations would."""

from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.histogram import LONGEST, SIZE, counted, percentile, place_of

durations = st.lists(st.integers(0, LONGEST), min_size=1, max_size=200)


def test_places_rise_with_durations_and_none_is_left_out() -> None:
    places = [place_of(milliseconds) for milliseconds in range(1 << 16)]
    assert places == sorted(places)
    assert set(places) == set(range(places[-1] + 1))
    assert (place_of(-1), place_of(LONGEST), place_of(LONGEST * 2)) == (0, SIZE - 1, SIZE - 1)


@given(st.integers(0, LONGEST), st.sampled_from([0, 0.5, 0.95, 1]))
def test_one_duration_is_told_within_an_eighth(milliseconds: int, fraction: float) -> None:
    found = percentile(counted([milliseconds]), fraction)
    assert found is not None
    assert abs(found - milliseconds) <= milliseconds / 8


@given(durations)
def test_least_and_longest_are_told_within_an_eighth(given_durations: list[int]) -> None:
    counts = counted(given_durations)
    for fraction, expected in ((0, min(given_durations)), (1, max(given_durations))):
        found = percentile(counts, fraction)
        assert found is not None
        assert abs(found - expected) <= expected / 8


@pytest.mark.parametrize("fraction", [0.5, 0.95])
def test_of_many_the_percentiles_are_near(fraction: float) -> None:
    many = [number * number % 997 + 20 for number in range(5000)]
    expected = quantiles(many, n=100, method="inclusive")[round(fraction * 100) - 1]
    found = percentile(counted(many), fraction)
    assert found == pytest.approx(expected, rel=0.04)


def test_below_sixteen_milliseconds_nothing_is_rounded() -> None:
    assert percentile(counted([3, 7, 15]), 0.5) == 7


def test_nothing_has_no_percentile() -> None:
    assert percentile(counted([]), 0.5) is None
