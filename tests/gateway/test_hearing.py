"""What a client hears of what a server says while a call or stream is under way."""

import asyncio
from functools import partial
from typing import Any

import pytest

from core.sse import Event, EventDecoder
from gateway import jsonrpc
from gateway.asks import Asks, Mark
from gateway.errors import METHOD_NOT_FOUND
from gateway.hearing import Changes, Hearing
from gateway.jsonrpc import Notification, Request, Response
from gateway.protocol import Wire
from gateway.upstream_sessions import UpstreamSession
from tests.gateway.admitting import HANDSHAKE, MODERN, Kept, Sent, exchange, recorder, seal

PLACE = ("1|", "files", "5e551011")
SESSION = UpstreamSession("https://up.example/mcp", "5e551011", "s-1", "2025-11-25")
ABLE: dict[str, Any] = {"sampling": {}, "elicitation": {}}
LOG = Notification("notifications/message", {"level": "info", "data": "x"})
UPDATED = Notification("notifications/resources/updated", {"uri": "memo://1"})
ELICITED = Notification("notifications/elicitation/complete", {"elicitationId": "e"})
TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"


class Client:
    """A client, and who hears for it."""

    def __init__(self, *, wire: Wire = HANDSHAKE, streams: bool = True, token: Any = None, **more: Any) -> None:
        self.sent, self.kept = Sent(), Kept()
        self.exchange = exchange(self.sent, wire=wire, streams=streams)
        self.asks = Asks(recorder(self.kept), seal("question", longest=4096))
        known: dict[str, Any] = {
            "capabilities": ABLE,
            "server": {"logging": {}},
            "place": () if wire.modern else PLACE,
            "readable": {"memo://1"}.__contains__,
            "mark": partial(Mark, self.exchange.id, 1, "tools/call", "read", token=token),
            "asks_for_log": False,
        }
        self.hearing = Hearing(self.exchange, self.asks, **{**known, **more})

    @property
    def events(self) -> list[Event]:
        """What the client got."""
        return EventDecoder().feed(self.sent.body)

    @property
    def heard(self) -> list[Any]:
        """The messages that the client got."""
        return [jsonrpc.parse(event.data) for event in self.events]


# --- notifications ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [7, 0, "t", ""])
async def test_progress_is_told_under_the_token_that_the_client_chose(token: Any) -> None:
    client = Client(token=token)
    assert client.hearing.wants_progress
    await client.hearing.progressed({"progress": 1, "total": 5})
    assert client.heard == [Notification("notifications/progress", {"progressToken": token, "progress": 1, "total": 5})]


async def test_progress_that_nobody_asked_for_is_not_told() -> None:
    client = Client()
    assert not client.hearing.wants_progress
    await client.hearing.progressed({"progress": 1})
    assert client.heard == []


# The client's era, what else is so, what the server says, and whether the client hears it.
HEARD: list[tuple[Wire, dict[str, Any], Notification, bool]] = [
    (HANDSHAKE, {}, LOG, True),
    (HANDSHAKE, {"server": {}}, LOG, False),
    (MODERN, {}, LOG, False),
    (MODERN, {"asks_for_log": True}, LOG, True),
    (MODERN, {"asks_for_log": True, "server": {}}, LOG, False),
    (HANDSHAKE, {}, UPDATED, True),
    (HANDSHAKE, {"readable": lambda uri: False}, UPDATED, False),
    (HANDSHAKE, {}, Notification(UPDATED.method, {"uri": "memo://2"}), False),
    (HANDSHAKE, {}, Notification(UPDATED.method, {"uri": ["memo://1"]}), False),
    (HANDSHAKE, {}, Notification(UPDATED.method, {}), False),
    (MODERN, {}, UPDATED, False),
    (HANDSHAKE, {}, ELICITED, True),
    (HANDSHAKE, {"capabilities": {"sampling": {}}}, ELICITED, False),
    (HANDSHAKE, {}, Notification("notifications/tasks/status", {"taskId": "task-1"}), False),
    (HANDSHAKE, {}, Notification("notifications/initialized", {}), False),
    (HANDSHAKE, {}, Notification("notifications/unheard-of", {}), False),
    (HANDSHAKE, {}, Notification("tools/call", {"name": "read"}), False),
]


@pytest.mark.parametrize(("wire", "more", "said", "told"), HEARD)
async def test_a_client_hears_what_is_its_own_to_hear(
    wire: Wire, more: dict[str, Any], said: Notification, *, told: bool
) -> None:
    client = Client(wire=wire, **more)
    await client.hearing.notified(said)
    assert client.heard == ([said] if told else [])


async def test_a_change_of_a_list_is_told_without_the_servers_own_words() -> None:
    client = Client()
    await client.hearing.notified(Notification(TOOLS, {"_meta": {"secret": 1}}))
    await client.hearing.changes.finish()
    assert client.heard == [Notification(TOOLS, {})]


async def test_a_client_of_the_modern_era_is_told_of_changes_on_a_subscription_alone() -> None:
    client = Client(wire=MODERN)
    await client.hearing.notified(Notification(TOOLS))
    await client.hearing.changes.finish()
    assert client.heard == []


# --- changes ------------------------------------------------------------------------------------------------------


class Told:
    """Notes that were told; each wakes whoever waits."""

    def __init__(self) -> None:
        self.notes: asyncio.Queue[str] = asyncio.Queue()

    async def tell(self, method: str) -> None:
        """Tell it."""
        self.notes.put_nowait(method)

    async def next(self) -> str:
        """The next one."""
        async with asyncio.timeout(60):
            return await self.notes.get()


async def test_the_first_change_is_told_at_once_and_those_that_follow_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hearing.COALESCED_SECONDS", 2.0)
    told = Told()
    changes = Changes(told.tell)
    for _ in range(10):
        changes.note(TOOLS)
    assert await told.next() == TOOLS
    assert (told.notes.empty(), list(changes._timers)) == (True, [TOOLS])
    assert await told.next() == TOOLS
    await changes.finish()
    assert told.notes.empty()


async def test_lists_are_told_of_apart() -> None:
    told = Told()
    changes = Changes(told.tell)
    changes.note(TOOLS)
    changes.note(PROMPTS)
    assert {await told.next(), await told.next()} == {TOOLS, PROMPTS}


async def test_what_waits_is_told_before_the_stream_ends_and_nothing_after() -> None:
    told = Told()
    changes = Changes(told.tell)
    changes.note(TOOLS)
    changes.note(TOOLS)
    await changes.finish()
    assert told.notes.qsize() == 2
    assert not changes._timers
    await changes.finish()
    assert told.notes.qsize() == 2


# --- questions ----------------------------------------------------------------------------------------------------

QUESTION = Request("q-1", "sampling/createMessage", {"messages": []})


async def asked(client: Client, request: Request = QUESTION, session: UpstreamSession | None = SESSION) -> Any:
    """What the server is answered at once; None where the client answers."""
    answer = await client.hearing.asked(request, session)
    return answer if answer is None else jsonrpc.parse(answer)


async def test_a_question_goes_to_the_client_under_an_id_that_only_its_session_can_answer() -> None:
    client = Client()
    assert await asked(client) is None
    (question,) = client.heard
    assert (question.method, question.params) == (QUESTION.method, QUESTION.params)
    sent = await client.asks.take(Response(question.id, result={}), client.exchange.recorded, PLACE)
    assert jsonrpc.parse(sent) == Response("q-1", result={})
    assert client.kept.drafts[0].parent_call_id == client.exchange.id


DECLINED: dict[str, tuple[dict[str, Any], Request, UpstreamSession | None]] = {
    "it did not say that it takes such": ({"capabilities": {"roots": {}}}, QUESTION, SESSION),
    "it takes no streams": ({"streams": False}, QUESTION, SESSION),
    "it has no session": ({"place": ()}, QUESTION, SESSION),
    "it is of the modern era": ({"wire": MODERN}, QUESTION, SESSION),
    "the server has no session": ({}, QUESTION, None),
    "it is nothing that is asked of clients": ({}, Request("q-1", "tools/call"), SESSION),
}


@pytest.mark.parametrize("why", DECLINED)
async def test_a_client_that_cannot_be_asked_is_not(why: str) -> None:
    more, request, session = DECLINED[why]
    client = Client(**more)
    answer = await asked(client, request, session)
    assert (answer.id, answer.error["code"]) == ("q-1", METHOD_NOT_FOUND)
    assert (client.heard, client.kept.drafts) == ([], [])


async def test_a_ping_is_answered_here() -> None:
    client = Client()
    assert await asked(client, Request(0, "ping")) == Response(0, result={})
    assert client.heard == []


async def test_a_question_that_cannot_be_recorded_is_not_asked() -> None:
    client = Client()
    client.kept.away = True
    answer = await asked(client)
    assert (answer.id, answer.error["message"]) == ("q-1", "The client cannot be asked now.")
    assert client.heard == []


async def test_a_client_is_not_asked_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hearing._PENDING_MAX", 2)
    client = Client()
    answers = [await asked(client, Request(number, QUESTION.method)) for number in range(3)]
    assert answers[:2] == [None, None]
    assert answers[2].error["message"] == "The client cannot be asked now."
    assert len(client.heard) == 2


@pytest.mark.parametrize("id_", ["q-1", 7])
async def test_a_question_that_is_withdrawn_is_withdrawn_under_the_clients_id(id_: Any) -> None:
    client = Client()
    await asked(client, Request(id_, QUESTION.method))
    note = Notification("notifications/cancelled", {"requestId": id_, "reason": "Never mind."})
    await client.hearing.notified(note)
    await client.hearing.notified(note)
    question, *withdrawn = client.heard
    assert withdrawn == [Notification(note.method, {"requestId": question.id, "reason": "Never mind."})]


@pytest.mark.parametrize("id_", ["q-2", None, [], {"a": 1}, 1.5])
async def test_what_was_not_asked_is_not_withdrawn(id_: Any) -> None:
    client = Client()
    await asked(client)
    await client.hearing.notified(Notification("notifications/cancelled", {"requestId": id_}))
    assert len(client.heard) == 1


# --- ids of events ------------------------------------------------------------------------------------------------


async def test_an_event_has_an_id_of_ours_that_says_where_the_server_goes_on() -> None:
    client = Client(token="t")
    await client.hearing.marked(Event("message", b"", "e-0", 100), 12)
    await client.hearing.marked(Event("message", b"{}", "e-1"), 12)
    await client.hearing.notified(LOG)
    await client.hearing.notified(LOG)
    primed, first, second = client.events
    assert (primed.data, primed.retry, second.id, client.hearing.marks) == (b"", 100, "", 2)
    for event, upstream in ((primed, "e-0"), (first, "e-1")):
        mark = client.asks.marked(event.id, PLACE)
        assert mark == Mark(client.exchange.id, 1, "tools/call", "read", upstream, 12, "t")


@pytest.mark.parametrize("more", [{"streams": False}, {"place": ()}, {"wire": MODERN}])
async def test_who_cannot_come_back_is_given_no_ids(more: dict[str, Any]) -> None:
    client = Client(**more)
    await client.hearing.marked(Event("message", b"", "e-0", 100), 12)
    await client.hearing.marked(Event("message", b"{}", "e-1"), 12)
    await client.hearing.notified(LOG)
    assert (client.hearing.marks, [event.id for event in client.events if event.id]) == (0, [])


async def test_an_id_that_would_be_too_long_to_come_back_is_not_given() -> None:
    client = Client(mark=partial(Mark, Client().exchange.id, 1, "resources/read", "x" * 5000))
    await client.hearing.marked(Event("message", b"", "e-0", 100), 12)
    await client.hearing.marked(Event("message", b"{}", "e-1"), 12)
    await client.hearing.notified(LOG)
    assert (client.hearing.marks, [event.id for event in client.events]) == (0, [""])
