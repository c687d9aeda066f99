"""What a written rule approves: exactly what it names, where it says, and never far from what people approved."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.surface import Kind
from tests.tools.test_measure import distance
from tools.classify import RISKS, Budget, ChangeClass, Risk
from tools.measure import BEYOND, NOTHING, Measured, measure
from tools.policies import (
    GRANTABLE,
    SENTENCES,
    TEXT_CEILING,
    TEXTUAL,
    Approves,
    Candidate,
    Declines,
    Reason,
    Rule,
    flaws,
    judge,
)

EQUIVALENT, WORDING = ChangeClass.INPUT_SCHEMA_EQUIVALENT, ChangeClass.WORDING
RULE = Rule(frozenset({EQUIVALENT}), frozenset({"development", "production"}))
WORDS = Rule(frozenset({WORDING}), frozenset({"development"}), text_max=20)
STEP = Measured(frozenset({EQUIVALENT}), 0)
CHANGE = Candidate("tool", "files", "production", frozenset({EQUIVALENT}), steps=(STEP, STEP))


def words(characters: int, *, since_people: int | None = None, environment: str = "development") -> Candidate:
    counted = (characters, characters if since_people is None else since_people)
    steps = tuple(Measured(frozenset({WORDING}), each) for each in counted)
    return Candidate("tool", "files", environment, frozenset({WORDING}), steps=steps)


def test_a_rule_approves_what_it_names() -> None:
    assert judge(RULE, CHANGE) == Approves(0)
    assert judge(WORDS, words(20)) == Approves(20)


def test_a_change_with_a_class_that_the_rule_does_not_name_is_declined() -> None:
    both = replace(CHANGE, change=frozenset({EQUIVALENT, WORDING}))
    assert judge(RULE, both) == Declines(Reason.CHANGE)
    hidden = replace(CHANGE, steps=(STEP, Measured(frozenset({EQUIVALENT, WORDING}), 0)))
    assert judge(RULE, hidden) == Declines(Reason.CHANGE)
    assert judge(RULE, replace(CHANGE, change=frozenset())) == Declines(Reason.CHANGE)


@pytest.mark.parametrize("cls", [cls for cls in ChangeClass if cls not in GRANTABLE])
def test_a_class_that_no_rule_may_name_is_declined_even_if_one_does(cls: ChangeClass) -> None:
    rule = Rule(frozenset({cls}), frozenset({"development"}), text_max=TEXT_CEILING)
    step = Measured(frozenset({cls}), 0)
    candidate = Candidate("tool", "files", "development", frozenset({cls}), steps=(step, step))
    assert "classes" in flaws(rule)
    assert judge(rule, candidate) == Declines(Reason.CHANGE)


def test_nothing_risky_and_nothing_unknown_may_be_named() -> None:
    never = {"new", "expired", "withdrawn", "other", "shown_differently", "icons", "meta", "instructions"}
    assert never.isdisjoint(GRANTABLE)
    assert all(RISKS[cls] is not Risk.HIGH for cls in GRANTABLE)
    assert not any("unknown" in cls or "widened" in cls or "loosened" in cls for cls in GRANTABLE)


@pytest.mark.parametrize("reason", list(Reason))
def test_whatever_speaks_against_it_is_enough(reason: Reason) -> None:
    assert judge(RULE, replace(CHANGE, against=frozenset({reason}))) == Declines(reason)
    assert SENTENCES[reason].endswith(".")


@pytest.mark.parametrize("steps", [(), (STEP,), (STEP, STEP, STEP)], ids=["none", "one", "three"])
def test_what_was_not_measured_twice_is_declined(steps: tuple[Measured, ...]) -> None:
    assert judge(RULE, replace(CHANGE, steps=steps)) == Declines(Reason.UNREAD)


@pytest.mark.parametrize(
    ("narrow", "fits"),
    [
        ({"kinds": frozenset({"tool"})}, True),
        ({"kinds": frozenset({"prompt"})}, False),
        ({"servers": frozenset({"files"})}, True),
        ({"servers": frozenset({"mail"})}, False),
        ({"environments": frozenset({"development"})}, False),
    ],
)
def test_a_rule_reaches_only_what_it_says(narrow: dict[str, Any], *, fits: bool) -> None:
    found = judge(replace(RULE, **narrow), CHANGE)
    assert found == (Approves(0) if fits else Declines(Reason.ELSEWHERE))


@pytest.mark.parametrize(("characters", "since_people"), [(21, 21), (1, 21), (21, 1), (BEYOND, 1)])
def test_both_what_is_pinned_and_what_people_approved_must_be_near(characters: int, since_people: int) -> None:
    assert judge(WORDS, words(characters, since_people=since_people)) == Declines(Reason.TEXT)


def test_going_back_to_what_people_approved_is_no_distance_from_it() -> None:
    steps = (Measured(frozenset({WORDING}), 20), NOTHING)
    assert judge(WORDS, replace(words(20), steps=steps)) == Approves(20)


def test_text_never_changes_outside_development_whatever_the_rule_says() -> None:
    wide = Rule(frozenset({WORDING}), frozenset({"development", "production"}), text_max=20)
    assert judge(wide, words(1, environment="production")) == Declines(Reason.TEXT)
    assert "environments" in flaws(wide)


def test_no_rule_allows_more_than_the_ceiling() -> None:
    greedy = replace(WORDS, text_max=10**9)
    assert judge(greedy, words(TEXT_CEILING)) == Approves(TEXT_CEILING)
    assert judge(greedy, words(TEXT_CEILING + 1)) == Declines(Reason.TEXT)
    assert "text_max" in flaws(greedy)


FLAWS: dict[str, tuple[dict[str, Any], str]] = {
    "no class": ({"classes": frozenset()}, "classes"),
    "no environment": ({"environments": frozenset()}, "environments"),
    "an unknown environment": ({"environments": frozenset({"moon"})}, "environments"),
    "an unknown kind": ({"kinds": frozenset({"thing"})}, "kinds"),
    "no slug": ({"servers": frozenset({"Not A Slug"})}, "servers"),
    "too many servers": ({"servers": frozenset(f"s{n}" for n in range(51))}, "servers"),
    "fewer than no characters": ({"text_max": -1}, "text_max"),
    "text without a limit": ({"classes": TEXTUAL, "environments": frozenset({"development"})}, "text_max"),
    "text in production": ({"text_max": 1}, "environments"),
}


@pytest.mark.parametrize(("values", "field"), FLAWS.values(), ids=FLAWS)
def test_a_flawed_rule_is_told_at_its_field(values: dict[str, Any], field: str) -> None:
    assert list(flaws(replace(RULE, **values))) == [field]


def test_sound_rules_have_no_flaws() -> None:
    assert flaws(RULE) == flaws(WORDS) == {}


texts = st.text(alphabet="ab ,.", max_size=40)


@given(st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=12), st.integers(0, 30))
@settings(max_examples=120, deadline=None)
def test_many_small_steps_never_add_up_to_a_large_one(observed: list[tuple[str, bool]], text_max: int) -> None:
    """Whatever is shown in turn, and whichever of it people approve, what a policy serves stays near people's."""
    rule = replace(WORDS, text_max=text_max)
    approved = served = "a plain reader, of files."
    for text, people_approve in observed:
        if text == served:
            continue
        steps = tuple(_measured(before, text) for before in (served, approved))
        candidate = Candidate("tool", "files", "development", steps[0].classes, steps=steps)
        if people_approve:
            approved = served = text
        elif isinstance(judge(rule, candidate), Approves):
            served = text
        assert distance(approved, served) <= text_max


def _measured(before: str, after: str) -> Measured:
    bodies = ({"name": "read", "description": text, "inputSchema": {"type": "object"}} for text in (before, after))
    return NOTHING if before == after else measure(Kind.TOOL, *bodies, budget=Budget(10))
