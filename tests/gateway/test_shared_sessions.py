"""The session behind a client's session: one for every process, on a real database and against a real listener."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from core.ids import new_id
from core.wire import WireClient
from gateway.dispatch import Dispatch, Parts, Way
from gateway.eras import Eras
from gateway.protocol import Wire
from gateway.session import Session
from gateway.session_store import Shelf
from gateway.shared_sessions import SharedSessions
from gateway.store import Store
from gateway.transport import Transport, UpstreamFailed
from tests.gateway import admitting
from tests.gateway.admitting import seal
from tests.gateway.scripted import SECONDS, Got, Scripted, hang, scripted, wire_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.network]

ABLE = {"sampling": {}, "roots": {"listChanged": True}}
UNUSED: dict[str, Any] = {"rounds": None, "handles": None}


@dataclass
class Process:
    """One process's part of it."""

    shelf: Shelf
    shared: SharedSessions


@dataclass
class Processes:
    """As many as a test wants, on one database."""

    store: Store
    client: WireClient
    told: list[str] = field(default_factory=list)  # the ends of sessions that any of them told of

    def one(self, purpose: str = "upstream session") -> Process:
        """Another process; with another `purpose` it seals by another key."""

        def told(seconds: float, *, of: str) -> None:
            assert 0 <= seconds < SECONDS * 10
            self.told.append(of)

        shelf, ids = Shelf(self.store, told=told), itertools.count(1)
        return Process(shelf, SharedSessions(Transport(self.client), ids, shelf, seal(purpose), told=told))


@pytest.fixture
async def processes(valkey_url: str) -> AsyncIterator[Processes]:
    store = Store(resource=str, redis_url=valkey_url)
    async with wire_client() as client:
        yield Processes(store, client)
    await store.stop()


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made


async def opened(process: Process) -> UUID:
    """A client's session."""
    id_ = new_id()
    await process.shelf.open(id_, holder="1|", slug="files", version="2025-11-25", capabilities=ABLE)
    return id_


async def failure(process: Process, id_: UUID, url: str) -> str:
    """How it fails to have a session with the server."""
    with pytest.raises(UpstreamFailed) as failed:
        await process.shared.get(id_, url)
    return failed.value.cls


async def test_every_process_uses_the_session_that_the_first_one_opened(processes: Processes, server: Scripted) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)
    assert await there.shared.opened(id_, server.url) is None
    first = await here.shared.get(id_, server.url)
    there.shelf._kept.clear()
    assert await there.shared.get(id_, server.url) == await there.shared.opened(id_, server.url) == first
    assert (first.id, first.owner, first.generation) == ("s-1", id_.hex, 1)
    (opening,) = server.of("initialize")
    assert opening.body["params"]["capabilities"] == ABLE


async def test_a_session_that_is_known_is_the_one_that_is_got(processes: Processes, server: Scripted) -> None:
    here, there, other = processes.one(), processes.one(), processes.one("another purpose")
    id_ = await opened(here)
    assert here.shared.known(id_, server.url) is None, "none is open"
    first = await here.shared.get(id_, server.url)
    assert here.shared.known(id_, server.url) == await here.shared.get(id_, server.url) == first
    assert here.shared.known(id_, "https://moved.example/mcp") is here.shared.known(new_id(), server.url) is None
    assert there.shared.known(id_, server.url) is None, "nobody has asked for it there"
    for process in (there, other):
        await process.shelf.read(id_)
    assert there.shared.known(id_, server.url) == first
    assert other.shared.known(id_, server.url) is None, "another key sealed it"
    await there.shared.lost(id_, first)
    assert there.shared.known(id_, server.url) is None, "another is being opened"
    second = await there.shared.get(id_, server.url)
    assert there.shared.known(id_, server.url) == second != first
    assert here.shared.known(id_, server.url) == await here.shared.get(id_, server.url) == first, "not told yet"
    await here.shelf.read(id_)
    assert here.shared.known(id_, server.url) == second
    await here.shared.end(id_)
    there.shelf.ended(id_)
    assert here.shared.known(id_, server.url) is there.shared.known(id_, server.url) is None


class Ways:
    """Ways that one process finds for a client's session: the one known at once, and the one asked and waited for."""

    def __init__(self, process: Process, id_: UUID, url: str, upstream: Wire) -> None:
        self.eras = Eras()
        parts = cast(Parts, SimpleNamespace(shared=process.shared, shelf=process.shelf, eras=self.eras, **UNUSED))
        self._dispatch = Dispatch(parts)
        part = replace(admitting.server(), url=url, upstream=upstream)
        self._asked = admitting.admitted(part=part, session=Session(id_, "2025-11-25"))

    def known(self) -> Way | None:
        return self._dispatch._plain_way(self._asked)

    async def found(self) -> Way:
        return await self._dispatch._session_way(self._asked)


@pytest.mark.parametrize("upstream", [admitting.HANDSHAKE, admitting.MODERN], ids=["handshake", "modern"])
async def test_a_way_that_is_known_is_the_one_that_is_found(
    processes: Processes, server: Scripted, upstream: Wire
) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)
    ways, elsewhere = (Ways(process, id_, server.url, upstream) for process in (here, there))
    assert elsewhere.known() is None, "the session must be asked for"
    if upstream.modern:
        assert ways.known() is None, "a session must be opened"
    found = await ways.found()
    assert ways.known() == found == Way(here.shared.behind(id_), admitting.HANDSHAKE, ABLE)
    ways.eras.is_modern_only(server.url)
    ways.eras._modern_only.clear()
    assert ways.known() == found
    assert ways.eras.speaks_handshake(upstream, server.url)
    await there.shared.end(id_)
    here.shelf.ended(id_)
    assert ways.known() is None


async def test_two_sessions_of_clients_have_nothing_in_common(processes: Processes, server: Scripted) -> None:
    here = processes.one()
    ids = [await opened(here) for _ in range(2)]
    found = [await here.shared.behind(id_).get(server.url) for id_ in ids]
    assert [each.id for each in found] == ["s-1", "s-2"]


async def test_the_servers_id_stands_nowhere_in_the_database(processes: Processes, server: Scripted) -> None:
    from gateway.models import Session

    here = processes.one()
    found = await here.shared.get(await opened(here), server.url)
    row = await sync_to_async(Session.objects.values().get)()
    assert found.id not in str(row)


async def test_a_row_that_was_moved_to_another_session_opens_nothing(processes: Processes, server: Scripted) -> None:
    """Whoever can write the table gives nobody another's session."""
    from gateway.models import Session

    here, there = processes.one(), processes.one()
    victim, thief = await opened(here), await opened(here)
    await here.shared.get(victim, server.url)
    row = await sync_to_async(Session.objects.values("generation", "upstream_url", "upstream_id").get)(pk=victim)
    await sync_to_async(Session.objects.filter(pk=thief).update)(**row)
    assert await there.shared.opened(thief, server.url) is None


async def test_callers_who_come_at_once_share_one_handshake(processes: Processes, server: Scripted) -> None:
    here = processes.one()
    id_ = await opened(here)
    found = await asyncio.gather(*(here.shared.get(id_, server.url) for _ in range(5)))
    assert len(set(found)) == 1
    assert len(server.of("initialize")) == 1


async def test_of_two_processes_that_open_one_at_once_the_second_ends_its_own(
    processes: Processes, server: Scripted
) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)
    both = asyncio.Event()

    async def together(got: Got) -> None:
        if len(server.of("notifications/initialized")) == 2:
            both.set()
        await both.wait()
        await got.answer(202)

    server.scripts["notifications/initialized"] = together
    found = await asyncio.gather(*(process.shared.get(id_, server.url) for process in (here, there)))
    assert found[0] == found[1]
    ended = await server.until("DELETE")
    assert {found[0].id, ended[0].session} == {"s-1", "s-2"}
    assert processes.told == ["client"]


async def test_a_session_that_was_lost_is_replaced_before_the_call_is_tried_again(
    processes: Processes, server: Scripted
) -> None:
    here = processes.one()
    behind = here.shared.behind(await opened(here))
    first = await behind.get(server.url)
    await behind.lost(first)
    second = await behind.get(server.url)
    assert (second.id, second.generation) == ("s-2", 2)
    assert await behind.get(server.url) == second


async def test_processes_that_both_lost_a_session_replace_it_once(processes: Processes, server: Scripted) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)
    first = await here.shared.get(id_, server.url)
    assert await there.shared.get(id_, server.url) == first
    await here.shared.lost(id_, first)
    second = await here.shared.get(id_, server.url)
    await there.shared.lost(id_, first)
    assert await there.shared.get(id_, server.url) == second
    assert len(server.of("initialize")) == 2
    assert processes.told == ["client"]


async def test_a_server_that_opens_no_session_is_tried_again_by_the_next_call(
    processes: Processes, server: Scripted
) -> None:
    async def refuses(got: Got) -> None:
        await got.error(-32601)

    here = processes.one()
    id_ = await opened(here)
    server.scripts["initialize"] = refuses
    assert await failure(here, id_, server.url) == "protocol_error"
    del server.scripts["initialize"]
    assert (await here.shared.get(id_, server.url)).id == "s-1"


async def test_a_server_that_moved_gets_a_session_of_its_own_and_no_id_of_the_other(
    processes: Processes, server: Scripted
) -> None:
    here = processes.one()
    id_ = await opened(here)
    first = await here.shared.get(id_, server.url)
    async with scripted() as moved:
        assert await here.shared.opened(id_, moved.url) is None
        second = await here.shared.get(id_, moved.url)
        assert (second.url, second.generation) == (moved.url, 2)
        assert all(got.session in ("", second.id) for got in moved.got)
    assert first.url == server.url


async def test_who_waits_for_a_moved_server_is_not_given_the_session_that_is_being_opened_where_it_was(
    processes: Processes, server: Scripted
) -> None:
    here = processes.one()
    id_ = await opened(here)
    server.scripts["initialize"] = hang
    before = asyncio.create_task(here.shared.get(id_, server.url))
    await server.until("initialize")
    async with scripted() as moved:
        async with asyncio.timeout(SECONDS):
            found = await here.shared.get(id_, moved.url)
        assert found.url == moved.url
    before.cancel()
    await asyncio.wait({before})
    await here.shared.close()


async def test_what_another_key_sealed_is_as_good_as_none(processes: Processes, server: Scripted) -> None:
    here, other = processes.one(), processes.one("another purpose")
    id_ = await opened(here)
    await here.shared.get(id_, server.url)
    assert await other.shared.opened(id_, server.url) is None
    assert (await other.shared.get(id_, server.url)).generation == 2


async def test_the_end_of_a_session_ends_the_one_behind_it(processes: Processes, server: Scripted) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)
    await here.shared.get(id_, server.url)
    assert await there.shared.end(id_)
    await there.shared.close()
    assert [got.session for got in server.of("DELETE")] == ["s-1"]
    assert not await there.shared.end(id_)
    assert not await here.shared.end(id_)
    assert processes.told == ["server", "client"]
    here.shelf.ended(id_)
    assert await failure(here, id_, server.url) == "session_ended"
    with pytest.raises(UpstreamFailed):
        await here.shared.opened(id_, server.url)


async def test_a_session_that_ends_while_one_is_opened_behind_it_leaves_none(
    processes: Processes, server: Scripted
) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)

    async def late(got: Got) -> None:
        await there.shared.end(id_)
        await got.answer(202)

    server.scripts["notifications/initialized"] = late
    assert await failure(here, id_, server.url) == "session_ended"
    assert [got.session for got in await server.until("DELETE")] == ["s-1"]


async def test_a_lost_session_of_a_client_that_has_ended_is_not_opened_again(
    processes: Processes, server: Scripted
) -> None:
    here, there = processes.one(), processes.one()
    behind = here.shared.behind(await opened(here))
    first = await behind.get(server.url)
    await there.shared.end(UUID(first.owner))
    with pytest.raises(UpstreamFailed, match="has ended"):
        await behind.lost(first)
    assert len(server.of("initialize")) == 1


async def test_sessions_stay_when_a_process_stops(processes: Processes, server: Scripted) -> None:
    here, there = processes.one(), processes.one()
    id_ = await opened(here)
    first = await here.shared.get(id_, server.url)
    await here.shared.close()
    assert not server.of("DELETE")
    assert processes.told == []
    assert await there.shared.get(id_, server.url) == first
