"""Streams of sessions go on hearing the server; what they tell whom is played in `test_flows_streams`."""

import asyncio
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from access.policy import Reason
from core.ids import new_id
from gateway.dispatch import Dispatch, Parts
from gateway.errors import refuse
from gateway.hearing import Hearing
from gateway.lists import Lists
from gateway.session import Session
from gateway.session_store import Shelf
from gateway.shared_sessions import SharedSessions
from gateway.streams import Streams
from gateway.subscriptions import OpenStream
from gateway.transport import Transport
from tests.gateway.admitting import admitted, seal
from tests.gateway.scripted import SECONDS


class Rows:
    """A database that is away twice, and then knows no such session; `gateway.store` has the real one."""

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self.asked += 1
        if self.asked <= 2:
            raise refuse(Reason.POLICY_STALE)


async def test_a_stream_is_not_deaf_once_sessions_could_not_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.streams.AGAIN_SECONDS", (0.0, 0.0))
    rows, unused = Rows(), SimpleNamespace()
    shared = SharedSessions(cast(Transport, unused), itertools.count(1), Shelf(rows), seal("upstream session"))
    parts = cast(Parts, SimpleNamespace(shared=shared))

    async def again(_: Any) -> None:
        """Nobody watches."""

    streams = Streams(parts, cast(Dispatch, unused), Lists(), again=again)
    given = admitted("GET", session=Session(new_id(), "2025-11-25"))
    stream = OpenStream(given, cast(Hearing, unused), {})
    async with asyncio.timeout(SECONDS):
        await streams._hear_session(stream, "")
    assert (stream.why, rows.asked) == ("server", 3)
