"""What a subscription tells its client: what was agreed, what may be heard now, and under its own request's id."""

from functools import partial
from typing import Any

import pytest

from access.policy import PinState
from gateway import jsonrpc
from gateway.asks import Asks, Mark
from gateway.hearing import UPDATED, Hearing
from gateway.jsonrpc import Notification, Request
from gateway.protocol import SERVER_INFO, SUBSCRIPTION_ID
from gateway.subscriptions import TASKS, OpenStream, Relay, Subscription
from tests.gateway.admitting import CARD, MODERN, Kept, Sent, admitted, definition, exchange, recorder, seal, server

TOOLS = "notifications/tools/list_changed"
PART = server(
    definition("memo://1", "resource"),
    definition("memo://2", "resource", state=PinState.QUARANTINED),
    schemes=frozenset({"memo"}),
)
AGREED: dict[str, Any] = {
    "toolsListChanged": True,
    "resourceSubscriptions": ["memo://1", "memo://2"],
    "taskIds": ["handle"],
}


class Client:
    """A client that subscribed under the id 1, and what hears the server for it."""

    def __init__(self, told: dict[str, str] | None = None) -> None:
        self.sent = Sent()
        within = exchange(self.sent, wire=MODERN)
        self.admitted = admitted("subscriptions/listen", {}, part=PART, within=within)
        self.subscription = Subscription(self.admitted, AGREED, {"task-1": "handle"})
        hearing = Hearing(
            within, Asks(recorder(Kept()), seal("question")), capabilities={}, server={}, place=(),
            readable=self.admitted.may_read, mark=partial(Mark, within.id), asks_for_log=False,
        )  # fmt: skip
        hearing.changes.tell = self.subscription.tell
        self.stream = OpenStream(self.admitted, hearing, {TOOLS: "state"} if told is None else told)
        self.relay = Relay(self.stream, self.subscription)

    async def heard(self, *said: Notification) -> list[tuple[str, dict[str, Any]]]:
        """What the client got when the server said this, without the id that is in everything."""
        for each in said:
            await self.relay.notified(each)
        await self.stream.hearing.changes.finish()
        found = []
        for raw in self.sent.messages:
            message = jsonrpc.parse(raw)
            assert isinstance(message, Notification)
            params = dict(message.params)
            assert params["_meta"][SUBSCRIPTION_ID] == 1
            found.append((message.method, {key: value for key, value in params.items() if key != "_meta"}))
        return found


def updated(uri: Any) -> Notification:
    """A resource changed."""
    return Notification(UPDATED, {"uri": uri})


async def test_what_was_agreed_is_acknowledged_with_the_clients_own_handles() -> None:
    message = jsonrpc.parse(Client().subscription.acknowledged())
    assert message == Notification(
        "notifications/subscriptions/acknowledged", {"notifications": AGREED, "_meta": {SUBSCRIPTION_ID: 1}}
    )


def test_a_server_is_asked_with_its_own_ids() -> None:
    assert Client().subscription.upstream_filter() == {**AGREED, "taskIds": ["task-1"]}
    client = Client()
    without = Subscription(client.admitted, {"toolsListChanged": True}, {})
    assert without.upstream_filter() == {"toolsListChanged": True}


def test_the_end_is_a_result_that_names_the_approved_server() -> None:
    client = Client()
    assert jsonrpc.parse_value(client.subscription.ended(client.admitted)) == {
        "resultType": "complete",
        "_meta": {SUBSCRIPTION_ID: 1, SERVER_INFO: dict(CARD.identity)},
    }


async def test_a_list_that_changed_is_told_where_that_was_agreed_and_without_the_servers_words() -> None:
    assert await Client().heard(Notification(TOOLS, {"secret": 1})) == [(TOOLS, {})]
    assert await Client({}).heard(Notification(TOOLS)) == []
    assert await Client().heard(Notification("notifications/prompts/list_changed")) == []


async def test_a_resource_that_changed_is_told_while_it_may_be_read() -> None:
    assert await Client().heard(updated("memo://1")) == [(UPDATED, {"uri": "memo://1"})]


@pytest.mark.parametrize("uri", ["memo://2", "memo://3", "MEMO://1", None, 1, ["memo://1"], {"a": 1}])
async def test_a_resource_that_may_not_be_read_or_was_not_subscribed_to_is_not_told(uri: Any) -> None:
    assert await Client().heard(updated(uri)) == []


async def test_a_task_is_told_of_under_the_clients_handle() -> None:
    note = Notification(TASKS, {"taskId": "task-1", "status": "working"})
    assert await Client().heard(note) == [(TASKS, {"taskId": "handle", "status": "working"})]


@pytest.mark.parametrize("id_", ["task-2", "handle", None, 1, ["task-1"], {"a": 1}])
async def test_somebody_elses_task_is_not_told_of(id_: Any) -> None:
    assert await Client().heard(Notification(TASKS, {"taskId": id_})) == []


@pytest.mark.parametrize(
    "method",
    ["notifications/message", "notifications/progress", "notifications/elicitation/complete", "x", "tools/call"],
)
async def test_nothing_else_is_told(method: str) -> None:
    assert await Client().heard(Notification(method, {"level": "info"})) == []


@pytest.mark.parametrize("meta", [{"kept": 1, SUBSCRIPTION_ID: "theirs"}, {SUBSCRIPTION_ID: 99}, None, "x", []])
async def test_a_server_does_not_choose_whose_a_message_is(meta: Any) -> None:
    client = Client()
    await client.relay.notified(Notification(UPDATED, {"uri": "memo://1", "_meta": meta}))
    (raw,) = client.sent.messages
    found = jsonrpc.parse_value(raw)["params"]["_meta"]
    assert found == {**({"kept": 1} if isinstance(meta, dict) and "kept" in meta else {}), SUBSCRIPTION_ID: 1}


async def test_in_the_modern_era_a_server_asks_nothing_and_has_no_ids_or_progress_to_tell() -> None:
    client = Client()
    assert await client.relay.asked(Request(1, "ping"), None) is None
    await client.relay.progressed({"progress": 1})
    assert client.sent.events == []


def test_the_first_reason_for_an_end_counts() -> None:
    stream = Client().stream
    stream.end("revoked")
    stream.end("client")
    assert (stream.why, stream.ended.is_set()) == ("revoked", True)
