"""A server's state comes back from whom it was given to, for what it was given for, for an hour."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from gateway import jsonrpc
from gateway.errors import INVALID_PARAMS, Refused
from gateway.protocol import NotCarried
from gateway.rounds import LIFETIME, LONGEST, METHODS, Rounds
from tests.gateway.admitting import NOW, seal

PLACE = ("1|", "files")
CALL: dict[str, Any] = {"name": "read", "arguments": {"a": [1, {"b": 2}], "c": "x"}}
ABLE: dict[str, Any] = {"elicitation": {}, "roots": {}}
QUESTION: dict[str, Any] = {"method": "elicitation/create", "params": {"message": "Sure?"}}


def rounds(purpose: str = "request state") -> Rounds:
    """One process's."""
    return Rounds(seal(purpose, longest=LONGEST))


def asked(
    result: dict[str, Any], method: str = "tools/call", params: dict[str, Any] | None = None, able: Any = None
) -> dict[str, Any]:
    """What the client gets for a result that asks for input."""
    found = {"resultType": "input_required", **result}
    return rounds().sealed(found, method, CALL if params is None else params, PLACE, ABLE if able is None else able)


def state(value: str = "secret", method: str = "tools/call", params: dict[str, Any] | None = None) -> str:
    """A sealed state."""
    return str(asked({"requestState": value}, method, params)["requestState"])


def again(sealed: Any, method: str = "tools/call", place: tuple[str, ...] = PLACE, **params: Any) -> dict[str, Any]:
    """What goes to the server when the client comes back with a state."""
    return rounds().opened(method, {**CALL, **params, "requestState": sealed}, place)


def test_a_state_comes_back_as_the_server_gave_it_through_any_process() -> None:
    assert again(state("secret")) == {"requestState": "secret"}
    assert again(state("")) == {"requestState": ""}
    answered = rounds().opened("tools/call", {**CALL, "requestState": state(), "inputResponses": {"q": 1}}, PLACE)
    assert answered == {"requestState": "secret", "inputResponses": {"q": 1}}


def test_the_client_sees_nothing_of_a_state_and_all_else_that_was_sent() -> None:
    given = {"requestState": "secret", "inputRequests": {"q": QUESTION}, "_meta": {"x": 1}}
    sealed = asked(given)
    assert "secret" not in str(sealed)
    assert {**sealed, "requestState": "secret"} == {**given, "resultType": "input_required"}


CHANGED: dict[str, dict[str, Any]] = {
    "another principal": {"place": ("2|", "files")},
    "the same agent for a person": {"place": ("1|7", "files")},
    "another server": {"place": ("1|", "other")},
    "another tool": {"name": "write"},
    "other arguments": {"arguments": {"a": [1, {"b": 3}], "c": "x"}},
    "more arguments": {"arguments": {**CALL["arguments"], "d": None}},
    "another type of number": {"arguments": {"a": [True, {"b": 2}], "c": "x"}},
    "no arguments": {"arguments": {}},
    "another method": {"method": "prompts/get"},
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_state_does_not_return_for_anything_else_than_it_was_given_for(name: str) -> None:
    with pytest.raises(Refused, match="not one that was issued here") as refused:
        again(state(), **CHANGED[name])
    assert refused.value.code == INVALID_PARAMS


def test_a_resource_s_state_is_that_of_its_uri_whatever_else_is_said() -> None:
    """What policy judges is the URI, so a name beside it must not stand for it."""
    first, second = {"uri": "memo://1", "name": "x"}, {"uri": "memo://2", "name": "x"}
    sealed = state("secret", "resources/read", first)
    opened = rounds().opened("resources/read", {**first, "requestState": sealed}, PLACE)
    assert opened == {"requestState": "secret"}
    with pytest.raises(Refused):
        rounds().opened("resources/read", {**second, "requestState": sealed}, PLACE)


def test_a_tool_s_state_is_that_of_its_name_whatever_else_is_said() -> None:
    sealed = state("secret", params={**CALL, "uri": "a"})
    assert again(sealed, uri="b") == {"requestState": "secret"}


@pytest.mark.parametrize(
    "arguments", [{"c": "x", "a": [1, {"b": 2}]}, jsonrpc.parse_value(b'{ "c":"x", "a" : [1,{"b":2}] }')]
)
def test_arguments_are_the_same_in_whatever_order_they_are_written(arguments: dict[str, Any]) -> None:
    assert again(state(), arguments=arguments) == {"requestState": "secret"}


def test_no_arguments_are_the_same_however_they_are_left_out() -> None:
    sealed = state("secret", params={"name": "read"})
    assert again(sealed, arguments={}) == again(sealed, arguments=None) == {"requestState": "secret"}


@pytest.mark.parametrize("given", ["", "secret", "AAAA", "é", None, 1, {}, [], True, "A" * 300_000])
def test_what_was_never_sealed_here_is_no_state(given: Any) -> None:
    with pytest.raises(Refused, match="not one that was issued here"):
        again(given)


def test_what_was_sealed_for_something_else_is_no_state() -> None:
    sealed = seal("request state").close(b'["secret",99999999999]', *PLACE)
    other = rounds("task").sealed({"requestState": "secret"}, "tools/call", CALL, PLACE, ABLE)["requestState"]
    for each in (sealed, other):
        with pytest.raises(Refused):
            again(each)


def test_a_state_is_good_for_an_hour() -> None:
    with time_machine.travel(NOW, tick=False) as moment:
        sealed = state()
        moment.shift(timedelta(seconds=LIFETIME))
        assert again(sealed) == {"requestState": "secret"}
        moment.shift(timedelta(seconds=1))
        with pytest.raises(Refused):
            again(sealed)


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", "\x01", '"'])
def test_a_state_that_we_hand_out_can_come_back_however_it_is_written(letter: str) -> None:
    """Found at the very edge: the longest that is accepted opens, one more is not handed out."""
    low, high = 1, 65_537
    while low < high:
        length = (low + high) // 2
        try:
            state(letter * length)
            low = length + 1
        except NotCarried:
            high = length
    longest = letter * (low - 1)
    assert again(state(longest)) == {"requestState": longest}
    assert 10_000 < low - 1 <= 65_536


@pytest.mark.parametrize("value", ["x" * 65_537, 1, {}, [], True])
def test_a_state_that_is_no_text_or_endless_is_not_carried(value: Any) -> None:
    with pytest.raises(NotCarried):
        asked({"requestState": value})


@pytest.mark.parametrize("method", ["completion/complete", "tools/list", "tasks/get", "subscriptions/listen", ""])
def test_input_is_asked_for_only_where_the_protocol_has_a_place_for_it(method: str) -> None:
    with pytest.raises(NotCarried):
        asked({"requestState": "x"}, method)
    with pytest.raises(Refused):
        rounds().opened(method, {"inputResponses": {}}, PLACE)
    with pytest.raises(Refused):
        rounds().opened(method, {"requestState": state()}, PLACE)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_input_is_asked_for_by_every_method_that_may(method: str) -> None:
    assert asked({"inputRequests": {"q": QUESTION}}, method)["inputRequests"] == {"q": QUESTION}


def test_who_asks_says_for_what() -> None:
    with pytest.raises(NotCarried):
        asked({})
    assert asked({"inputRequests": {}}) == {"resultType": "input_required", "inputRequests": {}}


REQUESTS: list[Any] = [
    [],
    "elicitation/create",
    {"q": None},
    {"q": "elicitation/create"},
    {"q": {}},
    {"q": {"method": ["elicitation/create"]}},
    {"q": {"method": "sampling/createMessage"}},
    {"q": {"method": "tools/call"}},
    {"first": QUESTION, "q": {"method": "sampling/createMessage"}},
    {str(number): QUESTION for number in range(101)},
]


@pytest.mark.parametrize("requests", REQUESTS, ids=range(len(REQUESTS)))
@pytest.mark.parametrize("more", [{}, {"requestState": "x"}])
def test_a_client_is_asked_only_for_what_it_said_it_gives(requests: Any, more: dict[str, Any]) -> None:
    with pytest.raises(NotCarried):
        asked({"inputRequests": requests, **more})


def test_a_client_that_gives_nothing_is_asked_nothing() -> None:
    with pytest.raises(NotCarried):
        asked({"inputRequests": {"q": QUESTION}}, able={})
    assert asked({"requestState": "x"}, able={})["requestState"]


@pytest.mark.parametrize("answers", [None, [], "x", 1])
def test_answers_are_an_object(answers: Any) -> None:
    with pytest.raises(Refused, match="inputResponses must be an object"):
        rounds().opened("tools/call", {**CALL, "inputResponses": answers}, PLACE)


@pytest.mark.parametrize("params", [{}, CALL])
def test_a_request_that_continues_no_other_sends_nothing_of_one(params: dict[str, Any]) -> None:
    assert rounds().opened("tools/call", params, PLACE) == {}
