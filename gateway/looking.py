"""The second observer: what servers show the agents whose calls go through this gateway.

A server can show whoever polls it a clean list and agents another. So the gateway reads a server's lists by the way
that an agent's calls take (`gateway.reading`), and what differs from what the poller was shown is written down
(`tools.services.sight`), which withholds it from everybody. Agents never get such a list: what they see is approved
text, less what the server did not show their class when it was looked at last (`Looks.shown`).

A look never holds up a request for longer than `AWAITED_SECONDS`, and that only before the first look of a class of
principals at a server has ended, or the first since the poller was shown something more. Nothing is written while
nothing differs from what is known.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from gateway import jsonrpc
from gateway.errors import Refused
from gateway.reading import LIMITS, ClassKey, Read, Reader, Send, Way
from gateway.snapshot import Key, ServerPart, Shown, Snapshot
from servers.limits import Limits
from servers.surface import Item, Surface
from tools.look import take

logger = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 60.0  # between looks of one class at one server, or less where the server says so
SOONEST_SECONDS: Final = 5.0  # the same, whatever it says
CHANGED_SECONDS: Final = 5.0  # the same, where the server itself said that a list changed
FAILED_SECONDS: Final = 5.0  # the same, where what was shown could not be put on record
AWAITED_SECONDS: Final = 3.0  # how long requests wait for a look
LOOKS_AT_ONCE: Final = 8
LOOKS_PER_SERVER: Final = 1  # at once: servers that hang leave the others' looks alone
QUEUED: Final = 64  # looks under way or waiting for their turn
QUEUED_PER_SERVER: Final = 4
_REMEMBERED: Final = 10_000  # classes at servers
_HELD_BYTES: Final = 50_000_000  # of what was shown to classes
_KEY_BYTES: Final = 100  # of what is shown, beside the name
_THREADS: Final = 2


class Sights(Protocol):
    """What looks are compared with, and where what differs goes (`gateway.store.Store`)."""

    def current(self) -> Snapshot:
        """The snapshot. Raises `Refused` when it is too old."""

    async def sight(self, slug: str, url: str, surface: Surface) -> bool:
        """Take in what was shown of the server at `url`; whether it was. The snapshot follows before this returns."""


@dataclass(slots=True)
class _Known:
    """One class at one server: when it was looked at, and what came of it."""

    started: float = float("-inf")  # monotonic seconds
    fresh: float = float("inf")  # for how many seconds the server says that its lists stay as they are
    failed: float | None = None  # when what the last look found could not be put on record; monotonic seconds
    turn: int = -1  # of what the poller was shown, when the last look that has ended began
    task: "asyncio.Task[None] | None" = None
    timer: asyncio.TimerHandle | None = None
    heard: bool = False  # that a list changed, while a look was under way
    told: str | None = None  # what tells the look that was put on record last from others
    shown: Shown = None  # by the last complete look
    shown_bytes: int = 0  # of it, as far as no other class shares it
    card: Mapping[str, Any] | None = None  # what the server said of itself when a session was opened
    card_bytes: int = 0

    def due(self, turn: int) -> float:
        """When a request makes the gateway look again; monotonic seconds."""
        if self.failed is not None:
            return self.failed + FAILED_SECONDS
        if self.turn != turn:
            return self.started
        if self.fresh >= AGAIN_SECONDS:
            return self.started + AGAIN_SECONDS
        return self.started + max(SOONEST_SECONDS, self.fresh)

    @property
    def held(self) -> int:
        """Bytes that are kept for this class only, about."""
        return self.shown_bytes + self.card_bytes


def _untold(_slug: str, _result: str) -> None:
    """Nobody is told."""


class Looks:
    """Looks at servers as agents see them. `skipped` counts looks that there was no room for.

    `told` hears what came of each look: `same`, `changed`, `failed` or `skipped`.
    """

    def __init__(
        self, send: Send, sights: Sights, *, limits: Limits = LIMITS, told: Callable[[str, str], None] = _untold
    ) -> None:
        self._sights = sights
        self._told = told
        self._known: OrderedDict[ClassKey, _Known] = OrderedDict()
        self._polled: dict[str, tuple[Mapping[Key, str], int]] = {}
        self._shown: dict[str, frozenset[Key]] = {}  # to the class that was looked at last, by slug
        self._running: dict[asyncio.Task[None], str] = {}
        self._turns = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._turns_at: dict[str, asyncio.Semaphore] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "gateway-looks")
        self._reader = Reader(send, self._threads, limits)
        self._closed = False
        self.skipped = 0

    async def before(self, way: Way) -> None:
        """Look if it is time to; until the look that the class's lists depend on has ended, wait for it for a while."""
        known, turn = self._of(way), self._turn(way.slug, way.polled)
        if known.task is None and time.monotonic() >= known.due(turn):
            self._begin(way, known)
        if known.task is not None and known.turn != turn:
            patience = known.started + AWAITED_SECONDS - time.monotonic()
            if patience > 0:
                await asyncio.wait({known.task}, timeout=patience)

    def is_due(self, key: ClassKey, polled: Mapping[Key, str]) -> bool:
        """Whether `before` has anything to do: it is time to look, or a look is under way. Costs next to nothing."""
        known = self._known.get(key)
        if known is None or known.task is not None:
            return True
        self._known.move_to_end(key)
        last = self._polled.get(key[1])
        # Most of the time the poller was shown nothing since the last call.
        turn = last[1] if last is not None and last[0] is polled else self._turn(key[1], polled)
        return time.monotonic() >= known.due(turn)

    def shown(self, key: ClassKey) -> Shown:
        """What the server showed this class when it was last seen completely; None: it never was.

        Only names that the poller was shown as well. It can take from a class's lists and never add to them.
        """
        known = self._known.get(key)
        return known.shown if known is not None else None

    def heard(self, way: Way) -> None:
        """The server says that a list changed: look, not sooner than `CHANGED_SECONDS` after the last look began."""
        known = self._of(way)
        if known.task is not None:
            known.heard = True
        elif known.timer is None and not self._closed:
            wait = max(0.0, known.started + CHANGED_SECONDS - time.monotonic())
            known.timer = asyncio.get_running_loop().call_later(wait, self._after_change, way, known)

    def heard_card(self, way: Way, card: Mapping[str, Any]) -> None:
        """What the server said of itself when a session was opened by this way: the result of `initialize`.

        Looks take it in; where it is new and none is under way, there will be one. In the modern era each look asks for
        it itself.
        """
        known = self._of(way)
        if (
            way.wire.modern
            or card is known.card
            or card == known.card
            or not isinstance(card.get("capabilities"), dict)
        ):
            return
        known.card, known.card_bytes = card, len(jsonrpc.dumps(card))
        self._forget_beyond_bound()
        if known.task is None:
            self.heard(way)

    async def close(self) -> None:
        """End every look."""
        self._closed = True
        for known in self._known.values():
            if known.timer is not None:
                known.timer.cancel()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _of(self, way: Way) -> _Known:
        key = way.key
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known()
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _turn(self, slug: str, observed: Mapping[Key, str]) -> int:
        """Counts how often the poller was shown something of the server that it had not been shown before."""
        polled, turn = self._polled.get(slug, (None, 0))
        if polled is not observed:
            turn += bool(polled is not None and observed.keys() - polled.keys())
            self._polled[slug] = (observed, turn)
        return turn

    def _forget_beyond_bound(self) -> None:
        """A server that shows every class something else must not fill the memory; the forgotten are looked at anew."""
        held = sum(known.held for known in self._known.values())
        while held > _HELD_BYTES:
            held -= self._known.popitem(last=False)[1].held

    def _after_change(self, way: Way, known: _Known) -> None:
        known.timer = None
        if known.task is None:
            self._begin(way, known)

    def _begin(self, way: Way, known: _Known) -> None:
        at_this = sum(slug == way.slug for slug in self._running.values())
        if self._closed:
            return
        if len(self._running) >= QUEUED or at_this >= QUEUED_PER_SERVER:
            self._skip(way)
            return
        known.started, known.failed, known.heard = time.monotonic(), None, False
        known.task = asyncio.get_running_loop().create_task(self._look(way, known), name=f"look at {way.slug}")
        self._running[known.task] = way.slug
        _, turn = self._polled.get(way.slug, (way.polled, 0))
        known.task.add_done_callback(partial(self._done, way, known, turn))

    def _skip(self, way: Way) -> None:
        self.skipped += 1
        self._told(way.slug, "skipped")
        if self.skipped & (self.skipped - 1) == 0:  # the first, and every doubling
            logger.warning(
                "no room to look at %s as %s sees it; %d skipped so far", way.slug, way.vantage, self.skipped
            )

    def _done(self, way: Way, known: _Known, turn: int, task: "asyncio.Task[None]") -> None:
        self._running.pop(task, None)
        if way.slug not in self._running.values():
            self._turns_at.pop(way.slug, None)
        known.task, known.turn = None, turn
        if known.heard and not self._closed:
            self.heard(way)

    async def _look(self, way: Way, known: _Known) -> None:
        result = "failed"
        try:
            # Waiting for a server's turn holds none of the others'. Turns are kept until what was read is let go.
            async with self._turns_at.setdefault(way.slug, asyncio.Semaphore(LOOKS_PER_SERVER)), self._turns:
                read = await self._reader.read(way, lambda: known.card)
                if read.surface.problem is not None and way.sessions is not None:
                    # A client's session may end under the look, and with clients that come and go none would ever end.
                    way = replace(way, sessions=None)
                    read = await self._reader.read(way, lambda: known.card)
                result = await self._compare(way, known, read)
        except Refused as refused:
            # Without a fresh snapshot nothing can be compared; nothing is served by a stale one either.
            logger.info("a look at %s came to nothing: %s", way.slug, refused.reason)
        except Exception:
            logger.exception("a look at %s failed", way.slug)
        self._told(way.slug, result)

    async def _compare(self, way: Way, known: _Known, read: Read) -> str:
        """Keep what was shown, and write it down unless it is what is known already; what came of the look."""
        server = self._server(way)
        if server is None:
            return "failed"
        known.fresh = read.fresh
        known.heard |= known.card is not None and read.answer is not known.card
        work = partial(_seen, read.surface, server, self._shown.get(way.slug))
        del read  # it may be large; what is written down needs less
        seen = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        del work
        if seen.shown is not None:
            self._keep(way, known, seen.shown, seen.shown_bytes)
        if seen.is_on_record and known.told == seen.name:
            return seen.result
        if await self._sights.sight(way.slug, way.url, seen.light):
            known.told = seen.name
            return seen.result
        known.failed = time.monotonic()
        return "failed"

    def _keep(self, way: Way, known: _Known, shown: frozenset[Key], size: int) -> None:
        shared = shown is self._shown.get(way.slug)
        known.shown, known.shown_bytes = shown, 0 if shared else size
        if not shared:
            self._shown[way.slug] = shown
            self._forget_beyond_bound()

    def _server(self, way: Way) -> ServerPart | None:
        server = self._sights.current().servers.get(way.slug)
        return server if server is not None and server.url == way.url else None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look beside what is known of the server.

    `name` tells one look from another. `light` is the surface with digests, without the texts that are known by theirs.
    `shown` is None where the look is not complete.
    """

    name: str
    light: Surface
    is_on_record: bool
    shown: Shown = None
    shown_bytes: int = 0

    @property
    def result(self) -> str:
        """What came of the look, in a word of telemetry."""
        return "failed" if self.shown is None else "same" if self.is_on_record else "changed"


def _seen(surface: Surface, server: ServerPart, last: frozenset[Key] | None) -> _Seen:
    """Digest a surface and compare it. What is shown like `last` is that very set, so that classes share it."""
    look = take(surface)
    if look.problem is not None:
        incomplete = replace(surface, items=(), complete=False, problem=look.problem)
        return _Seen(look.problem.cls.value, incomplete, is_on_record=True)
    sighted = server.sighted.get(surface.vantage, {})
    known = server.known_shown(surface.vantage)
    light = [
        Item(seen.item.kind, seen.item.name, {} if known.get(key) == seen.digest else seen.item.body, seen.digest)
        for key, seen in look.seen.items()
    ]
    covers = {kind.value for kind in surface.covers}
    shown = frozenset(key for key in server.observed if key in look.seen or key[0] not in covers)
    # What only agents are shown is told once: there is not room for all of it.
    told = all(known.get(key) == seen.digest for key, seen in look.seen.items() if key in server.observed)
    gone = any(key not in look.seen for key, found in sighted.items() if found is not None and key[0] in covers)
    return _Seen(
        look.surface_digest,
        replace(surface, items=tuple(light)),
        is_on_record=told and not gone,
        shown=last if last == shown else shown,
        shown_bytes=sum(_KEY_BYTES + len(name) for _, name in shown),
    )
