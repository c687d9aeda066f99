"""Questions of servers: recorded before they go out, and answered through any process by whom they were put to."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from audit.events import Event, RecordType
from core.ids import new_id
from gateway import jsonrpc
from gateway.asks import ANSWERED_WITHIN, LONGEST, Asks, Mark, asked_bytes, not_asked
from gateway.errors import Refused
from gateway.exchange import Exchange
from gateway.jsonrpc import Request, Response
from tests.gateway.admitting import NOW, Kept, exchange, recorder, seal

PLACE = ("1|", "files", "5e551011")
QUESTION = Request("q-1", "sampling/createMessage", {"messages": [], "maxTokens": 5})


def asks(kept: Kept, purpose: str = "question") -> Asks:
    """One process's."""
    return Asks(recorder(kept), seal(purpose, longest=LONGEST))


async def put(kept: Kept, within: Exchange | None = None, request: Request = QUESTION) -> str:
    """The id under which a client gets a question."""
    id_ = await asks(kept).put(request, within or exchange(), PLACE)
    assert id_ is not None
    return id_


async def test_an_answer_reaches_the_server_under_its_own_id_through_any_process() -> None:
    kept = Kept()
    id_ = await put(kept)
    sent = await asks(kept).take(Response(id_, result={"role": "assistant"}), exchange().recorded, PLACE)
    assert jsonrpc.parse(sent) == Response("q-1", result={"role": "assistant"})
    assert "q-1" not in id_


@pytest.mark.parametrize("upstream_id", [0, -1, 2**70, "", "é", "x" * 1024, "\U0001f600" * 500])
async def test_a_server_may_choose_any_id(upstream_id: Any) -> None:
    id_ = await put(Kept(), request=Request(upstream_id, "roots/list"))
    sent = await asks(Kept()).take(Response(id_, result={"roots": []}), exchange().recorded, PLACE)
    assert jsonrpc.parse(sent) == Response(upstream_id, result={"roots": []})


async def test_a_refusal_of_the_client_reaches_the_server_as_it_is() -> None:
    error = {"code": -1, "message": "No.", "data": {"why": "rude"}}
    sent = await asks(Kept()).take(Response(await put(Kept()), error=error), exchange().recorded, PLACE)
    assert jsonrpc.parse(sent) == Response("q-1", error=error)


async def test_both_ways_are_recorded_as_parts_of_the_call_that_the_question_belongs_to() -> None:
    kept, within = Kept(), exchange()
    within.recorded.principal, within.recorded.tool, within.recorded.method = "agent:robot", "read", "tools/call"
    id_ = await put(kept, within)
    answering = exchange()
    answering.recorded.principal = "agent:robot"
    await asks(kept).take(Response(id_, result={}), answering.recorded, PLACE)
    await asks(kept).take(Response(id_, error={"code": -1, "message": "No."}), answering.recorded, PLACE)
    asked, answered, refused = kept.drafts
    assert kept.kinds == [
        (RecordType.INTENT, Event.CLIENT_ASKED),
        (RecordType.OUTCOME, Event.CLIENT_ANSWERED),
        (RecordType.OUTCOME, Event.CLIENT_ANSWERED),
    ]
    for draft in kept.drafts:
        assert (draft.parent_call_id, draft.method) == (within.id, "sampling/createMessage")
        assert (draft.principal, draft.call_id) == ("agent:robot", asked.call_id)
    assert asked.call_id not in (None, within.id, answering.id)
    assert (asked.tool, answered.status, answered.error_class) == ("read", "ok", "")
    assert (refused.status, refused.error_class) == ("error", "jsonrpc -1")
    # The record of the request itself is as it was.
    assert (within.recorded.method, within.recorded.parent_call_id) == ("tools/call", None)


async def test_what_cannot_be_recorded_is_not_asked_and_not_answered() -> None:
    assert await asks(Kept(away=True)).put(QUESTION, exchange(), PLACE) is None
    with pytest.raises(Refused) as refused:
        await asks(Kept(away=True)).take(Response(await put(Kept()), result={}), exchange().recorded, PLACE)
    assert refused.value.status == 503


@pytest.mark.parametrize(
    "place",
    [("2|", "files", "5e551011"), ("1|", "other", "5e551011"), ("1|", "files", "0ther"), ("1|", "files"), (*PLACE, "event")],
)  # fmt: skip
async def test_nobody_answers_what_another_was_asked(place: tuple[str, ...]) -> None:
    kept = Kept()
    id_ = await put(kept)
    with pytest.raises(Refused, match="Nothing was asked under this id") as refused:
        await asks(kept).take(Response(id_, result={}), exchange().recorded, place)
    assert (refused.value.status, len(kept.drafts)) == (400, 1)


@pytest.mark.parametrize("id_", [None, 0, 1, "", "q-1", "A" * 5000])
async def test_an_answer_to_nothing_is_refused_and_sends_nothing(id_: Any) -> None:
    kept = Kept()
    with pytest.raises(Refused, match="Nothing was asked under this id"):
        await asks(kept).take(Response(id_, result={}), exchange().recorded, PLACE)
    assert not kept.drafts


async def test_what_was_sealed_for_something_else_answers_nothing() -> None:
    mark = asks(Kept()).mark(Mark(new_id(), 1, "tools/call", "read", "e", 1), PLACE)
    other = await asks(Kept(), "task").put(QUESTION, exchange(), PLACE)
    for id_ in (mark, other, seal("question").close(b"[1]", *PLACE)):
        with pytest.raises(Refused):
            await asks(Kept()).take(Response(id_, result={}), exchange().recorded, PLACE)


async def test_a_question_can_be_answered_for_an_hour() -> None:
    with time_machine.travel(NOW, tick=False) as moment:
        id_ = await put(Kept())
        moment.shift(timedelta(seconds=ANSWERED_WITHIN - 60))
        assert await asks(Kept()).take(Response(id_, result={}), exchange().recorded, PLACE)
        moment.shift(timedelta(seconds=1))
        with pytest.raises(Refused, match="too long ago"):
            await asks(Kept()).take(Response(id_, result={}), exchange().recorded, PLACE)


def test_the_question_is_the_servers_own_but_for_its_id() -> None:
    assert jsonrpc.parse(asked_bytes(QUESTION, "sealed")) == Request("sealed", QUESTION.method, QUESTION.params)


def test_a_server_whose_question_is_not_asked_is_told_so_under_its_own_id() -> None:
    told = jsonrpc.parse(not_asked(QUESTION))
    assert isinstance(told, Response)
    assert (told.id, told.error and told.error["code"]) == ("q-1", -32603)


CALL = UUID("0198c0de-0000-7000-8000-000000000000")
MARKS = [
    Mark(CALL),
    Mark(CALL, event="e-1"),
    Mark(CALL, 7, "tools/call", "read", "e-1", 12, "token"),
    Mark(CALL, "id", "resources/read", "memo://1", "é", 12, 3),
    Mark(CALL, "x" * 512, "tools/call", "y" * 512, "z" * 1024, 2**40, "t" * 512),
]


@pytest.mark.parametrize("mark", MARKS, ids=range(len(MARKS)))
def test_an_event_says_in_any_process_where_the_stream_goes_on(mark: Mark) -> None:
    id_ = asks(Kept()).mark(mark, PLACE)
    assert asks(Kept()).marked(id_, PLACE) == mark


HUGE = "x" * 5000


@pytest.mark.parametrize(
    "huge", [Mark(CALL, client_id=HUGE), Mark(CALL, name=HUGE), Mark(CALL, event=HUGE), Mark(CALL, token=HUGE)]
)
def test_an_id_that_could_not_be_taken_back_is_not_given(huge: Mark) -> None:
    """A caller chooses most of what stands in it, and would get all of it back with every event."""
    assert asks(Kept()).mark(huge, PLACE) == ""


@pytest.mark.parametrize("place", [("2|", "files", "5e551011"), ("1|", "other", "5e551011"), ("1|", "files", "0ther"), ("1|", "files")])  # fmt: skip
def test_nobody_goes_on_with_anothers_stream(place: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="no event of this id") as refused:
        asks(Kept()).marked(asks(Kept()).mark(MARKS[2], PLACE), place)
    assert refused.value.status == 400


async def test_a_question_is_no_event() -> None:
    for id_ in ("", "1", "é", "A" * 5000, await put(Kept())):
        with pytest.raises(Refused, match="no event of this id"):
            asks(Kept()).marked(id_, PLACE)


async def test_a_question_whose_id_could_not_come_back_is_not_asked_and_not_recorded() -> None:
    kept = Kept()
    assert await asks(kept).put(Request("\U0001f600" * 1024, "roots/list"), exchange(), PLACE) is None
    assert not kept.drafts
