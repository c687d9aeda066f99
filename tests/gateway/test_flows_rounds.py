"""Rounds of one request, and pins of every kind: one gateway before the everything server."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fixtures_mcp.processes import everything_server
from tests.gateway.clients import ABLE, READ, Able, Modern, Speaker, initialized, text_of, wait_for
from tests.gateway.pair import Shared, gateways
from tests.gateway.relay import Relay, relaying
from tools.models import Review
from tools.services import decide_review

pytestmark = pytest.mark.network

ASKS, OTHER = "test_input_required_result_request_state", "test_input_required_result_tampered_state"
WATCHED, TEXT, BINARY = "test://watched-resource", "test://static-text", "test://static-binary"
TEMPLATE = "test://template/{id}/data"
PROMPT = "test_prompt_with_arguments"
SERVED = ("card", "test_simple_text", ASKS, OTHER, "test_elicitation", TEXT, TEMPLATE, PROMPT)
ANSWERS = {"confirm": {"action": "accept", "content": {"ok": True}}}


@pytest.fixture(scope="module")
def tap() -> Iterator[Relay]:
    """The way to the everything server."""
    with everything_server() as server, relaying(server) as made:
        yield made


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tap: Relay) -> Iterator[Shared]:
    """Of the everything server only what these tests use is approved."""
    with gateways(django_db_blocker, count=1) as made:
        made.register(tap.url)
        made.approve(*SERVED)
        yield made


def test_a_state_returns_from_whom_it_was_given_to_for_what_it_was_given_for(world: Shared, tap: Relay) -> None:
    token = world.token()
    mine, theirs = Able(world.a, token), Able(world.a, world.token())
    first = mine.result("tools/call", {"name": ASKS, "arguments": {}})
    state = first["requestState"]
    assert first["inputRequests"].keys() == {"confirm"}
    flipped = state[:-5] + ("A" if state[-5] != "A" else "B") + state[-4:]
    since = len(tap.passed)
    right: dict[str, Any] = {"name": ASKS, "arguments": {}, "inputResponses": ANSWERS, "requestState": state}
    wrong: list[tuple[Speaker, dict[str, Any]]] = [
        (mine, {**right, "requestState": flipped}),
        (mine, {**right, "requestState": "rubbish"}),
        (mine, {**right, "requestState": 7}),
        (theirs, right),
        (mine, {**right, "arguments": {"other": 1}}),
        (mine, {**right, "name": OTHER}),
    ]
    errors = [speaker.error("tools/call", params) for speaker, params in wrong]
    with pytest.MonkeyPatch.context() as patch:
        now = time.time
        patch.setattr("gateway.rounds.time.time", lambda: now() + 3601)
        errors.append(mine.error("tools/call", right))
    assert errors == [errors[0]] * len(wrong) + [errors[0]]
    assert errors[0]["code"] == -32602
    # A record of each refusal, and nothing of it went to the server.
    assert "tools/call" not in tap.methods()[since:]
    assert text_of(mine.result("tools/call", right)) == "state-ok"
    sent = [each.message["params"] for each in tap.passed[since:] if each.method == "tools/call"]
    assert len(sent) == 1
    assert sent[0]["requestState"] != state
    assert [(event, status) for event, _, tool, status in world.told(token) if tool == ASKS] == [
        ("call.intended", ""),
        ("call.completed", "input_required"),
        *[("call.denied", "invalid_request")] * 5,
        ("call.intended", ""),
        ("call.completed", "ok"),
    ]


HELD: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a tool": ("tools/call", {"name": "test_image_content"}, {"name": "absent"}),
    "a prompt": ("prompts/get", {"name": "test_simple_prompt"}, {"name": "absent"}),
    "a prompt's arguments": (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "test_simple_prompt"}, "argument": {"name": "x", "value": ""}},
        {"ref": {"type": "ref/prompt", "name": "absent"}, "argument": {"name": "x", "value": ""}},
    ),
    "a resource": ("resources/read", {"uri": BINARY}, {"uri": "test://absent"}),
    "a subscription": ("resources/subscribe", {"uri": BINARY}, {"uri": "test://absent"}),
    "an end of one": ("resources/unsubscribe", {"uri": BINARY}, {"uri": "test://absent"}),
}
KNOWN = ("test_image_content", "test_simple_prompt", BINARY)


@pytest.mark.parametrize("what", HELD)
def test_what_nobody_approved_is_not_to_be_had_in_any_way(world: Shared, tap: Relay, what: str) -> None:
    method, known, unknown = HELD[what]
    able = world.token()
    weak = world.token("mcp:files:tool:test_simple_text")
    since = len(tap.passed)
    for make in (initialized, Modern):
        if make is Modern and "subscribe" in method:
            continue
        speaker, stranger = make(world.a, able), make(world.a, weak)
        refused = speaker.error(method, known)
        assert refused["data"]["reason"] == "definition_quarantined"
        assert refused["data"]["code"] == "withheld"
        # Whom no role lets reach it learns nothing: the answer is that for what is not there.
        hidden, absent = stranger.ask(method, known), stranger.ask(method, unknown)
        assert blank(hidden, known) == blank(absent, unknown)
    assert method not in tap.methods()[since:]
    denied = [reason for event, each, _, reason in world.told(weak) if (event, each) == ("call.denied", method)]
    assert denied == ["not_granted", "unknown_definition"] * (len(denied) // 2) != []


def blank(answer: dict[str, Any], named: dict[str, Any]) -> str:
    """A refusal without what differs by what was asked: its record's id, the request's, and the caller's own word."""
    word = named.get("name") or named.get("uri") or named["ref"]["name"]
    told = answer["error"]["data"] if "error" in answer else answer["result"]["_meta"]["holdfast/refusal"]
    told["request_id"] = ""
    return str({**answer, "id": 0}).replace(word, "it")


def test_what_is_not_approved_stands_in_no_list_and_returns_with_its_approval_until_it_expires(
    world: Shared, tap: Relay
) -> None:
    speaker = Modern(world.a, world.token())
    assert listed(speaker) == {
        "tools": {"test_simple_text", ASKS, OTHER, "test_elicitation"},
        "prompts": {PROMPT},
        "resources": {TEXT},
        "resourceTemplates": {TEMPLATE},
    }
    review = Review.objects.waiting().get(definition__name=WATCHED)
    decide_review(
        review_id=review.public_id,
        verdict="approve",
        digest=review.version.digest,
        reason="For a moment.",
        actor=world.admin,
        approve_until=datetime.now(UTC) + timedelta(hours=1),
    )
    world.settle()
    assert WATCHED in listed(speaker)["resources"]
    assert speaker.result("resources/read", {"uri": WATCHED})["contents"]
    until = world.ends_soon(WATCHED)
    wait_for(lambda: "error" in speaker.ask("resources/read", {"uri": WATCHED}))
    assert datetime.now(UTC) >= until
    assert speaker.error("resources/read", {"uri": WATCHED})["data"]["reason"] == "pin_expired"
    assert WATCHED not in listed(speaker)["resources"]
    rejected = Review.objects.waiting().get(definition__name="test_prompt_with_image")
    decide_review(
        review_id=rejected.public_id, verdict="reject", digest=rejected.version.digest, reason="No.", actor=world.admin
    )
    world.settle()
    refused = speaker.error("prompts/get", {"name": "test_prompt_with_image"})
    assert refused["data"]["reason"] == "definition_quarantined"


def listed(speaker: Speaker) -> dict[str, set[str]]:
    """What each list shows, by its member."""
    members = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}
    methods = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
    return {
        member: {each[key] for each in speaker.result(method)[member]}
        for (member, key), method in zip(members.items(), methods, strict=True)
    }


ANSWERED = [("request.answered", "ok")]
CARRIED = [("call.intended", ""), ("call.completed", "ok")]
OPENED = [("connection.opened", "")]
COMPLETE = {"ref": {"type": "ref/prompt", "name": PROMPT}, "argument": {"name": "arg1", "value": "p"}}
BOTH_ERAS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("tools/list", {}, ANSWERED),
    ("tools/call", {"name": "test_simple_text"}, CARRIED),
    ("resources/list", {}, ANSWERED),
    ("resources/templates/list", {}, ANSWERED),
    ("resources/read", {"uri": TEXT}, CARRIED),
    ("resources/read", {"uri": "test://template/7/data"}, CARRIED),
    ("prompts/list", {}, ANSWERED),
    ("prompts/get", {"name": PROMPT, "arguments": {"arg1": "a", "arg2": "b"}}, CARRIED),
    ("completion/complete", COMPLETE, CARRIED),
    ("tools/call", {"name": "absent"}, [("call.denied", "unknown_definition")]),
    ("tools/call", {}, [("call.denied", "invalid_request")]),
    ("tools/list", {"cursor": "x"}, [("call.denied", "invalid_request")]),
    ("tasks/get", {"taskId": "rubbish"}, [("call.denied", "*")]),
    ("no/such", {}, [("call.denied", "method_not_supported")]),
]
HANDSHAKE: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("ping", {}, ANSWERED),
    ("logging/setLevel", {"level": "info"}, CARRIED),
    ("logging/setLevel", {"level": "loud"}, [("call.denied", "invalid_request")]),
    ("resources/subscribe", {"uri": TEXT}, CARRIED),
    ("resources/unsubscribe", {"uri": TEXT}, CARRIED),
    ("server/discover", {}, [("call.denied", "method_not_supported")]),
    ("subscriptions/listen", {}, [("call.denied", "method_not_supported")]),
    ("tasks/update", {"taskId": "x"}, [("call.denied", "*")]),
]
MODERN: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("server/discover", {}, OPENED),
    ("subscriptions/listen", {"notifications": 7}, [("call.denied", "invalid_request")]),
    ("logging/setLevel", {"level": "info"}, [("call.denied", "method_not_supported")]),
    ("resources/subscribe", {"uri": TEXT}, [("call.denied", "method_not_supported")]),
    ("ping", {}, [("call.denied", "method_not_supported")]),
    ("initialize", {}, [("call.denied", "method_not_supported")]),
]


@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_every_request_leaves_exactly_the_records_that_it_must(world: Shared, era: str) -> None:
    token = world.token()
    speaker = initialized(world.a, token) if era == "handshake" else Modern(world.a, token)
    assert [told[0] for told in world.told(token)] == (["connection.opened"] if era == "handshake" else [])
    for method, params, wanted in BOTH_ERAS + (HANDSHAKE if era == "handshake" else MODERN):
        before = len(world.told(token))
        speaker.ask(method, params)
        records = world.told(token)[before:]
        assert {each for _, each, _, _ in records} == {method}
        found = [(event, "*" if wanted[0][1] == "*" else status) for event, _, _, status in records]
        assert found == wanted, (method, params)


def test_who_may_only_read_is_told_nothing_of_tools(world: Shared) -> None:
    token = world.token(READ)
    speaker = initialized(world.a, token, able=ABLE)
    assert speaker.result("tools/list")["tools"] == []
    known, unknown = ({"name": "test_simple_text"}, {"name": "absent"})
    answers = [blank(speaker.ask("tools/call", params), params) for params in (known, unknown)]
    assert answers[0] == answers[1]
