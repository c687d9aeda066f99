import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.redaction import (
    DROPPED,
    MASKED,
    NOTHING,
    Capture,
    Do,
    Fields,
    Rule,
    capture_of,
    plain,
    redacted,
)

PERSON = {"arguments": {"name": "ada", "cards": [{"no": "4111", "ok": True}, {"no": "4222", "ok": False}], "a/b": 1}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def digest(value: Any) -> str:
    return f"of {value}"


def kept(value: Any, *rules: tuple[str, Do], otherwise: Do = Do.ENCRYPT) -> Any:
    lines = tuple(Rule("arguments", pointer, do) for pointer, do in rules)
    return redacted(value, Capture(True, True, otherwise, lines).of("arguments", "any"), digest)


def test_each_policy_does_what_it_says_to_the_field_that_is_named() -> None:
    def name(do: Do) -> Any:
        return kept(PERSON, ("/arguments/name", do))["arguments"].get("name")

    assert [name(do) for do in (Do.DROP, Do.MASK, Do.HMAC, Do.ENCRYPT)] == [None, MASKED, "[hmac: of ada]", "ada"]


def test_a_star_names_every_item_and_every_member() -> None:
    found = kept(PERSON, ("/arguments/cards/*/no", Do.MASK))["arguments"]
    assert found["cards"] == [{"no": MASKED, "ok": True}, {"no": MASKED, "ok": False}]
    assert set(kept(PERSON, ("/arguments/*", Do.MASK))["arguments"].values()) == {MASKED}
    assert kept(PERSON, ("/arguments/cards/1", Do.DROP))["arguments"]["cards"] == PERSON["arguments"]["cards"][:1]  # type: ignore[index]


def test_the_first_rule_that_names_a_field_decides() -> None:
    spared = kept(PERSON, ("/arguments/name", Do.ENCRYPT), ("/arguments", Do.DROP))
    assert spared == {"arguments": {"name": "ada"}}
    assert kept(PERSON, ("/arguments", Do.DROP), ("/arguments/name", Do.ENCRYPT)) == {}


def test_what_no_rule_names_is_treated_as_otherwise_says() -> None:
    assert kept(PERSON, otherwise=Do.DROP) is DROPPED
    assert kept(PERSON, otherwise=Do.MASK) == MASKED
    found = kept(PERSON, ("/arguments/name", Do.ENCRYPT), otherwise=Do.MASK)["arguments"]
    assert found == {"name": "ada", "cards": MASKED, "a/b": MASKED}


def test_a_pointer_may_name_any_member() -> None:
    assert kept(PERSON, ("/arguments/a~1b", Do.MASK))["arguments"]["a/b"] == MASKED
    assert kept({"~": 1}, ("/~0", Do.MASK)) == {"~": MASKED}
    assert kept(PERSON, ("", Do.MASK)) == MASKED


def test_a_rule_holds_for_its_tool_and_its_part() -> None:
    capture = Capture(True, True, rules=(Rule("result", "/x", Do.DROP, tool="search"),))
    assert capture.of("result", "search").rules == ((("x",), Do.DROP),)
    assert capture.of("result", "other").rules == capture.of("arguments", "search").rules == ()


@given(value=JSON, pointer=st.lists(st.text(max_size=3) | st.just("*"), max_size=3), do=st.sampled_from(Do))
def test_no_policy_changes_what_it_was_given(value: Any, pointer: list[str], do: Do) -> None:
    before = copy.deepcopy(value)
    found = redacted(value, Fields(((tuple(pointer), do),), Do.ENCRYPT), digest)
    assert value == before
    if do is Do.ENCRYPT:
        assert found is value


@given(value=JSON)
def test_nothing_of_what_is_dropped_is_left(value: Any) -> None:
    found = redacted({"kept": 1, "gone": value}, Fields(((("gone",), Do.DROP),), Do.ENCRYPT), digest)
    assert found == {"kept": 1}


def test_nothing_is_kept_unless_somebody_says_so() -> None:
    assert capture_of({}) == NOTHING
    assert plain(NOTHING) == {}
    assert (NOTHING.arguments, NOTHING.result) == (False, False)


def test_a_setting_is_read_back_as_it_was_written() -> None:
    rules = (Rule("arguments", "/arguments/q", Do.HMAC, tool="search"),)
    setting = Capture(True, False, Do.MASK, rules)
    assert capture_of(plain(setting)) == setting


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        "encrypt",
        {"keep": True},
        {"arguments": "yes"},
        {"otherwise": "plain"},
        {"rules": [{"part": "arguments", "pointer": "name", "do": "drop"}]},
        {"rules": [{"part": "headers", "pointer": "/name", "do": "drop"}]},
        {"rules": [{"part": "result", "pointer": "/name"}]},
        {"rules": [{"part": "result", "pointer": "/" + "x" * 500, "do": "drop"}]},
        {"rules": [{"part": "result", "pointer": "/x", "do": "drop"}] * 65},
    ],
)
def test_what_is_no_setting_is_refused_with_a_sentence(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        capture_of(wrong)
