"""A client of one era and a server of the other, in both directions; and what servers may ask of clients."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.gateway.clients import ABLE, CALL, READ, Modern, Speaker, initialized, text_of, without_id
from tests.gateway.pair import Shared, gateways

pytestmark = pytest.mark.network

SERVERS = ("handshake", "modern")
SERVED = ("card", "echo", "fail", "slow", "memo://0", "memo://{year}/{n}", "greet-0")
FORM = {"mode": "form", "message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}
ASK = {"method": "elicitation/create", "params": FORM}


@pytest.fixture(scope="module")
def honest() -> Iterator[dict[str, HonestServer]]:
    """Servers that speak one era each."""
    with honest_server(era="handshake") as handshake, honest_server(era="modern") as modern:
        yield {"handshake": handshake, "modern": modern}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, honest: dict[str, HonestServer]) -> Iterator[Shared]:
    """One gateway before both, by the name of their era."""
    with gateways(django_db_blocker, count=1) as made:
        for slug, server in honest.items():
            made.register(server.url, slug)
            made.approve(*SERVED, slug=slug)
        yield made


def client(world: Shared, server: str, **able: Any) -> Speaker:
    """A client of the era that the server does not speak."""
    scopes = [scope.replace("files", server) for scope in (READ, CALL)]
    agency = world.agent(*scopes, name=f"robot {next(world.names)}")
    url, token = world.endpoint(server), agency.token(server)
    if server == "modern":
        return initialized(url, token, able=able)
    speaker = Modern(url, token)
    speaker.able = able
    return speaker


@pytest.mark.parametrize("server", SERVERS)
def test_what_both_eras_have_works_between_them(world: Shared, honest: dict[str, HonestServer], server: str) -> None:
    speaker = client(world, server)
    modern = server == "handshake"  # the client
    for method, member, names in (
        ("tools/list", "tools", {"echo", "fail", "slow"}),
        ("prompts/list", "prompts", {"greet-0"}),
        ("resources/list", "resources", {"memo 0"}),
        ("resources/templates/list", "resourceTemplates", {"memo by year"}),
    ):
        listed = speaker.result(method)
        assert {each["name"] for each in listed[member]} == names
        assert ("resultType" in listed, "ttlMs" in listed) == (modern, modern)
    for uri in ("memo://0", "memo://2026/5"):
        read = speaker.result("resources/read", {"uri": uri})
        assert read["contents"][0]["text"] == "memo"
        # What the gateway filters by who asks is nobody else's.
        assert read.get("cacheScope") == ("private" if modern else None)
    got = speaker.result("prompts/get", {"name": "greet-0", "arguments": {"who": "you"}})
    assert got["messages"][0]["content"]["text"] == "Hello you"
    assert ("resultType" in got) == modern
    echoed, failed = speaker.call("echo", text="hi"), speaker.call("fail")
    assert text_of(echoed) == '{"text": "hi"}'
    assert failed["isError"] is True
    assert {echoed.get("resultType"), failed.get("resultType")} == {"complete" if modern else None}
    params = {"name": "slow", "arguments": {"steps": 2}, "_meta": {"progressToken": "mine"}}
    slow = speaker.start("tools/call", params)
    assert "result" in slow.answer()
    steps = [each["params"] for each in slow.messages if each.get("method") == "notifications/progress"]
    assert [(step["progressToken"], step["progress"]) for step in steps] == [("mine", 1), ("mine", 2)]
    versions = {call["headers"].get("mcp-protocol-version", "") >= "2026" for call in honest[server].calls()}
    assert versions == {not modern}


def test_what_cannot_be_carried_between_eras_is_a_structured_error(
    world: Shared, honest: dict[str, HonestServer]
) -> None:
    speaker = client(world, "modern", **ABLE)
    honest["modern"].change(calls=[])
    error = without_id(speaker.ask("tools/call", {"name": "echo", "arguments": {"ask": ASK}})["error"])
    assert (error["code"], error["data"]["code"], error["data"]["reason"]) == (-32011, "not_carried", "not_carried")
    # The server was told beforehand that nobody can be asked.
    (call,) = honest["modern"].calls()
    assert call["able"] == {}
    assert world.told(speaker.token)[-1] == ("call.completed", "tools/call", "echo", "failed")


def test_a_server_asks_only_what_the_client_said_that_it_can_give(
    world: Shared, honest: dict[str, HonestServer]
) -> None:
    scopes = [scope.replace("files", "modern") for scope in (READ, CALL)]
    token = world.agent(*scopes, name=f"robot {next(world.names)}").token("modern")
    speaker = Modern(world.endpoint("modern"), token)
    roots = {"method": "roots/list"}
    asking = {"name": "echo", "arguments": {"ask": ASK}}
    honest["modern"].change(calls=[])
    for able, asked, carried in (
        ({}, ASK, False),
        ({"elicitation": {}}, ASK, True),
        ({"elicitation": {}}, roots, False),
        ({"roots": {}, "experimental": {"x": {}}, "extensions": {"com.example/x": {}}}, roots, True),
    ):
        speaker.able = able
        answer = speaker.ask("tools/call", {"name": "echo", "arguments": {"ask": asked}})
        if carried:
            assert answer["result"]["inputRequests"]["it"]["method"] == asked["method"]
        else:
            assert answer["error"]["data"]["reason"] == "not_carried"
        told = honest["modern"].calls()[-1]["able"]
        assert told.keys() == able.keys() & {"elicitation", "roots"}
    assert [status for event, _, _, status in world.told(token, event="call.completed")] == [
        "failed",
        "input_required",
        "failed",
        "input_required",
    ]
    # An answer may come without a state: not every server hands one out.
    given = {"it": {"action": "accept", "content": {}}}
    speaker.able = {"elicitation": {}}
    again = speaker.ask("tools/call", {**asking, "arguments": {}, "inputResponses": given})
    assert text_of(again["result"]) == "{}"
