"""One word for what findings come to, without what is suppressed; an unfinished scan is no threat."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tools.risk import LEVELS, is_alarming, is_incomplete, is_known, level, together, worst

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    severity: str
    rule: str = "HF-101"
    suppressed_until: datetime | None = None
    field: str = "/description"
    evidence: str = "read it"


@pytest.mark.parametrize(
    ("score", "word"), [(0.0, "none"), (0.2, "low"), (0.4, "medium"), (0.75, "high"), (0.95, "critical")]
)
def test_the_score_says_the_word(score: float, word: str) -> None:
    assert level(score, [Found("low")]) == word


def test_what_was_scanned_before_scores_were_kept_is_as_bad_as_its_worst_finding() -> None:
    assert level(None, [Found("low"), Found("high")]) == "high"
    assert level(None, []) == "none"


def test_what_is_suppressed_does_not_count() -> None:
    assert level(0.95, [Found("medium"), Found("critical", suppressed_until=LATER)]) == "medium"
    assert level(0.95, [Found("critical", suppressed_until=LATER)]) == "none"


def test_an_unfinished_scan_is_said_beside_the_word() -> None:
    unfinished = [Found("high", rule="HF-000")]
    assert level(0.0, unfinished) == level(None, unfinished) == "none"
    assert is_incomplete(unfinished)
    assert not is_incomplete([Found("high")])


def test_a_server_is_as_bad_as_its_worst_definition() -> None:
    assert worst(["low", "critical", "none"]) == "critical"
    assert worst([]) == LEVELS[0] == "none"


def test_a_server_is_as_bad_as_the_worst_of_what_it_shows_and_of_itself() -> None:
    shown = [(0.2, [Found("low")]), (0.0, [])]
    assert together(shown).level == "low"
    assert together(shown, [Found("medium")]).level == "medium"
    assert together(shown, [Found("medium", suppressed_until=LATER)]).level == "low"
    unread = together([], [Found("high", rule="HF-000")])
    assert (unread.level, unread.incomplete, sum(unread.levels.values())) == ("none", 1, 0)


def test_only_the_very_same_finding_is_known_and_what_was_not_read_never_is() -> None:
    mine = Found("medium")
    assert is_known(mine, [Found("low"), Found("medium")])
    others = [Found("high"), Found("medium", rule="HF-102"), Found("medium", field="/title")]
    assert not is_known(mine, [*others, Found("medium", evidence="read all")])
    unread = Found("high", rule="HF-000")
    assert not is_known(unread, [unread])


def test_a_person_has_to_look_from_medium_on_and_at_what_was_not_read() -> None:
    assert [is_alarming(Found(severity)) for severity in LEVELS[1:]] == [False, True, True, True]
    assert is_alarming(Found("low", rule="HF-000"))
