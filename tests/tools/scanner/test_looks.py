"""How many places are looked at closely."""

import re

from tools.scanner.looks import SPOTS_MAX, Looks, Sought, spots, stretches

SOUGHT = Sought(re.compile(r"rm -[rf]"), ("rm -",), (4, 20))


def test_few_signs_are_all_found_in_order() -> None:
    looks = Looks()
    assert list(spots("b a b", ("a", "b", "c"), looks)) == [0, 2, 4]
    assert not looks.is_cut


def test_of_very_many_those_at_either_end_are_looked_at_and_that_is_said() -> None:
    looks = Looks()
    found = list(spots("ab" * 100, ("a",), looks))
    assert found == [*range(0, 2 * SPOTS_MAX, 2), *range(200 - 2 * SPOTS_MAX, 200, 2)]
    assert looks.is_cut


def test_as_many_as_are_looked_at_are_no_more_than_there_are() -> None:
    looks = Looks()
    assert len(list(spots("ab" * 2 * SPOTS_MAX, ("a",), looks))) == 2 * SPOTS_MAX
    assert not looks.is_cut


def test_what_overlaps_is_looked_at_once() -> None:
    assert list(stretches([0, 5, 100], 4, 20)) == [(0, 25), (96, 120)]


def test_a_thing_is_found_near_its_sign_wherever_that_stands() -> None:
    for text in ("rm -r", "x " * 400 + "rm -r" + " x" * 400, "rm -x " + "y " * 400 + "rm -f"):
        match = SOUGHT.first(text, Looks())
        assert match is not None
        assert match.start() == max(text.find("rm -r"), text.find("rm -f"))
    assert SOUGHT.first("rm -x" * 9, Looks()) is None


def test_no_more_is_looked_at_than_there_are_looks() -> None:
    looks = Looks(1)
    assert SOUGHT.first("rm -r", looks) is not None
    assert SOUGHT.first("rm -r", looks) is None
    assert looks.is_cut
