"""A deadline ends what takes too long, and nothing else."""

import asyncio

import pytest

from core.deadline import Deadline, Deadlines


async def test_what_is_in_time_is_left_alone() -> None:
    with Deadline(60):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_what_takes_too_long_is_a_timeout() -> None:
    with pytest.raises(TimeoutError) as found, Deadline(0.01):
        await asyncio.sleep(120)
    assert isinstance(found.value.__cause__, asyncio.CancelledError)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling(), "the task goes on as if nobody had cancelled it"
    await asyncio.sleep(0)


async def test_an_error_that_comes_in_time_is_itself() -> None:
    with pytest.raises(ValueError, match="mine"), Deadline(0.01):
        raise ValueError("mine")
    await asyncio.sleep(0.03)  # its alarm was taken back: it would cancel this


async def test_the_inner_of_two_deadlines_ends_first_and_leaves_the_outer() -> None:
    with Deadline(60):
        with pytest.raises(TimeoutError), Deadline(0.01):
            await asyncio.sleep(120)
        await asyncio.sleep(0)


async def test_an_outer_deadline_goes_through_an_inner_one() -> None:
    with pytest.raises(TimeoutError), Deadline(0.01), Deadline(60):
        await asyncio.sleep(120)


@pytest.mark.parametrize("bound", [Deadline, Deadlines])
async def test_whoever_else_cancels_the_task_cancels_it(bound: type[Deadline | Deadlines]) -> None:
    async def work() -> None:
        with bound(60):
            await asyncio.sleep(120)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("bound", [Deadline, Deadlines])
async def test_a_cancellation_of_somebody_else_is_not_turned_into_a_timeout_by_a_deadline_in_the_same_moment(
    bound: type[Deadline | Deadlines],
) -> None:
    async def work() -> None:
        with bound(0):
            asyncio.get_running_loop().call_soon(tasks[0].cancel)
            await asyncio.sleep(120)

    tasks = [asyncio.create_task(work())]
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_each_of_many_pieces_has_all_of_the_time() -> None:
    deadlines = Deadlines(0.5)
    for _ in range(6):  # together longer than one of them may take
        with deadlines:
            await asyncio.sleep(0.1)
    for _ in range(2):
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError) as found, deadlines:
            await asyncio.sleep(120)
        assert asyncio.get_running_loop().time() - began > 0.49
        assert isinstance(found.value.__cause__, asyncio.CancelledError)
    deadlines.close()


async def test_between_pieces_nothing_is_ended_and_an_error_in_one_is_itself() -> None:
    deadlines = Deadlines(0.02)
    with pytest.raises(ValueError, match="mine"), deadlines:
        raise ValueError("mine")
    await asyncio.sleep(0.05)
    with deadlines:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    deadlines.close()
