"""How calls in flight end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, cast

import pytest

from gateway.calls import Calls, Ended, Key, Waiting, _Call
from gateway.errors import REQUEST_CANCELLED, SHUTTING_DOWN, UPSTREAM_FAILED
from gateway.protocol import Wire
from gateway.reply import Channel
from gateway.sse import PING
from gateway.transport import UpstreamFailed
from tests.gateway.admitting import HANDSHAKE, MODERN, Sent

KEY: Key = ("a", 1)


class Client:
    """A client that waits for a call, and may hang up."""

    def __init__(self, key: Key = KEY, *, wire: Wire = HANDSHAKE, streams: bool = False) -> None:
        self.sent = Sent()
        self.gone = asyncio.Event()
        self.waiting = Waiting(key, wire, Channel(self.sent.send, streams=streams), self._hung_up)

    async def _hung_up(self) -> None:
        await self.gone.wait()


class Work:
    """What a call does: nothing, until it is let go or cancelled."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.done = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> str:
        """The call."""
        self.began.set()
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "answer"


async def begun(calls: Calls, client: Client | None = None) -> tuple["asyncio.Task[str]", Work]:
    """A call that is in flight."""
    work = Work()
    waiting = (client or Client()).waiting
    task = asyncio.create_task(calls.carry(work(), waiting, seconds=60))
    await work.began.wait()
    return task, work


async def ended(call: Awaitable[Any]) -> Ended:
    """How a call ended that came to no answer."""
    with pytest.raises(Ended) as end:
        await call
    return end.value


@pytest.fixture(autouse=True)
def _watched_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.calls.WATCHED_AFTER", 0.0)


async def test_a_call_that_is_answered_gives_its_answer() -> None:
    calls = Calls()
    task, work = await begun(calls)
    assert len(calls) == 1
    work.done.set()
    assert await task == "answer"
    assert len(calls) == 0


async def test_a_server_that_fails_ends_the_call_with_its_class_and_our_sentence() -> None:
    async def fails() -> None:
        raise UpstreamFailed("too_large", "The server's answer is larger than we accept.")

    end = await ended(Calls().carry(fails(), Client().waiting, seconds=60))
    assert (end.status, end.cls, end.refused.code) == ("failed", "too_large", UPSTREAM_FAILED)
    assert end.refused.message == "The server's answer is larger than we accept."
    assert isinstance(end.__cause__, UpstreamFailed)


async def test_a_call_that_takes_too_long_is_cancelled_and_has_failed() -> None:
    calls, work = Calls(), Work()
    end = await ended(calls.carry(work(), Client().waiting, seconds=0.01))
    assert (end.status, end.cls, end.refused.code) == ("failed", "timeout", UPSTREAM_FAILED)
    assert work.cancelled
    assert len(calls) == 0


async def test_a_defect_is_no_end_of_a_call_and_leaves_nothing_behind() -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    calls = Calls()
    with pytest.raises(ZeroDivisionError):
        await calls.carry(breaks(), Client().waiting, seconds=60)
    assert await calls.drained(0)


async def test_a_caller_cancels_their_own_call_and_no_other() -> None:
    calls = Calls()
    task, work = await begun(calls)
    others: list[tuple[str, Any]] = [("b", 1), ("a", 2), ("a", "1"), ("a", []), ("a", {}), ("a", None)]
    for key in others:
        assert not calls.cancel(key)
    await asyncio.sleep(0)
    assert not task.done()
    assert calls.cancel(KEY)
    end = await ended(task)
    assert (end.status, end.cls, end.refused.code) == ("cancelled", "cancelled", REQUEST_CANCELLED)
    assert work.cancelled
    assert not calls.cancel(KEY), "it is over"


async def test_another_process_is_asked_to_cancel_by_what_fits() -> None:
    calls = Calls()
    mine, _ = await begun(calls)
    other, work = await begun(calls, Client(("b", 1)))
    calls.cancel_where(lambda caller, request_id: (caller, request_id) == KEY)
    assert (await ended(mine)).status == "cancelled"
    assert not other.done()
    work.done.set()
    assert await other == "answer"


async def test_hanging_up_cancels_in_the_modern_era() -> None:
    client = Client(wire=MODERN)
    task, work = await begun(Calls(), client)
    client.gone.set()
    assert (await ended(task)).status == "cancelled"
    assert work.cancelled


async def test_hanging_up_means_nothing_in_the_handshake_era() -> None:
    client = Client(wire=HANDSHAKE)
    task, work = await begun(Calls(), client)
    client.gone.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    work.done.set()
    assert await task == "answer"


async def test_a_stream_is_kept_alive_while_a_call_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.calls.PING_SECONDS", 0.01)
    pings = asyncio.Semaphore(0)

    async def heard(event: MutableMapping[str, Any]) -> None:
        if event.get("body") == PING:
            pings.release()

    waiting = Waiting(KEY, HANDSHAKE, Channel(heard, streams=True), Client().waiting.hung_up)
    work = Work()
    task = asyncio.create_task(Calls().carry(work(), waiting, seconds=60))
    async with asyncio.timeout(60):
        await pings.acquire()
        await pings.acquire()
    work.done.set()
    await task


async def test_nothing_watches_a_call_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    before = asyncio.all_tasks()
    task, work = await begun(Calls(), Client(wire=MODERN))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - before) > 1
    work.done.set()
    await task
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_ending_the_process_ends_calls_with_a_record_of_why() -> None:
    calls = Calls()
    task, _ = await begun(calls)
    assert not await calls.drained(0.01)
    calls.abort()
    end = await ended(task)
    assert (end.status, end.cls, end.refused.code) == ("cancelled", "shutdown", SHUTTING_DOWN)
    assert await calls.drained(1)


async def test_a_call_that_begins_after_the_end_is_not_sent() -> None:
    """It was let in before, and waited for a session or a look."""
    calls, work = Calls(), Work()
    calls.abort()
    end = await ended(calls.carry(work(), Client().waiting, seconds=60))
    assert (end.status, end.cls, end.refused.code) == ("cancelled", "shutdown", SHUTTING_DOWN)
    assert not work.began.is_set()
    assert await calls.drained(0)


async def test_the_first_reason_to_end_counts() -> None:
    calls = Calls()
    task, _ = await begun(calls)
    calls.cancel(KEY)
    calls.abort()
    assert (await ended(task)).cls == "cancelled"


async def test_who_gives_up_on_the_whole_request_is_not_told_of_a_cancelled_call() -> None:
    calls = Calls()
    task, work = await begun(calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled
    assert await calls.drained(0)


async def test_two_calls_under_one_id_both_end_before_the_process_is_idle() -> None:
    calls = Calls()
    first, first_work = await begun(calls)
    second, _ = await begun(calls)
    assert calls.cancel(KEY), "the later one"
    assert (await ended(second)).status == "cancelled"
    assert not first.done()
    assert not await calls.drained(0.01)
    first_work.done.set()
    await first
    assert await calls.drained(1)


async def test_the_end_of_an_earlier_call_does_not_make_a_later_one_uncancellable() -> None:
    calls = Calls()
    first, first_work = await begun(calls)
    second, _ = await begun(calls)
    first_work.done.set()
    await first
    assert calls.cancel(KEY)
    assert (await ended(second)).status == "cancelled"


async def test_a_call_that_may_not_last_until_anybody_looks_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.calls.WATCHED_AFTER", 30.0)
    async with asyncio.timeout(20):
        assert (await ended(Calls().carry(Work()(), Client().waiting, seconds=0.01))).cls == "timeout"


class Clock:
    """The clock and timers of an event loop; nothing happens but by `pass_until`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.looks: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
        self.ends: list[float] = []
        self.watched = 0

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, what: Callable[..., None], *args: Any) -> object:
        self.looks.append((self.now + seconds, what, args))
        return self

    def call_at(self, when: float, _what: object, _why: str) -> None:
        self.ends.append(when)

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        self.watched += 1
        work.close()

    def pass_until(self, when: float) -> None:
        while self.looks and self.looks[0][0] <= when:
            self.now, look, args = self.looks.pop(0)
            look(*args)
        self.now = when


async def test_one_timer_looks_at_every_call_within_half_as_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.calls.WATCHED_AFTER", 1.0)
    calls, clock, task = Calls(), Clock(), asyncio.current_task()
    assert task is not None
    begun: list[_Call] = []

    def begin(when: float) -> None:
        clock.pass_until(when)
        begun.append(_Call(task, Client(("a", when)).waiting, when, when + 60))
        calls._begin(begun[-1], cast("asyncio.AbstractEventLoop", clock))

    for when in (100.0, 100.2, 100.4, 100.9):
        begin(when)
    calls._end(begun[1])
    assert len(clock.looks) == 1
    seen = []
    for when in (100.9, 101.0, 101.4, 101.5, 101.9, 102.0):
        clock.pass_until(when)
        seen.append(clock.watched)
    assert seen == [0, 1, 1, 2, 2, 3]
    assert clock.ends == [160.0, 160.4, 160.9], "each to the moment"
    assert not clock.looks, "nobody looks where there is nothing to see"
    begin(103.0)
    assert [look[0] for look in clock.looks] == [104.0]
