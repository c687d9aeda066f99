"""Sessions with servers, one process's own: opened once, kept apart, ended with whoever needs them no more."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from gateway.protocol import HANDSHAKE_VERSIONS
from gateway.transport import Transport, UpstreamFailed
from gateway.upstream_sessions import Handshakes, LocalSessions, UpstreamSession
from tests.gateway.scripted import SECONDS, Got, Script, Scripted, hang, scripted, wire_client

pytestmark = pytest.mark.network


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with wire_client() as client:
        yield Transport(client)


class Told(list[str]):
    """Hears of sessions that ended."""

    def __call__(self, seconds: float, *, of: str) -> None:
        assert 0 <= seconds < SECONDS * 10
        self.append(of)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def sessions(transport: Transport, told: Told) -> AsyncIterator[LocalSessions]:
    made = LocalSessions(transport, itertools.count(1), told)
    yield made
    await made.end_all()


def opens(**headers: str) -> Script:
    """An answer to `initialize`, with these headers and else nothing of note."""
    version = headers.pop("version", "2025-11-25")

    async def script(got: Got) -> None:
        await got.result({"protocolVersion": version}, **headers)

    return script


# --- the handshake ------------------------------------------------------------------------------------------------


async def test_a_session_is_opened_with_our_name_and_the_capabilities_that_are_given(
    transport: Transport, server: Scripted
) -> None:
    found = await Handshakes(transport, itertools.count(5)).open(server.url, "a", {"roots": {}})
    opening, note = server.got
    assert opening.body["id"] == 5
    assert opening.body["params"] == {
        "protocolVersion": HANDSHAKE_VERSIONS[0],
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "holdfast-gateway", "version": "1"},
    }
    assert (note.rpc, note.session, note.headers["mcp-protocol-version"]) == (
        "notifications/initialized", "s-1", "2025-11-25",
    )  # fmt: skip
    assert found == UpstreamSession(server.url, "a", "s-1", "2025-11-25")
    assert found.headers() == {"mcp-session-id": "s-1", "mcp-protocol-version": "2025-11-25"}


@pytest.mark.parametrize("version", [*HANDSHAKE_VERSIONS, "2024-11-05"])
async def test_a_session_speaks_the_version_that_the_server_chose(
    transport: Transport, server: Scripted, version: str
) -> None:
    server.scripts["initialize"] = opens(version=version)
    found = await Handshakes(transport, itertools.count(1)).open(server.url, "a", {})
    assert (found.version, found.id) == (version, "")
    assert found.headers() == {"mcp-protocol-version": version}


async def refuses(got: Got) -> None:
    """Know no `initialize`."""
    await got.error(-32601)


async def forgets(got: Got) -> None:
    """Know no session."""
    await got.answer(404)


async def no_object(got: Got) -> None:
    """Answer with a list."""
    await got.result([])


REFUSED: dict[str, tuple[dict[str, Script], str]] = {
    "another era": ({"initialize": opens(version="2026-07-28")}, "protocol_error"),
    "an error": ({"initialize": refuses}, "protocol_error"),
    "no object": ({"initialize": no_object}, "protocol_error"),
    "an id with a blank": ({"initialize": opens(mcp_session_id="a b")}, "protocol_error"),
    "an id that no header should be": ({"initialize": opens(mcp_session_id="x" * 2049)}, "protocol_error"),
    "a session that is forgotten at once": ({"notifications/initialized": forgets}, "session_lost"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_session_is_a_failure(sessions: LocalSessions, server: Scripted, name: str) -> None:
    scripts, cls = REFUSED[name]
    server.scripts |= scripts
    for _ in range(2):  # nothing of it is kept
        with pytest.raises(UpstreamFailed) as failed:
            await sessions.get(server.url, "a")
        assert failed.value.cls == cls
    assert len(server.of("initialize")) == 2


async def test_a_session_that_is_over_is_told_to_the_server_without_waiting(
    transport: Transport, server: Scripted, told: Told
) -> None:
    handshakes = Handshakes(transport, itertools.count(1), told)
    handshakes.part(await handshakes.open(server.url, "a", {}))
    handshakes.part(UpstreamSession(server.url, "a", "", "2025-11-25"))
    handshakes.part(UpstreamSession("http://127.0.0.1:1/mcp", "a", "s-9", "2025-11-25"))
    await handshakes.parted()
    assert [got.session for got in server.of("DELETE")] == ["s-1"]
    assert told == ["client"], "of those whose beginning is known"
    await handshakes.parted()


async def test_where_a_server_keeps_no_session_none_ends(transport: Transport, server: Scripted, told: Told) -> None:
    handshakes = Handshakes(transport, itertools.count(1), told)
    server.scripts["initialize"] = opens()
    found = await handshakes.open(server.url, "a", {})
    handshakes.part(found)
    assert (found.id, told) == ("", [])


async def test_nobody_waits_long_for_a_server_that_does_not_let_go(
    transport: Transport, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream_sessions._PARTING_SECONDS", 0.05)
    server.scripts["DELETE"] = hang
    handshakes = Handshakes(transport, itertools.count(1))
    handshakes.part(await handshakes.open(server.url, "a", {}))
    async with asyncio.timeout(SECONDS):
        await handshakes.parted()


# --- one process's own --------------------------------------------------------------------------------------------


async def test_one_caller_has_one_session_with_a_server_and_shares_it_with_nobody(
    sessions: LocalSessions, server: Scripted
) -> None:
    async with scripted() as other:
        asked = [(server.url, "a"), (server.url, "b"), (other.url, "a")] * 3
        found = await asyncio.gather(*(sessions.get(*each) for each in asked))
        assert len(set(found)) == 3
        assert {(each.url, each.owner) for each in found} == set(asked)
        assert (len(server.of("initialize")), len(other.of("initialize"))) == (2, 1)
        assert await sessions.of("a").get(server.url) in found


async def test_who_asked_first_may_leave_and_the_others_wait_for_the_same_handshake(
    sessions: LocalSessions, server: Scripted
) -> None:
    gate = asyncio.Event()

    async def held(got: Got) -> None:
        await gate.wait()
        await opens(mcp_session_id="s-1")(got)

    server.scripts["initialize"] = held
    first, second = (asyncio.create_task(sessions.get(server.url, "a")) for _ in range(2))
    await server.until("initialize")
    first.cancel()
    await asyncio.wait({first})
    gate.set()
    assert (await second).id == "s-1"
    assert len(server.of("initialize")) == 1


async def test_a_server_that_does_not_open_a_session_holds_nobody_and_nothing_for_long(
    sessions: LocalSessions, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waited may have left: the connection must not stay."""
    from core.wire import WireLimits

    monkeypatch.setattr("gateway.upstream_sessions._LIMITS", WireLimits(head_seconds=0.05))
    server.scripts["initialize"] = hang
    asked = asyncio.create_task(sessions.get(server.url, "a"))
    await server.until("initialize")
    asked.cancel()
    await asyncio.wait({asked})
    async with asyncio.timeout(SECONDS):
        while sessions._opening:
            await asyncio.wait(set(sessions._opening.values()))


def test_opening_a_session_is_bounded_by_less_than_a_call() -> None:
    from gateway import upstream_sessions

    limits = upstream_sessions._LIMITS
    assert max(limits.head_seconds, limits.total_seconds, limits.lifetime_seconds) <= 30


async def test_a_session_that_was_lost_is_opened_anew_once(
    sessions: LocalSessions, server: Scripted, told: Told
) -> None:
    own = sessions.of("a")
    first = await own.get(server.url)
    await own.lost(first)
    second = await own.get(server.url)
    await own.lost(first)  # somebody else noticed as well, and later
    assert await own.get(server.url) is second
    assert (first.id, second.id) == ("s-1", "s-2")
    assert told == ["client"]


async def test_the_least_used_session_leaves_first_and_its_server_is_told(
    sessions: LocalSessions, server: Scripted, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream_sessions.MAX_SESSIONS", 2)
    for owner in ("a", "b", "a", "c"):
        await sessions.get(server.url, owner)
    ended = await server.until("DELETE")
    assert [got.session for got in ended] == ["s-2"]
    assert told == ["client"]
    assert (await sessions.get(server.url, "a")).id == "s-1"


async def test_a_session_that_is_open_is_known_and_one_that_is_asked_for_so_is_used(
    sessions: LocalSessions, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream_sessions.MAX_SESSIONS", 2)
    a, b, c = (sessions.of(owner) for owner in "abc")
    opening = asyncio.create_task(a.get(server.url))
    await server.until("initialize")
    assert a.known(server.url) is None, "it is being opened"
    first = await opening
    await b.get(server.url)
    assert a.known(server.url) is first
    assert a.known("https://other.example/mcp") is c.known(server.url) is None
    await c.get(server.url)
    assert [got.session for got in await server.until("DELETE")] == ["s-2"]
    assert a.known(server.url) is first
    await a.lost(first)
    assert a.known(server.url) is b.known(server.url) is None


async def test_all_sessions_end_with_the_process(sessions: LocalSessions, server: Scripted, told: Told) -> None:
    for owner in ("a", "b"):
        await sessions.get(server.url, owner)
    server.scripts["initialize"] = hang
    late = asyncio.create_task(sessions.get(server.url, "c"))
    await server.until("initialize", 3)
    async with asyncio.timeout(SECONDS):
        await sessions.end_all()
        await asyncio.wait({late})
    assert late.cancelled()
    assert sorted(got.session for got in server.of("DELETE")) == ["s-1", "s-2"]
    assert told == ["client", "client"]
