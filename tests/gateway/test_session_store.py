"""Rows of sessions, as two processes know them: two shelves on one real database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from core.ids import new_id
from gateway.jsonrpc import exact_float
from gateway.session import LIFETIME
from gateway.session_store import KEPT_SECONDS, LONGEST, Shared, Shelf, keepable
from gateway.store import Store

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://up.example/mcp"
ABLE: dict[str, Any] = {"sampling": {}, "elicitation": {"form": {}}}


@pytest.fixture
async def rows(valkey_url: str) -> AsyncIterator[Store]:
    """Threads that use the database; nothing is looked at and nothing heard."""
    made = Store(resource=str, redis_url=valkey_url)
    yield made
    await made.stop()


@pytest.fixture
def told() -> list[tuple[str, float]]:
    """The sessions whose end any process told of: of what, and for how long it was open."""
    return []


@pytest.fixture
def here(rows: Store, told: list[tuple[str, float]]) -> Shelf:
    return Shelf(rows, told=lambda seconds, *, of: told.append((of, seconds)))


@pytest.fixture
def there(rows: Store, told: list[tuple[str, float]]) -> Shelf:
    """Another process's."""
    return Shelf(rows, told=lambda seconds, *, of: told.append((of, seconds)))


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr("gateway.session_store.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def opened(shelf: Shelf, id_: UUID | None = None) -> UUID:
    """A session's id."""
    id_ = id_ or new_id()
    await shelf.open(id_, holder="1|", slug="files", version="2025-11-25", capabilities=ABLE)
    return id_


async def known(shelf: Shelf, id_: UUID) -> Shared:
    """The row of a session that is there."""
    row = await shelf.get(id_)
    assert row is not None
    return row


async def put(shelf: Shelf, row: Shared, sealed: str, opened_at: datetime | None = None) -> Shared | None:
    """Keep a session with the server."""
    return await shelf.put_behind(row, url=URL, sealed=sealed, version="2025-06-18", opened_at=opened_at)


def change(id_: UUID, **values: Any) -> Callable[[], Any]:
    """What changes a row past every shelf."""
    from gateway.models import Session

    return lambda: Session.objects.filter(pk=id_).update(**values)


# --- reading ------------------------------------------------------------------------------------------------------


async def test_a_session_that_one_process_opened_is_known_to_another(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    expected = Shared(id_, ended=False, capabilities=ABLE)
    assert await here.get(id_) == await there.get(id_) == await there.read(id_) == expected


async def test_a_session_that_nobody_opened_is_none(here: Shelf) -> None:
    id_ = new_id()
    assert await here.get(id_) is None
    assert await here.read(id_) is None
    assert await here.end(id_) is None
    assert await put(here, Shared(id_, ended=False, capabilities={}), "mine") is None


async def test_a_row_is_read_again_once_it_is_old(here: Shelf, clock: Clock) -> None:
    id_ = await opened(here)
    await sync_to_async(change(id_, capabilities={"roots": {}}))()
    clock.now += KEPT_SECONDS
    assert (await known(here, id_)).capabilities == ABLE
    clock.now += 0.1
    assert (await known(here, id_)).capabilities == {"roots": {}}


async def test_a_row_that_is_gone_is_gone_everywhere_within_seconds(here: Shelf, clock: Clock) -> None:
    from gateway.models import Session

    id_ = await opened(here)
    await sync_to_async(Session.objects.filter(pk=id_).delete)()
    assert await here.get(id_) is not None
    clock.now += KEPT_SECONDS + 0.1
    assert await here.get(id_) is None


async def test_only_so_many_rows_are_remembered(here: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.session_store._REMEMBERED", 2)
    ids = [await opened(here) for _ in range(4)]
    assert list(here._kept) == [id_.int for id_ in ids[2:]]
    assert (await known(here, ids[0])).id == ids[0]


async def test_a_row_that_is_known_is_the_one_that_is_got_and_all_else_is_asked_for(
    here: Shelf, there: Shelf, clock: Clock
) -> None:
    id_, other, nobodys = await opened(here), await opened(here), new_id()
    assert here.known(id_) == await here.get(id_)
    assert here.known(id_) is not None
    assert here.known(nobodys) is there.known(id_) is None
    clock.now += KEPT_SECONDS
    assert here.known(id_) is not None
    clock.now += 0.1
    assert here.known(id_) is None, "it is old"
    assert await here.get(id_) == here.known(id_)
    await here.end(id_)
    here.ended(other)
    assert here.known(id_) is here.known(other) is None
    clock.now += KEPT_SECONDS + 0.1
    assert here.known(id_) is here.known(other) is None
    assert await here.get(id_) is None
    assert await here.get(other) == here.known(other) is not None


# --- what stands behind a session ---------------------------------------------------------------------------------


async def test_what_one_process_put_behind_a_session_another_finds(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    kept = await put(here, await known(here, id_), "sealed")
    assert kept == await there.get(id_) == await here.get(id_)
    assert kept == Shared(id_, False, ABLE, 1, URL, "sealed", "2025-06-18")


async def test_of_two_processes_that_open_one_at_once_the_first_is_right(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    rows = await known(here, id_), await known(there, id_)
    found = await asyncio.gather(put(here, rows[0], "here's"), put(there, rows[1], "there's"))
    assert found[0] is not None
    assert found[0] == found[1]
    assert (found[0].generation, found[0].upstream_id in ("here's", "there's")) == (1, True)
    assert await here.get(id_) == await there.get(id_) == found[0]


async def test_who_comes_with_what_it_knew_before_takes_what_is_there(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    before = await known(there, id_)
    first = await put(here, await known(here, id_), "first")
    assert first is not None
    second = await put(here, first, "second")
    assert second is not None
    assert second.generation == 2
    assert await put(there, before, "late") == await put(there, first, "late") == second


async def test_nothing_is_put_behind_a_session_that_has_ended(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    row = await known(here, id_)
    await there.end(id_)
    assert await put(here, row, "mine") is None
    assert await here.get(id_) is None


# --- the end ------------------------------------------------------------------------------------------------------


async def test_a_session_ends_once_and_says_what_stood_behind_it(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    before = await put(here, await known(here, id_), "sealed")
    assert await there.end(id_) == before
    assert await there.end(id_) is None
    assert await there.get(id_) is None
    assert await there.read(id_) is None


async def test_of_two_processes_that_end_one_at_once_one_ends_it(here: Shelf, there: Shelf) -> None:
    id_ = await opened(here)
    found = await asyncio.gather(here.end(id_), there.end(id_))
    assert sorted(row is None for row in found) == [False, True]


async def test_an_end_is_told_once_with_how_long_the_session_was_open(
    here: Shelf, there: Shelf, told: list[tuple[str, float]]
) -> None:
    id_ = await opened(here)
    await sync_to_async(aged)(id_, seconds=90)
    await asyncio.gather(here.end(id_), there.end(id_))
    here.ended(id_)
    ((of, seconds),) = told
    assert of == "server"
    assert seconds == pytest.approx(90, abs=30)


async def test_a_clock_that_is_behind_the_openers_makes_no_time_below_zero(
    here: Shelf, told: list[tuple[str, float]]
) -> None:
    id_ = await opened(here)
    await sync_to_async(aged)(id_, seconds=-90)
    await here.end(id_)
    assert told == [("server", 0.0)]


async def test_an_end_reaches_the_other_processes_by_the_next_reading_and_by_a_word_at_once(
    here: Shelf, there: Shelf, clock: Clock
) -> None:
    told, untold = await opened(here), await opened(here)
    for id_ in (told, untold):
        assert await there.get(id_) is not None
        await here.end(id_)
    there.ended(told)
    assert await there.get(told) is None
    assert await there.get(untold) is not None
    clock.now += KEPT_SECONDS + 0.1
    assert await there.get(untold) is None


async def test_a_reading_that_began_before_the_end_does_not_bring_a_session_back(rows: Store) -> None:
    """The word may come while the row is on its way from the database."""
    shelf: Shelf

    class Late:
        """Hands a row over after the word came."""

        async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
            found = await rows.run(work, *arguments)
            shelf.ended(id_)
            return found

    id_ = await opened(Shelf(rows))
    shelf = Shelf(Late())
    await shelf.read(id_)
    assert await shelf.get(id_) is None


async def test_a_false_word_ends_no_session_for_longer_than_a_moment(here: Shelf, clock: Clock) -> None:
    id_ = await opened(here)
    here.ended(id_)
    assert await here.get(id_) is None
    clock.now += KEPT_SECONDS + 0.1
    assert await here.get(id_) is not None


# --- expiry -------------------------------------------------------------------------------------------------------


def aged(*ids: UUID, seconds: float) -> None:
    """Let sessions be older than they are."""
    from gateway.models import Session

    Session.objects.filter(pk__in=ids).update(created_at=timezone.now() - timedelta(seconds=seconds))


def left() -> set[UUID]:
    """The sessions that have rows."""
    from gateway.models import Session

    return set(Session.objects.values_list("pk", flat=True))


async def test_rows_are_removed_once_no_id_can_open_them_any_more(here: Shelf) -> None:
    old, young = await opened(here), await opened(here)
    await sync_to_async(aged)(old, seconds=LIFETIME + 70)
    await sync_to_async(aged)(young, seconds=LIFETIME + 50)
    new = await opened(here)
    assert await sync_to_async(left)() == {young, new}


async def test_an_opening_takes_only_so_many_along(here: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.session_store._SWEPT", 2)
    old = [await opened(here) for _ in range(5)]
    await sync_to_async(aged)(*old, seconds=LIFETIME + 70)
    counts = []
    for _ in range(3):
        await opened(here)
        counts.append(len(await sync_to_async(left)() & set(old)))
    assert counts == [3, 1, 0]


async def test_a_session_that_expired_was_open_until_then_and_is_told_when_its_row_is_removed(
    here: Shelf, told: list[tuple[str, float]]
) -> None:
    bare, behind, ended = [await opened(here) for _ in range(3)]
    await put(here, await known(here, behind), "sealed", timezone.now() + timedelta(seconds=600))
    await here.end(ended)
    told.clear()
    await sync_to_async(aged)(bare, ended, seconds=LIFETIME + 70)
    await opened(here)
    assert told == [("server", LIFETIME)]
    await sync_to_async(change(behind, created_at=timezone.now() - timedelta(seconds=LIFETIME + 70)))()
    await sync_to_async(change(behind, upstream_opened_at=timezone.now() - timedelta(seconds=LIFETIME + 70 - 600)))()
    await opened(here)
    assert told[1:] == [("server", LIFETIME), ("client", pytest.approx(LIFETIME - 600, abs=30))]
    assert await sync_to_async(left)() & {bare, behind, ended} == set()


async def test_of_two_processes_that_remove_a_row_at_once_one_tells_of_it(
    here: Shelf, there: Shelf, told: list[tuple[str, float]]
) -> None:
    old = [await opened(here) for _ in range(20)]
    await sync_to_async(aged)(*old, seconds=LIFETIME + 70)
    await asyncio.gather(*(opened(shelf) for shelf in (here, there) * 3))
    assert told == [("server", LIFETIME)] * 20


# --- what a row can hold ------------------------------------------------------------------------------------------

HELD: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing": ({}, True),
    "the usual": (ABLE, True),
    "numbers of every kind": ({"sampling": {"a": [2**70, -1.5, exact_float("1.10"), exact_float("1e20")]}}, True),
    "texts of every kind": ({"sampling": {'é\u2028"\\': "\U0001f600\x01\x7f"}}, True),
    "as much as there is room for": ({"sampling": {"x": "x" * (LONGEST - 30)}}, True),
    "more than there is room for": ({"sampling": {"x": "x" * LONGEST}}, False),
    "more than there is room for in bytes": ({"sampling": {"x": "é" * (LONGEST // 2)}}, False),
    "NUL in a text": ({"sampling": {"x": "a\0b"}}, False),
    "NUL in a key": ({"extensions": {"a\0b": {}}}, False),
}


@pytest.mark.parametrize("name", HELD)
async def test_what_is_said_to_be_kept_can_be_kept(here: Shelf, there: Shelf, name: str) -> None:
    capabilities, fits = HELD[name]
    assert keepable(capabilities) is fits
    if fits:
        id_ = new_id()
        await here.open(id_, holder="1|", slug="files", version="2025-11-25", capabilities=capabilities)
        assert (await known(there, id_)).capabilities == capabilities
