"""Public ids are UUIDv7."""

import os
import time
import uuid
from datetime import UTC, datetime, timedelta

import time_machine

from core.ids import new_id


def test_ids_are_version_7_and_sort_by_time() -> None:
    made = [new_id() for _ in range(50)]
    assert {identity.version for identity in made} == {7}
    assert {identity.variant for identity in made} == {uuid.RFC_4122}
    assert made == sorted(made)
    assert len(set(made)) == 50


def test_many_at_once_do_not_run_ahead_of_the_clock() -> None:
    before = time.time_ns() // 1_000_000
    made = [new_id() for _ in range(20_000)]
    after = time.time_ns() // 1_000_000
    assert made == sorted(made)
    assert before <= made[0].int >> 80 <= made[-1].int >> 80 <= after


def test_a_clock_that_is_set_back_is_followed_and_one_that_slips_is_not() -> None:
    noon = datetime(2040, 1, 1, 12, tzinfo=UTC)
    made = []
    for moment in (noon, noon - timedelta(seconds=5), noon - timedelta(hours=1)):
        with time_machine.travel(moment, tick=False):
            made.append(new_id())
    milliseconds = [identity.int >> 80 for identity in made]
    assert made[0] < made[1]
    assert milliseconds == [int(noon.timestamp() * 1000)] * 2 + [int(noon.timestamp() * 1000) - 3_600_000]


def test_a_forked_child_draws_no_numbers_of_its_parent() -> None:
    new_id()  # there is a stock now
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, new_id().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as told:
        os.close(theirs)
        assert told.read()[8:] not in [new_id().bytes[8:] for _ in range(1024)]
