"""Words between processes, through a real Valkey."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import redis.asyncio

from access.services.revisions import CHANNEL
from gateway.messenger import REVISED, WORDS, Messenger
from tests.gateway.world import free_port

pytestmark = pytest.mark.network

SECONDS = 60  # until a word must have come


@pytest.fixture(autouse=True)
def _no_word_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Because the machine does other things as well."""
    monkeypatch.setattr("gateway.messenger._TELL_SECONDS", 60.0)


class Process:
    """One process that hears. Each word wakes whoever waits for it."""

    def __init__(self, url: str) -> None:
        self.words: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.messenger = Messenger(url, lambda what, mark: self.words.put_nowait((what, mark)), revisions=CHANNEL)

    async def hears(self) -> tuple[str, str]:
        """The next word."""
        async with asyncio.timeout(SECONDS):
            return await self.words.get()


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Process]:
    """A process that listens; it is connected once it has heard that something may have been missed."""
    process = Process(url)
    task = asyncio.create_task(process.messenger.listen_forever())
    try:
        yield process
    finally:
        while not task.done():  # repeated, as the store does it: the client can swallow a cancellation
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)
        await process.messenger.close()


@asynccontextmanager
async def two(url: str) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes that are connected."""
    async with listening(url) as first, listening(url) as second:
        assert await first.hears() == await second.hears() == (REVISED, "")
        # The other channel's own confirmation may tell it once more.
        await settled(first, second)
        yield first, second


async def settled(*processes: Process) -> None:
    """Wait until everything that was said so far was heard."""
    await processes[0].messenger.tell("mark", "settled")
    for process in processes:
        while await process.hears() != ("mark", "settled"):
            pass


async def test_a_word_is_heard_by_every_process_the_one_that_tells_included(valkey_url: str) -> None:
    async with two(valkey_url) as (first, second):
        await first.messenger.tell("ended", "abc")
        await second.messenger.tell("cancel", "d e")
        for process in (first, second):
            assert await process.hears() == ("ended", "abc")
            assert await process.hears() == ("cancel", "d e")


async def test_a_change_of_policy_is_a_word_without_a_mark(valkey_url: str) -> None:
    async with two(valkey_url) as (first, second), redis.asyncio.Redis.from_url(valkey_url) as other:
        await other.publish(CHANNEL, "server:files")
        assert await first.hears() == await second.hears() == (REVISED, "")


@pytest.mark.parametrize("garbage", [b"x" * 257, b"ended " + b"a" * 251, os.urandom(4096)])
async def test_what_is_too_long_is_not_heard(valkey_url: str, garbage: bytes) -> None:
    async with two(valkey_url) as (first, _), redis.asyncio.Redis.from_url(valkey_url) as other:
        await other.publish(WORDS, garbage)
        await other.publish(WORDS, b"ended " + b"a" * 250)
        assert await first.hears() == ("ended", "a" * 250)


@pytest.mark.parametrize(
    ("garbage", "heard"),
    [
        (b"", ("", "")),
        (b" ", ("", "")),
        (b"word", ("word", "")),
        (b"\xff\xfe \x00", ("\ufffd\ufffd", "\0")),
        (b"a  b c", ("a", " b c")),
    ],
)
async def test_garbage_stops_nobody_from_hearing(valkey_url: str, garbage: bytes, heard: tuple[str, str]) -> None:
    async with two(valkey_url) as (first, _), redis.asyncio.Redis.from_url(valkey_url) as other:
        await other.publish(WORDS, garbage)
        assert await first.hears() == heard
        await first.messenger.tell("ended", "abc")
        assert await first.hears() == ("ended", "abc")


async def test_words_of_somebody_elses_channel_are_not_heard(valkey_url: str) -> None:
    async with two(valkey_url) as (first, _), redis.asyncio.Redis.from_url(valkey_url) as other:
        await other.publish(WORDS + ":else", "ended abc")
        await other.publish("else", "ended abc")
        await first.messenger.tell("cancel", "x")
        assert await first.hears() == ("cancel", "x")


class Door:
    """A way to Valkey that can be shut and opened."""

    def __init__(self, target: str, port: int) -> None:
        self._target = target
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let everybody through."""
        self._server = await asyncio.start_server(self._through, "127.0.0.1", self._port)

    async def shut(self) -> None:
        """Cut everybody off, and let nobody in."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._target.startswith("/"):
            far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        else:
            host, port = self._target.split(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65_536):
            sink.write(piece)
            await sink.drain()
    except OSError:
        return
    finally:
        sink.close()


@pytest.fixture
async def door(valkey_url: str) -> AsyncIterator[tuple[Door, str]]:
    """A door to Valkey, and the address in front of it."""
    parts = urlsplit(valkey_url)
    number = parse_qs(parts.query).get("db", ["0"])[0] if parts.scheme == "unix" else parts.path.strip("/") or "0"
    target = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
    port = free_port()
    made = Door(target, port)
    await made.open()
    secret = f":{parts.password}@" if parts.password else ""
    yield made, f"redis://{secret}127.0.0.1:{port}/{number}"
    await made.shut()


async def test_words_are_heard_again_once_the_messenger_is_back(
    door: tuple[Door, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.messenger._RECONNECT_SECONDS", 0.05)
    way, url = door
    async with two(url) as (first, second):
        await way.shut()
        await first.messenger.tell("ended", "lost")  # nobody hears it, and nothing is raised
        await way.open()
        # Whatever was said while nobody listened: the first thing that is heard is that something may have changed.
        assert await first.hears() == await second.hears() == (REVISED, "")
        await settled(first, second)
        await first.messenger.tell("ended", "abc")
        assert await first.hears() == await second.hears() == ("ended", "abc")


async def test_a_messenger_that_is_away_keeps_nobody_waiting_and_raises_nothing() -> None:
    process = Process("redis://127.0.0.1:1/0")
    async with asyncio.timeout(SECONDS):
        await process.messenger.tell("ended", "abc")
    await process.messenger.close()
    await Process("redis://127.0.0.1:1/0").messenger.close()  # one that never told anything


async def test_a_messenger_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.messenger._TELL_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = Process(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        async with asyncio.timeout(SECONDS):
            await process.messenger.tell("ended", "abc")
        await process.messenger.close()
