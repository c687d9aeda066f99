"""What is under way in a process."""

import asyncio

from gateway.in_flight import InFlight


def test_there_is_nothing_to_wait_for_where_nothing_is_under_way() -> None:
    assert asyncio.run(InFlight[str]().emptied(0.01)) is True


def test_the_wait_ends_with_the_last_one() -> None:
    async def wait() -> tuple[bool, int, bool]:
        under_way = InFlight[str]()
        under_way.add("one")
        under_way.add("two")
        waiting = asyncio.ensure_future(under_way.emptied(30))
        under_way.discard("one")
        await asyncio.sleep(0.01)
        early = waiting.done()
        under_way.discard("two")
        return early, len(under_way), await waiting

    assert asyncio.run(wait()) == (False, 0, True)


def test_patience_that_ends_first_says_so() -> None:
    async def wait() -> bool:
        under_way = InFlight[str]()
        under_way.add("one")
        return await under_way.emptied(0.01)

    assert asyncio.run(wait()) is False


def test_each_can_be_ended_while_all_are_gone_through() -> None:
    async def end() -> int:
        under_way = InFlight[str]()
        under_way.add("one")
        under_way.add("two")
        for each in under_way:
            under_way.discard(each)
        return len(under_way)

    assert asyncio.run(end()) == 0


def test_everybody_who_waits_hears_of_the_end_and_the_next_wait_is_for_the_next_end() -> None:
    async def wait() -> tuple[list[bool], bool]:
        under_way = InFlight[str]()
        under_way.add("one")
        waiting = [asyncio.ensure_future(under_way.emptied(30)) for _ in range(2)]
        await asyncio.sleep(0)
        under_way.discard("one")
        under_way.add("two")
        return await asyncio.gather(*waiting), await under_way.emptied(0.01)

    assert asyncio.run(wait()) == ([True, True], False)
