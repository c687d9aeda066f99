"""The official conformance suite: full marks directly, and the same through the gateway."""

import json

import pytest

from tests.conformance import suite as official
from tests.conformance.suite import REVISIONS, Scenario, Score, Suite

pytestmark = pytest.mark.conformance

REQUIRED = {"2025-11-25": 30, "2026-07-28": 37}
# The only scenario that the suite itself leaves out: it waits for a rewrite there.
LEFT_OUT = {"tasks-status-notifications"}


@pytest.fixture(scope="module")
def direct(suite: Suite, everything: str) -> dict[str, Score]:
    """How the everything server scores with nothing in between."""
    return {revision: official.run(suite, everything, revision) for revision in REVISIONS}


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_everything_server_has_full_marks_and_all_that_is_not_scored(
    revision: str, direct: dict[str, Score]
) -> None:
    score = direct[revision]
    assert not score.failing
    assert score.passed == REQUIRED[revision]
    assert not [each for each in score.unscored if not each.passed]
    silent = {each.name for each in (*score.required, *score.unscored) if not each.succeeded}
    assert silent <= LEFT_OUT


@pytest.mark.parametrize("revision", REVISIONS)
def test_through_the_gateway_nothing_of_it_is_lost(
    revision: str, direct: dict[str, Score], suite: Suite, relayed: str
) -> None:
    through = official.run(suite, relayed, revision)
    said = "\n".join(through.lines())
    assert not through.failing, said
    assert through.passed == REQUIRED[revision], said
    # Scored or not, what failed or warned is no more than directly, to the single check.
    assert not direct[revision].lost(through), said
    assert {each.name for each in through.unscored if not each.passed} <= {
        each.name for each in direct[revision].unscored if not each.passed
    }, said


def _score(*scenarios: Scenario) -> Score:
    return Score("2025-11-25", scenarios, ())


def test_a_scenario_that_did_not_run_has_not_passed() -> None:
    score = _score(Scenario("ping", frozenset({"ping"})), Scenario("tools-list", ran=False))
    assert (score.passed, score.failing) == (1, {"tools-list": {}})
    assert "  FAIL tools-list: did not run" in list(score.lines())


def test_what_warned_or_is_missing_is_lost_and_another_good_answer_is_not() -> None:
    here = _score(Scenario("ping", frozenset({"one", "two", "three", "four"})))
    there = _score(Scenario("ping", frozenset({"one"}), noted=frozenset({"three"}), warned={"two": "should"}))
    assert here.lost(there) == {"ping: two": "should", "ping: four": "not observed"}
    assert not there.lost(here)


def test_the_command_prints_the_score_and_says_by_its_exit_whether_all_passed(
    suite: Suite, everything: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert official.main([everything, "--revision", "2025-11-25", "--token", "any", "--json"]) == 0
    (score,) = json.loads(capsys.readouterr().out)
    assert len(score["required"]) == REQUIRED["2025-11-25"]


def test_a_server_that_lacks_things_does_not_score(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.fixtures_mcp.processes import honest_server

    with honest_server() as server:
        assert official.main([server.url, "--revision", "2025-11-25"]) == 1
    assert "FAIL completion-complete" in capsys.readouterr().out
