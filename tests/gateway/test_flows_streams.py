"""Streams: what is agreed, what is told, and how each of them ends. A gateway that listens, and the everything server."""

from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from access.services import revoke_grant
from servers.services import edit_server, resume_server, suspend_server
from tests.fixtures_mcp.processes import everything_server
from tests.gateway.clients import CALL, READ, Heard, Modern, Speaker, initialized, wait_for
from tests.gateway.pair import Shared, gateways
from tests.gateway.world import Agency, free_port, running
from tools.models import Definition
from tools.services import withdraw_approval

pytestmark = pytest.mark.network

TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"
UPDATED = "notifications/resources/updated"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
WATCHED = "test://watched-resource"
TRIGGERS = ("test_trigger_tool_change", "test_trigger_prompt_change", "test_trigger_resource_update")
SERVED = (*TRIGGERS, "card", "test_simple_text", "test_simple_prompt", WATCHED, "test://static-text")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[Shared]:
    """One gateway; of the everything server only what these tests use is approved."""
    with everything_server() as server, gateways(django_db_blocker, count=1) as made:
        made.register(server)
        made.approve(*SERVED)
        yield made


def listening(speaker: Speaker, **wanted: Any) -> Heard:
    """A `subscriptions/listen` that was acknowledged."""
    heard = speaker.start("subscriptions/listen", {"notifications": wanted})
    heard.first(ACKNOWLEDGED)
    return heard


def opened(world: Shared, agency: Agency) -> tuple[Heard, Heard]:
    """A stream of each era."""
    token = agency.token()
    session = initialized(world.a, token).send("GET").opened()
    return session, listening(Modern(world.a, token), toolsListChanged=True)


def closed(world: Shared, agency: Agency) -> list[tuple[str, str, str]]:
    """How the streams of an agent ended, by the records."""
    found = world.records(agent=agency.agent.client_id, event="call.completed", status="closed")
    return sorted((record.method, record.status, record.error_class) for record in found)


def ended_by(why: str) -> list[tuple[str, str, str]]:
    """The outcomes of a stream of each era."""
    return [("GET", "closed", why), ("subscriptions/listen", "closed", why)]


def new_agency(world: Shared) -> Agency:
    """An agent that may read and call."""
    return world.agent(READ, CALL, name=f"robot {next(world.names)}")


def test_only_what_may_be_heard_is_agreed_and_told(world: Shared) -> None:
    token = world.token()
    speaker = Modern(world.a, token)
    hidden = "test://static-binary"  # not approved
    heard = listening(
        speaker,
        toolsListChanged=True,
        promptsListChanged=False,
        taskListChanged=True,
        resourceSubscriptions=[WATCHED, hidden, "test://absent"],
    )
    agreed = heard.first(ACKNOWLEDGED)["params"]
    assert agreed["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": [WATCHED]}
    assert [record[2:] for record in world.told(token, event="call.denied")] == [
        (hidden, "definition_quarantined"),
        ("test://absent", "unknown_definition"),
    ]
    number = agreed["_meta"][SUBSCRIPTION]
    # The server tells all three; what nobody agreed to hear stays here. The first note is at once, the next waits.
    wait_for(lambda: speaker.call(TRIGGERS[2]) and heard.count(UPDATED))
    updates = heard.count(UPDATED)
    for name in (TRIGGERS[0], TRIGGERS[0], TRIGGERS[1], TRIGGERS[0]):
        speaker.call(name)
    told = heard.first(UPDATED)["params"]
    assert (told["uri"], told["_meta"][SUBSCRIPTION]) == (WATCHED, number)
    wait_for(lambda: heard.count(TOOLS) == 1)
    wait_for(lambda: heard.count(TOOLS) == 2)
    speaker.call(TRIGGERS[2])
    wait_for(lambda: heard.count(UPDATED) > updates)
    assert (heard.count(TOOLS), heard.count(PROMPTS)) == (2, 0)
    assert {message["params"]["_meta"][SUBSCRIPTION] for message in heard.messages} == {number}
    heard.hang_up()


def test_changes_of_our_own_are_told_like_those_of_the_server(world: Shared) -> None:
    agency = new_agency(world)
    streams = opened(world, agency)
    world.approve("greet")
    for stream in streams:
        stream.first(TOOLS)
    names = {tool["name"] for tool in Modern(world.a, agency.token()).result("tools/list")["tools"]}
    assert "greet" in names
    withdraw(world, "greet")
    for stream in streams:
        wait_for(partial(told_twice, stream))
        stream.hang_up()
    # Who hangs up leaves an outcome as well.
    wait_for(lambda: closed(world, agency) == ended_by("client"))


def told_twice(stream: Heard) -> bool:
    """Whether the list of tools changed two times."""
    return stream.count(TOOLS) == 2


def test_an_update_is_told_only_while_the_resource_may_be_read(world: Shared) -> None:
    token = world.token()
    speaker = initialized(world.a, token)
    session = speaker.send("GET").opened()
    speaker.result("resources/subscribe", {"uri": WATCHED})
    modern = Modern(world.a, token)
    heard = listening(modern, promptsListChanged=True, resourceSubscriptions=[WATCHED])
    streams = (session, heard)
    wait_for(lambda: modern.call(TRIGGERS[2]) and speaker.call(TRIGGERS[2]) and all(s.count(UPDATED) for s in streams))
    withdraw(world, WATCHED)
    refused = modern.error("resources/read", {"uri": WATCHED})
    assert refused["data"]["reason"] == "definition_quarantined"
    # The streams are judged again every second: until then they are as they were.
    wait_for(lambda: quiet(modern, speaker, streams))
    world.approve(WATCHED)
    wait_for(lambda: modern.call(TRIGGERS[2]) and speaker.call(TRIGGERS[2]) and not any(stale(s) for s in streams))
    for stream in streams:
        stream.hang_up()


def withdraw(world: Shared, name: str) -> None:
    """Take an approval back."""
    row = Definition.objects.get(name=name)
    assert row.observed is not None
    withdraw_approval(definition_id=row.public_id, digest=row.observed.digest, reason="A test.", actor=world.admin)
    world.settle()


def stale(stream: Heard) -> bool:
    """Whether the newest message is no update."""
    return bool(stream.messages[-1].get("method") != UPDATED)


def quiet(modern: Speaker, speaker: Speaker, streams: tuple[Heard, Heard]) -> bool:
    """Whether an update is not told, though what the server says afterwards is."""
    before = [len(stream.messages) for stream in streams]
    for each in (modern, speaker):
        each.call(TRIGGERS[2])
        each.call(TRIGGERS[1])
    for stream, start in zip(streams, before, strict=True):
        stream.first(PROMPTS, after=start)
    return not any(
        message["method"] == UPDATED
        for stream, start in zip(streams, before, strict=True)
        for message in stream.messages[start:]
    )


def test_streams_end_when_their_caller_may_not_have_them_any_more(world: Shared) -> None:
    by_grant, by_token, by_server = (new_agency(world) for _ in range(3))
    streams = {agency.secret: opened(world, agency) for agency in (by_grant, by_server)}
    token = by_token.token()
    streams[by_token.secret] = (
        initialized(world.a, token).send("GET").opened(),
        listening(Modern(world.a, token), toolsListChanged=True),
    )
    grant = by_grant.agent.grants.get()
    revoke_grant(grant_id=grant.public_id, actor=world.admin, reason="A test.")
    end(world, by_grant, streams)
    revoke_token(by_token, token)
    end(world, by_token, streams)
    assert not any(stream.ended for stream in streams[by_server.secret])
    suspend_server(slug="files", actor=world.admin, reason="A test.")
    try:
        end(world, by_server, streams)
    finally:
        resume_server(slug="files", actor=world.admin, reason="A test.")
        world.poll()
        world.settle()


def end(world: Shared, agency: Agency, streams: dict[str, tuple[Heard, Heard]]) -> None:
    """Both streams of an agent end cleanly, the modern one with a result, and the records say why."""
    session, heard = streams[agency.secret]
    wait_for(lambda: session.ended and heard.ended)
    assert not session.broken
    complete(heard)
    assert closed(world, agency) == ended_by("revoked")


def complete(heard: Heard) -> None:
    """The stream ended with the result that the specification asks for (subscriptions, graceful closure)."""
    assert not heard.broken
    answer = heard.answer()
    assert answer["result"]["resultType"] == "complete"
    assert answer["result"]["_meta"][SUBSCRIPTION] == answer["id"]


def revoke_token(agency: Agency, token: str) -> None:
    """At the revocation endpoint (RFC 7009)."""
    basic = b64encode(f"{agency.agent.client_id}:{agency.secret}".encode()).decode()
    answer = Browser().post(
        "/oauth/revoke/",
        urlencode({"token": token}),
        content_type="application/x-www-form-urlencoded",
        headers={"authorization": f"Basic {basic}"},
    )
    assert answer.status_code == 200, answer.content


def test_a_process_that_stops_ends_its_streams_cleanly(world: Shared) -> None:
    agency = new_agency(world)
    token, port = agency.token(), free_port()
    with running(port) as gateway:
        url = f"http://127.0.0.1:{port}/mcp/files"
        session = initialized(url, token).send("GET").opened()
        heard = listening(Modern(url, token), toolsListChanged=True)
        gateway.drain()
        wait_for(lambda: session.ended and heard.ended)
    assert not session.broken
    complete(heard)
    assert closed(world, agency) == ended_by("shutdown")


def test_nobody_takes_all_places_for_streams(world: Shared) -> None:
    edit_server(slug="files", changes={"concurrent_streams": 2}, actor=world.admin, reason="A test.")
    world.settle()
    try:
        token = world.token()
        mine = listening(Modern(world.a, token), toolsListChanged=True)
        refused = Modern(world.a, token).start("subscriptions/listen", {"notifications": {}})
        assert refused.answer()["error"]["data"]["reason"] == "server_busy"
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        other = Modern(world.a, world.token())
        theirs = listening(other, toolsListChanged=True)
        third = initialized(world.a, world.token()).send("GET")
        assert third.answer()["error"]["data"]["reason"] == "server_busy"
        # Calls have places of their own, and a place that was left is free.
        assert other.call("test_simple_text")
        theirs.hang_up()
        wait_for(lambda: listening_again(world))
        mine.hang_up()
    finally:
        edit_server(slug="files", changes={"concurrent_streams": 64}, actor=world.admin, reason="A test.")
        world.settle()


def listening_again(world: Shared) -> bool:
    """Whether somebody new gets a stream."""
    heard = Modern(world.a, world.token()).start("subscriptions/listen", {"notifications": {}}).opened()
    if heard.status == 200:
        heard.first(ACKNOWLEDGED)
        heard.hang_up()
    return heard.status == 200
