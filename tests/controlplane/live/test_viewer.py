"""What waits for one stream is bounded, and what was left out is counted."""

import json
from typing import Any

from controlplane.live.viewer import ROOM, Viewer, Wish
from core.actor import ANONYMOUS


def viewer() -> Viewer:
    return Viewer(Wish(session="", proof="", person_id=1, actor=ANONYMOUS, language="en"), ANONYMOUS)


def taken(of: Viewer) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(of.take().removeprefix(b"data: ") or b"{}")
    return said


def test_who_reads_slower_than_calls_come_loses_the_oldest_and_is_told_how_many() -> None:
    slow = viewer()
    for number in range(ROOM + 5):
        slow.offer_row(str(number))
    said = taken(slow)
    assert said["calls"] == [str(number) for number in range(5, ROOM + 5)]
    assert said["left_out"] == 5
    assert taken(slow) == {}


def test_counts_are_told_when_they_differ_from_what_was_told() -> None:
    one = viewer()
    one.count({"inbox": 2})
    assert taken(one) == {"counts": {"inbox": 2}}
    one.count({"inbox": 2})
    assert taken(one) == {}
    one.count({"inbox": 0})
    assert taken(one) == {"counts": {"inbox": 0}}


def test_the_first_word_comes_to_who_has_nothing_to_count_too() -> None:
    one = viewer()
    one.count({})
    assert taken(one) == {"counts": {}}


def test_the_last_word_about_a_server_is_the_one_that_is_sent() -> None:
    one = viewer()
    one.show_health("files", "down")
    one.show_health("files", "up")
    assert taken(one) == {"health": {"files": "up"}}
