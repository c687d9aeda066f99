"""Any process serves any request: two gateways behind a round-robin, and a server that must not notice.

Both eras. What belongs to a client (sessions, questions, events, states, tasks) is opened by whichever process gets
it, and by nobody else's hand.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.test import override_settings

from servers.services import edit_server
from tests.fixtures_mcp.processes import everything_server
from tests.gateway.clients import Able, Modern, Speaker, initialized, text_of, wait_for
from tests.gateway.pair import Shared, gateways
from tests.gateway.relay import Relay, relaying

pytestmark = pytest.mark.network
UPDATED = "notifications/resources/updated"
CHANGED = "notifications/tools/list_changed"


@dataclass
class Pair:
    """Two gateways, a round-robin before them and a tap behind them."""

    world: Shared
    front: Relay
    tap: Relay

    def sessions(self, since: int) -> set[str]:
        """The sessions in which the server was spoken to, in what passed since."""
        return {each.session for each in self.tap.passed[since:] if each.session}


@pytest.fixture(scope="module")
def pair(django_db_setup: None, django_db_blocker: Any) -> Iterator[Pair]:
    """Everything is approved."""
    with everything_server() as server, relaying(server) as tap, gateways(django_db_blocker) as world:
        world.register(tap.url)
        world.approve()
        with relaying(world.a, world.b) as front:
            yield Pair(world, front, tap)


def test_a_session_is_served_by_all_and_is_one_session_at_the_server(pair: Pair) -> None:
    since = len(pair.tap.passed)
    before = len(pair.front.passed)
    speaker = initialized(pair.world.a, pair.world.token()).at(pair.front.url)
    assert "test_simple_text" in {tool["name"] for tool in speaker.result("tools/list")["tools"]}
    assert text_of(speaker.call("test_simple_text")).startswith("This is a simple text")
    assert speaker.result("resources/list")["resources"]
    assert speaker.result("resources/read", {"uri": "test://static-text"})["contents"][0]["text"]
    by_template = speaker.result("resources/read", {"uri": "test://template/7/data"})
    assert json.loads(by_template["contents"][0]["text"])["id"] == "7"
    given = {"name": "test_prompt_with_arguments", "arguments": {"arg1": "x", "arg2": "y"}}
    assert "arg1='x'" in speaker.result("prompts/get", given)["messages"][0]["content"]["text"]
    ref = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
    asked = {"ref": ref, "argument": {"name": "arg1", "value": "par"}}
    assert speaker.result("completion/complete", asked)["completion"]["values"] == ["paris", "park", "party"]
    for method in ("resources/subscribe", "resources/unsubscribe"):
        assert speaker.result(method, {"uri": "test://watched-resource"}) == {}
    # The level is the session's, whichever process set it: the call that follows is another's.
    assert speaker.result("logging/setLevel", {"level": "error"}) == {}
    quiet = speaker.start("tools/call", {"name": "test_tool_with_logging", "arguments": {}})
    assert "result" in quiet.answer()
    assert quiet.count("notifications/message") == 0
    assert speaker.result("logging/setLevel", {"level": "debug"}) == {}
    loud = speaker.start("tools/call", {"name": "test_tool_with_logging", "arguments": {}})
    assert "result" in loud.answer()
    assert loud.count("notifications/message") == 3
    targets = [each.target for each in pair.front.passed[before:]]
    assert set(targets[::2]) != set(targets[1::2])
    assert len(pair.sessions(since)) == 1
    assert pair.tap.methods()[since:].count("initialize") == 1


def test_a_client_of_the_modern_era_may_come_to_another_process_with_every_request(pair: Pair) -> None:
    speaker = Able(pair.front.url, pair.world.token())
    assert speaker.result("server/discover")["capabilities"]["tools"]
    assert speaker.result("resources/templates/list")["resourceTemplates"]
    assert speaker.result("resources/read", {"uri": "test://template/7/data"})["contents"]
    assert speaker.result("prompts/get", {"name": "test_simple_prompt"})["messages"]
    ref = {"type": "ref/resource", "uri": "test://template/{id}/data"}
    asked = {"ref": ref, "argument": {"name": "id", "value": "te"}}
    assert speaker.result("completion/complete", asked)["completion"]["values"] == ["test", "text"]
    named = {"name": "test_input_required_result_multi_round", "arguments": {}}
    first = speaker.result("tools/call", named)
    answers = {"step1": {"action": "accept", "content": {"name": "Ada"}}}
    second = speaker.result("tools/call", {**named, "inputResponses": answers, "requestState": first["requestState"]})
    answers = {"step2": {"action": "accept", "content": {"color": "red"}}}
    third = speaker.result("tools/call", {**named, "inputResponses": answers, "requestState": second["requestState"]})
    assert text_of(third) == "Ada likes red."
    task = speaker.call("slow_compute", seconds=0.1, label="It")
    done = wait_for(lambda: completed(speaker, task["taskId"]))
    assert text_of(done["result"]) == "It is done."


def completed(speaker: Speaker, task: str) -> dict[str, Any] | None:
    """A task's state, once it has ended."""
    found = speaker.result("tasks/get", {"taskId": task})
    assert found["taskId"] == task
    return found if found["status"] == "completed" else None


QUESTIONS = {
    "elicitation/create": (
        "test_elicitation",
        {"message": "Why?"},
        {"action": "accept", "content": {"response": "So."}},
        "So.",
    ),
    "sampling/createMessage": (
        "test_sampling",
        {"prompt": "Hi"},
        {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Hello."}},
        "Hello.",
    ),
    "roots/list": ("test_roots", {}, {"roots": [{"uri": "file:///here"}]}, "file:///here"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_reaches_the_server_through_another_process_than_its_question_came(pair: Pair, question: str) -> None:
    name, arguments, answer, told = QUESTIONS[question]
    token = pair.world.token()
    speaker = initialized(pair.world.a, token)
    other = speaker.at(pair.world.b)
    running = speaker.start("tools/call", {"name": name, "arguments": arguments})
    id_ = running.first(question)["id"]
    # Somebody else's hand, with a session of their own, is told the same as of an id that never was.
    stranger = initialized(pair.world.b, pair.world.token())
    theirs = [stranger.reply(given, answer) for given in (id_, "rubbish")]
    assert [each.status for each in theirs] == [400, 400]
    assert theirs[0].answer()["error"]["message"] == theirs[1].answer()["error"]["message"]
    assert not running.ended
    assert other.reply(id_, answer).status == 202
    assert told in text_of(running.answer()["result"])
    assert [(event, method) for event, method, _, _ in pair.world.told(token) if method != "initialize"] == [
        ("call.intended", "tools/call"),
        ("client.asked", question),
        ("client.answered", question),
        ("call.completed", "tools/call"),
    ]


def test_a_call_is_cancelled_through_another_process(pair: Pair) -> None:
    token = pair.world.token()
    speaker = initialized(pair.world.a, token)
    since = len(pair.tap.passed)
    running = speaker.start("tools/call", {"name": "slow_compute", "arguments": {"seconds": 60, "label": "x"}})
    wait_for(lambda: "tools/call" in pair.tap.methods()[since:])
    id_ = next(speaker.ids) - 1
    foreign = initialized(pair.world.b, pair.world.token())
    assert foreign.note("notifications/cancelled", {"requestId": id_}) == 202
    assert "result" in foreign.ask("ping")  # so the word of the foreign note had its time
    assert not running.ended
    assert speaker.at(pair.world.b).note("notifications/cancelled", {"requestId": id_}) == 202
    assert running.answer()["error"]["code"] == -32800
    wait_for(lambda: "notifications/cancelled" in pair.tap.methods()[since:])
    assert pair.world.told(token)[-1] == ("call.completed", "tools/call", "slow_compute", "cancelled")


def test_a_session_that_ended_in_one_process_has_ended_in_all(pair: Pair) -> None:
    token = pair.world.token()
    speaker = initialized(pair.world.a, token)
    since = len(pair.tap.passed)
    speaker.call("test_simple_text")
    stream = speaker.send("GET").opened()
    assert speaker.at(pair.world.b).send("DELETE").opened().status == 204
    wait_for(lambda: speaker.start("ping").opened().status == 404)
    wait_for(lambda: stream.ended)
    assert not stream.broken
    # The server is told as well, and once.
    wait_for(lambda: "DELETE" in pair.tap.methods()[since:])
    assert speaker.at(pair.world.b).send("DELETE").opened().status == 404
    assert pair.tap.methods()[since:].count("DELETE") == 1
    assert ("call.completed", "GET", "", "closed") in pair.world.told(token)


def test_an_end_that_nobody_was_told_of_is_noticed_all_the_same(pair: Pair) -> None:
    from tests.gateway.world import free_port, running

    token, ports = pair.world.token(), [free_port(), free_port()]
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"), running(ports[0]), running(ports[1]):
        first, second = (f"http://127.0.0.1:{port}/mcp/files" for port in ports)
        speaker = initialized(first, token)
        assert speaker.result("ping") == {}
        assert speaker.at(second).send("DELETE").opened().status == 204
        wait_for(lambda: speaker.start("ping").opened().status == 404)


def test_a_session_that_the_server_forgot_is_opened_once_more_for_all(pair: Pair) -> None:
    speaker = initialized(pair.world.a, pair.world.token())
    speaker.call("test_simple_text")
    for _ in range(2):
        pair.tap.forget()
        since = len(pair.tap.passed)
        with ThreadPoolExecutor(2) as pool:
            ways = [speaker.at(pair.world.a), speaker.at(pair.world.b)]
            for result in pool.map(lambda way: way.call("test_simple_text"), ways):
                assert text_of(result).startswith("This is a simple text")
        # Where both were about to open one, the second ended its own and took the first's.
        assert wait_for(partial(one_left, pair, since))
        later = len(pair.tap.passed)
        speaker.at(pair.front.url).call("test_simple_text")
        speaker.at(pair.front.url).call("test_simple_text")
        assert "initialize" not in pair.tap.methods()[later:]
        assert len(pair.sessions(later)) == 1


def one_left(pair: Pair, since: int) -> bool:
    """Whether of the sessions that were opened since all but one were ended."""
    methods = pair.tap.methods()[since:]
    return methods.count("initialize") - methods.count("DELETE") == 1


def test_a_stream_of_one_process_hears_what_calls_at_another_bring_about(pair: Pair) -> None:
    token = pair.world.token()
    speaker = initialized(pair.world.a, token)
    stream = speaker.send("GET").opened()
    since = len(pair.tap.passed)
    other = speaker.at(pair.world.b)
    other.result("resources/subscribe", {"uri": "test://watched-resource"})
    wait_for(lambda: "GET" in pair.tap.methods())
    wait_for(lambda: other.call("test_trigger_tool_change") and stream.count(CHANGED))
    assert wait_for(lambda: other.call("test_trigger_resource_update") and stream.count(UPDATED))
    assert stream.first(UPDATED)["params"]["uri"] == "test://watched-resource"
    assert pair.sessions(since)
    modern = Modern(pair.world.a, token)
    wanted = {"toolsListChanged": True}
    listening = modern.start("subscriptions/listen", {"notifications": wanted})
    listening.first("notifications/subscriptions/acknowledged")
    wait_for(lambda: modern.at(pair.world.b).call("test_trigger_tool_change") and listening.count(CHANGED))


def test_a_stream_that_broke_off_is_gone_on_with_at_another_process(pair: Pair) -> None:
    token = pair.world.token()
    speaker = initialized(pair.world.a, token)
    cut = speaker.start("tools/call", {"name": "test_reconnection", "arguments": {}})
    wait_for(lambda: cut.ended)
    assert cut.ids
    assert not any("result" in message for message in cut.messages)
    other = speaker.at(pair.world.b)
    # Neither another principal nor another session of the same one may have it, and are told as of an id that never was.
    stranger = initialized(pair.world.b, pair.world.token())
    again = initialized(pair.world.b, token)
    refused = [
        stranger.send("GET", last_event_id=cut.ids[-1]),
        again.send("GET", last_event_id=cut.ids[-1]),
        other.send("GET", last_event_id="rubbish"),
    ]
    errors = [each.answer()["error"] for each in refused]
    assert [each.status for each in refused] == [400] * 3
    assert len({error["message"] for error in errors}) == 1
    # To go on with a call is none that would have to say why it is made.
    edit_server(slug="files", changes={"intention": "all"}, actor=pair.world.admin, reason="A test.")
    try:
        pair.world.settle()
        resumed = other.send("GET", last_event_id=cut.ids[-1]).answer()
    finally:
        edit_server(slug="files", changes={"intention": "none"}, actor=pair.world.admin, reason="A test.")
        pair.world.settle()
    assert text_of(resumed["result"]) == "Came back."
    records = pair.world.told(token, method="tools/call")
    assert [(event, status) for event, _, _, status in records] == [
        ("call.intended", ""),
        ("call.completed", "detached"),
        ("call.intended", ""),
        ("call.completed", "ok"),
    ]


def test_what_was_given_to_one_opens_for_nobody_else(pair: Pair) -> None:
    mine, theirs = Able(pair.front.url, pair.world.token()), Able(pair.front.url, pair.world.token())
    session = initialized(pair.world.a, mine.token).headers["mcp-session-id"]
    foreign = Speaker(pair.front.url, theirs.token)
    for given in (session, "rubbish"):
        heard = foreign.start("ping", mcp_session_id=given)
        assert heard.answer()["error"]["message"] == "There is no such session."
        assert heard.status == 404
    named = {"name": "test_input_required_result_request_state", "arguments": {}}
    state = mine.result("tools/call", named)["requestState"]
    answers = {"confirm": {"action": "accept", "content": {"ok": True}}}
    round_ = {**named, "inputResponses": answers}
    assert theirs.error("tools/call", {**round_, "requestState": state}) == theirs.error(
        "tools/call", {**round_, "requestState": "rubbish"}
    )
    assert text_of(mine.result("tools/call", {**round_, "requestState": state})) == "state-ok"
    task = mine.call("slow_compute", seconds=30, label="x")["taskId"]
    for method in ("tasks/get", "tasks/cancel"):
        assert theirs.error(method, {"taskId": task}) == theirs.error(method, {"taskId": "rubbish"})
    assert mine.result("tasks/get", {"taskId": task})["status"] == "working"
    assert "result" in mine.ask("tasks/cancel", {"taskId": task})
