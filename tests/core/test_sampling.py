"""Strangers are sampled, and what was left out is counted."""

from core.sampling import Sampler


def test_only_so_many_are_admitted_in_a_window_and_the_next_window_says_how_many_were_not() -> None:
    sampler = Sampler(limit=2, window=60)
    assert [sampler.admit(now) for now in (0, 1, 2, 3, 59)] == [0, 0, None, None, None]
    assert [sampler.admit(now) for now in (60, 61, 62)] == [3, 0, None]
    assert sampler.admit(200) == 1


def test_what_stays_below_the_limit_is_never_left_out() -> None:
    sampler = Sampler(limit=2, window=60)
    assert [sampler.admit(now) for now in (0, 30, 60, 90)] == [0, 0, 0, 0]
