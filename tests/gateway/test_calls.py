"""How calls in flight end."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from gateway.calls import Calls, Carried, Waiting
from gateway.jsonrpc import Response
from gateway.protocol import Wire
from gateway.reply import Channel
from gateway.transport import UpstreamFailed
from gateway.upstream import Outgoing

OUTGOING = Outgoing("https://up.example/mcp", Wire(modern=True, version="2026-07-28"), "tools/call", {}, owner="a")


class Sender:
    """Answers as it is told; a fake of the network, which `test_upstream` has for real."""

    def __init__(self, answer: Callable[[], Awaitable[Response]]) -> None:
        self._answer = answer

    async def send(self, outgoing: Outgoing) -> Response:
        return await self._answer()

    def forget(self, owner: str) -> None:
        """Nothing is kept."""


def waiting(*, modern: bool = True) -> Waiting:
    """A client that waits."""

    async def send(event: MutableMapping[str, Any]) -> None:
        """Nobody listens."""

    wire = Wire(modern=modern, version="")
    return Waiting(("a", 1), wire, Channel(send, streams=False), asyncio.Event(), {"name": "files", "version": "1"})


async def carried(answer: Callable[[], Awaitable[Response]]) -> Carried:
    """How a call ends whose server answers so."""
    return await Calls(Sender(answer)).carry(OUTGOING, waiting())


ENDS: dict[str, tuple[Response | Exception, str, str]] = {
    "a result": (Response(1, result={"content": []}), "ok", ""),
    "a failed tool": (Response(1, result={"content": [], "isError": True}), "tool_error", ""),
    "an error": (Response(1, error={"code": -32603, "message": "no"}), "error", "jsonrpc -32603"),
    "an error about our message": (Response(1, error={"code": -32020, "message": "x"}), "failed", "protocol_error"),
    "a question": (Response(1, result={"resultType": "input_required"}), "failed", "not_carried"),
    "no object": (Response(1, result=[]), "failed", "not_carried"),
    "nothing": (UpstreamFailed("timeout", "The server did not answer in time."), "failed", "timeout"),
}


@pytest.mark.parametrize("name", ENDS)
async def test_every_end_has_an_outcome_and_exactly_one_answer(name: str) -> None:
    given, status, cls = ENDS[name]

    async def answer() -> Response:
        if isinstance(given, Exception):
            raise given
        return given

    found = await carried(answer)
    assert (found.outcome.status, found.outcome.error_class) == (status, cls)
    assert sum(each is not None for each in (found.result, found.error, found.failure)) == 1


async def forever() -> Response:
    """An answer that never comes."""
    await asyncio.Event().wait()
    raise AssertionError


async def started(calls: Calls, client: Waiting) -> "asyncio.Task[Carried]":
    """A call that is in flight."""
    task = asyncio.create_task(calls.carry(OUTGOING, client))
    await asyncio.sleep(0)
    return task


async def test_a_caller_cancels_their_own_call_and_no_other() -> None:
    calls = Calls(Sender(forever))
    task = await started(calls, waiting(modern=False))
    others: list[tuple[str, Any]] = [("b", 1), ("a", 2), ("a", "1"), ("a", []), ("a", None)]
    for key in others:
        calls.cancel(key)
    assert not task.done()
    calls.cancel(("a", 1))
    assert (await task).outcome.status == "cancelled"


@pytest.mark.parametrize("modern", [True, False])
async def test_hanging_up_cancels_in_the_modern_era_only(*, modern: bool) -> None:
    calls, client = Calls(Sender(forever)), waiting(modern=modern)
    task = await started(calls, client)
    client.gone.set()
    done, _ = await asyncio.wait({task}, timeout=0.1)
    assert bool(done) is modern
    calls.abort()
    assert (await task).outcome.status == "cancelled"


async def test_ending_the_process_ends_calls_with_a_record_of_why() -> None:
    calls = Calls(Sender(forever))
    task = await started(calls, waiting())
    assert not await calls.drained(0.01)
    calls.abort()
    found = await task
    assert (found.outcome.error_class, found.failure.code if found.failure else 0) == ("shutdown", -32012)
    assert await calls.drained(1)


async def test_two_calls_under_one_id_both_end_before_the_process_is_idle() -> None:
    calls = Calls(Sender(forever))
    tasks = [asyncio.create_task(calls.carry(OUTGOING, waiting(modern=False))) for _ in range(2)]
    await asyncio.sleep(0)
    calls.cancel(("a", 1))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert not await calls.drained(0.01)
    calls.abort()
    await asyncio.gather(*tasks)
    assert await calls.drained(1)
