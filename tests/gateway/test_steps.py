"""What a call costs, in steps: how many functions it runs through is the same on every machine, however busy."""

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures_mcp.processes import HonestServer

if TYPE_CHECKING:
    from tests.gateway.world import World

pytestmark = pytest.mark.network

# Python functions of one caller's call, which waits for two commits of one record each: with some room for what a
# release adds. Where this fails, either a short way is not taken any more (docs/adr/0030-shorter-ways.md), or there is
# something new in every call, which is worth knowing.
MOST = 480
GROUPS, CALLS = 5, 8


class Steps:
    """Counts calls of Python functions in the event loop's thread."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _frame: FrameType, event: str, _argument: Any) -> None:
        """As `sys.setprofile` wants it."""
        self.count += event == "call"


def test_a_call_takes_few_steps(world: "World", servers: dict[str, HonestServer]) -> None:
    servers["modern"].change(calls=[])
    world.register(servers["modern"].url)
    world.approve()
    token = world.agent("mcp:files:call").token()

    def call() -> None:
        answer = world.modern(token, "tools/call", {"name": "echo", "arguments": {}})
        assert "result" in answer.json()

    call()  # what is made once is made
    loop = world.gateway._loop
    assert loop is not None
    found = []
    for _ in range(GROUPS):
        steps = Steps()
        loop.call_soon_threadsafe(sys.setprofile, steps)
        for _ in range(CALLS):
            call()
        loop.call_soon_threadsafe(sys.setprofile, None)
        found.append(steps.count / CALLS)
    # The least: beats, looks and refreshes come in between.
    assert min(found) < MOST, found
