"""What each side is told of the other, as truth tables."""

from typing import Any

import pytest

from gateway.capabilities import TASKS, has_tasks, may_ask, passed_on, presented, supports

EVERYTHING: dict[str, Any] = {
    "completions": {},
    "experimental": {"anything": {}},
    "extensions": {TASKS: {}, "example.org/x": {"a": 1}},
    "logging": {},
    "prompts": {"listChanged": True, "other": True},
    "resources": {"listChanged": True, "subscribe": True, "other": 1},
    "tasks": {"list": {}, "cancel": {}},
    "tools": {"listChanged": False},
    "unheard-of": {},
}
BOTH_ERAS = {
    "completions": {},
    "logging": {},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "tools": {"listChanged": False},
}


def test_of_an_approved_card_is_presented_what_the_era_knows() -> None:
    assert presented(EVERYTHING, [], modern=False) == BOTH_ERAS | {"tasks": {"list": {}, "cancel": {}}}
    assert presented(EVERYTHING, [], modern=True) == BOTH_ERAS | {"extensions": {TASKS: {}, "example.org/x": {"a": 1}}}


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("value", [None, True, 1, "yes", [], [{}]])
def test_a_capability_that_is_no_object_is_none(value: Any, *, modern: bool) -> None:
    assert presented(dict.fromkeys(EVERYTHING, value), ["tool"], modern=modern) == {}


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([], {}),
        (["tool"], {"tools": {}}),
        (["prompt", "resource"], {"prompts": {}, "resources": {}}),
        (["template"], {"resources": {}}),
        (["card", "something"], {}),
    ],
)
def test_without_an_approved_card_a_server_can_do_what_it_has_and_tells_of_no_change(
    kinds: list[str], found: dict[str, Any]
) -> None:
    assert presented(None, kinds, modern=True) == presented(None, kinds, modern=False) == found


def test_what_is_presented_is_nobody_elses_to_change() -> None:
    approved = {"tools": {"listChanged": True}, "logging": {}}
    found = presented(approved, [], modern=True)
    found["tools"]["x"] = found["logging"]["x"] = 1
    assert approved == {"tools": {"listChanged": True}, "logging": {}}


# Method, and what a server must be presented with for it to be supported.
NEEDED: dict[str, dict[str, Any]] = {
    "completion/complete": {"completions": {}},
    "logging/setLevel": {"logging": {}},
    "prompts/get": {"prompts": {}},
    "prompts/list": {"prompts": {}},
    "resources/list": {"resources": {}},
    "resources/read": {"resources": {}},
    "resources/subscribe": {"resources": {"subscribe": True}},
    "resources/templates/list": {"resources": {}},
    "resources/unsubscribe": {"resources": {"subscribe": True}},
    "tools/call": {"tools": {}},
    "tools/list": {"tools": {}},
}
# Capabilities, and what they support in either era.
OF_ONE: list[dict[str, Any]] = [
    {"completions": {}},
    {"logging": {}},
    {"prompts": {}},
    {"resources": {}},
    {"resources": {"subscribe": True}},
    {"tools": {}},
]


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("method", NEEDED)
def test_a_method_is_supported_by_its_capability_and_no_other(method: str, *, modern: bool) -> None:
    needed = NEEDED[method]
    (name,) = needed
    for able in OF_ONE:
        fits = name in able and needed[name].items() <= able[name].items()
        assert supports(able, method, modern=modern) is fits, able
    assert not supports({}, method, modern=modern)


@pytest.mark.parametrize("flag", [False, None, 1, "true", {}])
def test_a_flag_is_set_only_by_true(flag: Any) -> None:
    assert not supports({"resources": {"subscribe": flag}}, "resources/subscribe", modern=False)


@pytest.mark.parametrize("method", ["ping", "initialize", "server/discover", "subscriptions/listen", "GET", "response"])
def test_what_the_protocol_itself_asks_for_everybody_supports(method: str) -> None:
    assert supports({}, method, modern=True)
    assert supports({}, method, modern=False)


# Capabilities, and whether they hold tasks in the modern and in the handshake era.
TASKED: list[tuple[dict[str, Any], bool, bool]] = [
    ({}, False, False),
    ({"tasks": {}}, False, True),
    ({"extensions": {TASKS: {}}}, True, False),
    ({"extensions": {TASKS: {}}, "tasks": {}}, True, True),
    ({"extensions": {"example.org/tasks": {}}}, False, False),
    ({"extensions": None}, False, False),
    ({"extensions": [TASKS]}, False, False),
    ({"extensions": TASKS}, False, False),
]


@pytest.mark.parametrize(("capabilities", "modern", "handshake"), TASKED)
@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/result", "tasks/update", "tasks/list"])
def test_tasks_are_an_extension_in_one_era_and_a_capability_in_the_other(
    capabilities: dict[str, Any], method: str, *, modern: bool, handshake: bool
) -> None:
    assert has_tasks(capabilities, modern=True) is modern
    assert has_tasks(capabilities, modern=False) is handshake
    assert supports(capabilities, method, modern=True) is modern
    assert supports(capabilities, method, modern=False) is handshake


ASKED = {"elicitation": {"form": {}, "url": {}}, "roots": {"listChanged": True}, "sampling": {"tools": {}}}


@pytest.mark.parametrize(
    ("declared", "server", "found"),
    [
        (ASKED, {}, ASKED),
        ({**ASKED, "experimental": {"x": {}}, "unheard-of": {}}, {}, ASKED),
        ({"roots": True, "sampling": None, "elicitation": []}, {}, {}),
        ({"tasks": {"list": {}}}, {}, {}),
        ({"tasks": {"list": {}}}, {"tasks": {}}, {"tasks": {"list": {}}}),
        ({"tasks": True}, {"tasks": {}}, {}),
        ({"extensions": {TASKS: {}, "b": {}}}, {"extensions": {TASKS: {}, "c": {}}}, {"extensions": {TASKS: {}}}),
        ({"extensions": {"b": {}}}, {"extensions": {"c": {}}}, {}),
        ({"extensions": {"b": {}}}, {}, {}),
        ({"extensions": ["b"]}, {"extensions": {"b": {}}}, {}),
        (None, EVERYTHING, {}),
        ([], EVERYTHING, {}),
        ("sampling", EVERYTHING, {}),
    ],
)
def test_a_server_is_told_what_it_may_ask_of_a_client_and_what_both_have(
    declared: Any, server: dict[str, Any], found: dict[str, Any]
) -> None:
    assert passed_on(declared, server) == found


@pytest.mark.parametrize(
    ("method", "needed"),
    [("elicitation/create", "elicitation"), ("roots/list", "roots"), ("sampling/createMessage", "sampling")],
)
def test_a_client_is_asked_only_for_what_it_said_it_gives(method: str, needed: str) -> None:
    everything: dict[str, Any] = {**ASKED, "tasks": {}, "extensions": {}}
    assert may_ask(method, {needed: {}})
    assert not may_ask(method, {name: {} for name in everything if name != needed})
    assert not may_ask(method, {})


@pytest.mark.parametrize("method", ["", "ping", "tools/call", "sampling", "elicitation", "tasks/get", "roots/LIST"])
def test_a_client_is_asked_for_nothing_else(method: str) -> None:
    assert not may_ask(method, {**ASKED, "tasks": {}, method: {}})
