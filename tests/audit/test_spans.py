"""Where a time lies in the log."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import time_machine

from audit.spans import SLACK, id_at, shard_of_id, widening
from core.ids import new_id

MOMENT = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)


def test_an_id_tells_its_shard_and_lies_between_those_of_the_times_around_it() -> None:
    with time_machine.travel(MOMENT, tick=False):
        made = new_id()
    assert shard_of_id(made) == 202602
    assert id_at(MOMENT, timedelta()) <= made < id_at(MOMENT, timedelta(milliseconds=1))
    assert id_at(MOMENT, -SLACK) < made < id_at(MOMENT, SLACK)


@pytest.mark.parametrize("other", [uuid4(), UUID(int=0), UUID(int=2**128 - 1)])
def test_an_id_without_a_time_is_in_no_shard(other: UUID) -> None:
    assert shard_of_id(other) == 0


def test_what_lies_beyond_the_times_of_ids_has_the_first_or_the_last_one() -> None:
    assert id_at(datetime(1, 1, 1, tzinfo=UTC), -timedelta()) == UUID(int=0)
    assert id_at(datetime(9999, 12, 31, tzinfo=UTC), timedelta()) < UUID(int=2**128 - 1)


@pytest.mark.parametrize(
    ("shards", "spans"),
    [
        ([], []),
        ([202611], [(202611, 202611)]),
        ([202610, 202611], [(202611, 202611), (202610, 202610)]),
        (list(range(1, 10)), [(9, 9), (7, 8), (3, 6), (1, 2)]),
    ],
)
def test_spans_widen_from_the_last_shard_back_and_leave_none_out(
    shards: list[int], spans: list[tuple[int, int]]
) -> None:
    assert list(widening(shards)) == spans
