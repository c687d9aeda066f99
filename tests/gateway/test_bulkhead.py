"""Places for calls and streams: who gets one, and whom a full server leaves alone."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from access.policy import Reason
from gateway.bulkhead import CALLS, STREAMS, Bulkheads, share
from gateway.errors import SERVER_BUSY, Refused, http_status
from servers.limits import CALLS_OF_ONE_SERVER, STREAMS_OF_ONE_SERVER, CallLimits

FOUR = CallLimits(concurrent_calls=4, concurrent_streams=4)
Take = Callable[[str, CallLimits, str], AbstractContextManager[None]]


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """What is under way until the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["call", "stream"])
def take(request: pytest.FixtureRequest) -> Take:
    """Takes a place of either kind, of a process that has eight."""
    bulkheads = Bulkheads(calls=8, streams=8)
    return {"call": bulkheads.call, "stream": bulkheads.stream}[request.param]


def fill(take: Take, held: ExitStack, slug: str, limits: CallLimits = FOUR) -> None:
    """Take every place of a server, each for another caller."""
    for number in range(min(limits.concurrent_calls, limits.concurrent_streams)):
        held.enter_context(take(slug, limits, f"caller {number}"))


def refusal(take: Take, slug: str, holder: str, limits: CallLimits = FOUR) -> Refused:
    """What somebody is told who gets no place."""
    with pytest.raises(Refused) as refused, take(slug, limits, holder):
        pytest.fail("there was a place")
    return refused.value


def test_a_server_with_as_much_under_way_as_it_may_refuses_the_next_at_once(take: Take, held: ExitStack) -> None:
    fill(take, held, "files")
    refused = refusal(take, "files", "another")
    assert (refused.reason, refused.code, refused.recorded_as) == (Reason.SERVER_BUSY, SERVER_BUSY, Reason.SERVER_BUSY)
    assert {http_status(refused, modern=modern) for modern in (True, False)} == {503}
    assert ("retry-after", "1") in refused.headers
    data = refused.payload("r-1")["data"]
    assert (data["code"], data["reason"], data["request_id"]) == ("server_busy", "server_busy", "r-1")
    assert "This server" in data["message"]


def test_a_full_server_takes_nothing_from_the_others(take: Take, held: ExitStack) -> None:
    fill(take, held, "hanging")
    fill(take, held, "files")


def test_a_place_is_free_again_when_the_call_has_ended_however_it_ended(take: Take, held: ExitStack) -> None:
    one = CallLimits(concurrent_calls=1, concurrent_streams=1)
    with pytest.raises(ZeroDivisionError), take("files", one, "a"):
        _ = 1 / 0
    with take("files", one, "b"):
        refusal(take, "files", "a", one)
    held.enter_context(take("files", one, "a"))


def test_one_caller_leaves_a_quarter_of_a_server_to_others(take: Take, held: ExitStack) -> None:
    for _ in range(3):
        held.enter_context(take("files", FOUR, "greedy"))
    assert "one caller" in refusal(take, "files", "greedy").message
    held.enter_context(take("mail", FOUR, "greedy"))
    held.enter_context(take("files", FOUR, "modest"))
    assert "This server" in refusal(take, "files", "modest").message


@pytest.mark.parametrize(("cap", "places"), [(1, 1), (2, 1), (3, 2), (4, 3), (64, 48), (500, 375)])
def test_a_caller_has_three_quarters_and_at_least_one_place(cap: int, places: int) -> None:
    assert share(cap) == places


def test_a_full_process_still_has_a_place_for_a_server_that_has_none(take: Take, held: ExitStack) -> None:
    for slug in ("hanging", "greedy"):
        fill(take, held, slug)
    with take("files", FOUR, "a"):
        assert "This gateway" in refusal(take, "files", "b").message
    held.enter_context(take("files", FOUR, "b"))
    held.enter_context(take("mail", FOUR, "b"))


def test_no_server_can_be_given_so_many_places_that_it_fills_the_process() -> None:
    assert CALLS_OF_ONE_SERVER <= CALLS // 2
    assert STREAMS_OF_ONE_SERVER <= STREAMS // 2


def test_narrower_limits_hold_for_what_comes_and_end_nothing(take: Take, held: ExitStack) -> None:
    inner = held.enter_context(ExitStack())
    fill(take, inner, "files")
    narrow = CallLimits(concurrent_calls=2, concurrent_streams=2)
    refusal(take, "files", "late", narrow)
    inner.close()
    fill(take, held, "files", narrow)


def test_calls_and_streams_have_places_of_their_own(held: ExitStack) -> None:
    bulkheads = Bulkheads()
    fill(bulkheads.call, held, "files")
    fill(bulkheads.stream, held, "files")
    refusal(bulkheads.call, "files", "another")


def test_what_is_under_way_is_known_by_server_and_forgotten_afterwards() -> None:
    bulkheads = Bulkheads()
    with bulkheads.call("files", FOUR, "a"), bulkheads.call("files", FOUR, "b"), bulkheads.stream("mail", FOUR, "a"):
        assert (dict(bulkheads.calls), dict(bulkheads.streams)) == ({"files": 2}, {"mail": 1})
        with pytest.raises(Refused), bulkheads.call("files", CallLimits(concurrent_calls=2), "c"):
            pytest.fail("there was a place")
        assert dict(bulkheads.calls) == {"files": 2}
    assert (dict(bulkheads.calls), dict(bulkheads.streams)) == ({}, {})
