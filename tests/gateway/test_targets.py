"""What a request is about: exactly one definition, none, or a refusal."""

from typing import Any

import pytest

from gateway.errors import INVALID_PARAMS, Refused
from gateway.targets import Target, target

ABOUT: list[tuple[str, dict[str, Any], Target | None]] = [
    ("tools/call", {"name": "echo"}, Target("tool", "echo")),
    ("tools/call", {"name": "echo", "uri": "memo://1"}, Target("tool", "echo")),
    ("prompts/get", {"name": "greet"}, Target("prompt", "greet")),
    ("resources/read", {"uri": "memo://1"}, Target("resource", "memo://1")),
    ("resources/read", {"uri": "memo://1", "name": "memo://2"}, Target("resource", "memo://1")),
    ("resources/subscribe", {"uri": "memo://1"}, Target("resource", "memo://1")),
    ("resources/unsubscribe", {"uri": "memo://1"}, Target("resource", "memo://1")),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}}, Target("prompt", "greet")),
    ("completion/complete", {"ref": {"type": "ref/resource", "uri": "memo://{n}"}}, Target("template", "memo://{n}")),
    ("tools/list", {"name": "echo"}, None),
    ("resources/list", {"uri": "memo://1"}, None),
    ("ping", {}, None),
    ("subscriptions/listen", {}, None),
]


@pytest.mark.parametrize(("method", "params", "found"), ABOUT)
def test_a_request_is_about_the_definition_that_it_names(
    method: str, params: dict[str, Any], found: Target | None
) -> None:
    assert target(method, params) == found


NO_REF: list[Any] = [
    None,
    [],
    "ref/prompt",
    {},
    {"type": "ref/tool", "name": "a"},
    {"type": ["ref/prompt"], "name": "a"},
]
WITHOUT: list[tuple[str, dict[str, Any], str]] = [
    *(("tools/call", params, "name") for params in ({}, {"name": ""}, {"name": 1}, {"name": ["a"]}, {"name": None})),
    ("prompts/get", {}, "name"),
    *(("resources/read", params, "uri") for params in ({}, {"uri": ""}, {"uri": 7}, {"name": "memo://1"})),
    ("resources/subscribe", {}, "uri"),
    ("resources/unsubscribe", {}, "uri"),
    *(("completion/complete", {"ref": ref}, "ref") for ref in NO_REF),
    ("completion/complete", {}, "ref"),
    ("completion/complete", {"ref": {"type": "ref/prompt", "uri": "memo://1"}}, "ref.name"),
    ("completion/complete", {"ref": {"type": "ref/resource", "name": "greet"}}, "ref.uri"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "params", "said"), WITHOUT)
def test_a_request_that_should_name_something_and_does_not_is_refused(
    method: str, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=rf"^The parameter {said} must ") as refused:
        target(method, params)
    assert refused.value.code == INVALID_PARAMS
