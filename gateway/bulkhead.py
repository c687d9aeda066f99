"""Places for calls and streams: how many each server has under way in this process. Pure bookkeeping.

One event loop uses it, so nothing is locked, and nobody waits for a place: whoever gets none is told at once.
Three rules keep one from taking what is others' (docs/gateway-limits.md):

* A server holds no more than its own caps, whatever it does with the calls that it has.
* A caller (an agent, or an agent for one person) holds at most three quarters of a server's places, at least one.
* The process holds no more than its ceiling; but a server of which nothing is under way gets one place even then, so
  that no number of hanging servers shuts the others out.

Changed limits hold for what comes; what is under way stays.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from access.policy import Reason
from gateway.errors import Refused, refuse
from servers.limits import CallLimits

CALLS: Final = 1000  # in one process
STREAMS: Final = 1000


class Bulkheads:
    """The places of one process. `calls` and `streams` are its ceilings."""

    def __init__(self, *, calls: int = CALLS, streams: int = STREAMS) -> None:
        self._calls = _Places("calls under way", calls)
        self._streams = _Places("streams open", streams)

    def call(self, slug: str, limits: CallLimits, holder: str) -> AbstractContextManager[None]:
        """A place for one call of `holder`, held within the context. Entering raises `Refused` when there is none."""
        return _Place(self._calls, (slug, holder), limits.concurrent_calls)

    def stream(self, slug: str, limits: CallLimits, holder: str) -> AbstractContextManager[None]:
        """A place for one stream of `holder`, held within the context. Entering raises `Refused` when there is none."""
        return _Place(self._streams, (slug, holder), limits.concurrent_streams)

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls under way by server, a live view; servers without any are not in it."""
        return MappingProxyType(self._calls.by_server)

    @property
    def streams(self) -> Mapping[str, int]:
        """Streams open by server, a live view; servers without any are not in it."""
        return MappingProxyType(self._streams.by_server)


def share(cap: int) -> int:
    """How many of a server's `cap` places one caller may hold: three quarters, rounded down, at least one."""
    return max(1, cap * 3 // 4)


class _Places:
    """Places of one kind. `what` names those that are taken, in sentences."""

    __slots__ = ("by_holder", "by_server", "ceiling", "total", "what")

    def __init__(self, what: str, ceiling: int) -> None:
        self.what = what
        self.ceiling = ceiling
        self.total = 0
        self.by_server: dict[str, int] = {}
        self.by_holder: dict[tuple[str, str], int] = {}

    def refused(self, held: int, mine: int, cap: int) -> Refused:
        """Why there is no place for whoever holds `mine` of the `held` ones of a server."""
        if held >= cap:
            return refuse(Reason.SERVER_BUSY, f"This server has as many {self.what} as it may have.")
        if mine >= share(cap):
            return refuse(Reason.SERVER_BUSY, f"You have as many {self.what} at this server as one caller may have.")
        return refuse(Reason.SERVER_BUSY, f"This gateway has as many {self.what} as it can have.")


class _Place(Struct):
    """One place within its context. A class, because a generator would cost a call more than all the counting."""

    places: _Places
    key: tuple[str, str]
    cap: int

    def __enter__(self) -> None:
        places, key = self.places, self.key
        servers, own = places.by_server, places.by_holder
        held, mine = servers.get(key[0], 0), own.get(key, 0)
        cap = self.cap
        # A share is one place at least, so whoever has none is within it.
        if held >= cap or (mine and mine >= share(cap)) or (held and places.total >= places.ceiling):
            raise places.refused(held, mine, cap)
        servers[key[0]], own[key] = held + 1, mine + 1
        places.total += 1

    def __exit__(self, *_error: object) -> None:
        places, key = self.places, self.key
        places.total -= 1
        # Nothing stays of whoever has none, or every caller that ever was would stay in memory.
        if places.by_server[key[0]] == 1:
            del places.by_server[key[0]]
        else:
            places.by_server[key[0]] -= 1
        if places.by_holder[key] == 1:
            del places.by_holder[key]
        else:
            places.by_holder[key] -= 1
