"""The second observer: what servers show the agents whose calls go through this gateway.

A server can show whoever polls it a clean list and agents another. So the gateway lists a server's tools by the way
that an agent's calls take, and what differs from what the poller was shown is written down (`tools.services.sight`),
which withholds it from everybody. Agents never get such a list: what they see is approved text.

A look never holds up a call for longer than `AWAITED_SECONDS`, and that only before the first look of a class of
principals at a server has ended. Nothing is written while nothing differs from what is known.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from core import strictjson
from gateway import jsonrpc
from gateway.errors import METHOD_NOT_FOUND, Refused
from gateway.jsonrpc import Response
from gateway.protocol import Wire
from gateway.session import Session
from gateway.snapshot import ServerPart, Snapshot, Token
from gateway.transport import UpstreamFailed
from gateway.upstream import Outgoing
from servers.listing import LISTS, Found, absorb_page, next_cursor
from servers.problems import SENTENCES, ObservationFailed
from servers.rules import Era
from servers.surface import Kind, ObservationProblem, Problem, Surface
from servers.transport import Limits
from tools.look import take
from tools.rules import vantage_of_agent

logger = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 60.0  # between looks of one class at one server
CHANGED_SECONDS: Final = 5.0  # the same, where the server itself said that its list changed
FAILED_SECONDS: Final = 5.0  # the same, where what was shown could not be put on record
AWAITED_SECONDS: Final = 3.0  # how long requests wait for the first look
LOOKS_AT_ONCE: Final = 8
LOOKS_PER_SERVER: Final = 1  # at once: servers that hang leave the others' looks alone
QUEUED: Final = 64  # looks under way or waiting for their turn
QUEUED_PER_SERVER: Final = 4
_REMEMBERED: Final = 10_000  # classes at servers
_THREADS: Final = 2
_LIMITS: Final = Limits(total_seconds=10.0)
_TOOLS: Final = next(each for each in LISTS if each.kind is Kind.TOOL)
_PROBLEMS: Final = {problem.value: problem for problem in Problem}
_REFUSED: Final = "The server refuses to list its tools to agents."

Send = Callable[[Outgoing], Awaitable[Response]]


class Sights(Protocol):
    """What looks are compared with, and where what differs goes (`gateway.store.Store`)."""

    def current(self) -> Snapshot:
        """The snapshot. Raises `Refused` when it is too old."""

    async def sight(self, slug: str, url: str, surface: Surface) -> bool:
        """Take in what was shown of the server at `url`; whether it was. The snapshot follows before this returns."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one caller reaches a server, and the class of principals that it belongs to.

    `owner` names its upstream session in the handshake era. `has_tools`: the poller was shown some.
    """

    slug: str
    vantage: str
    url: str
    wire: Wire
    owner: str
    has_tools: bool = True


def way_of(token: Token, server: ServerPart, session: Session | None) -> Way:
    """The way that this caller's requests take."""
    slug = server.facts.slug
    return Way(
        slug=slug,
        vantage=vantage_of_agent(token.client_id),
        url=server.url,
        wire=server.upstream,
        owner=session.id.hex() if session else f"{token.holder}@{slug}",
        has_tools=bool(server.observed),
    )


@dataclass(slots=True)
class _Known:
    """One class at one server: when it was looked at, and by what the last look that counted was judged."""

    started: float = float("-inf")  # monotonic seconds
    failed: float | None = None  # when what the last look found could not be put on record; monotonic seconds
    ended: bool = False  # at least one look has
    task: "asyncio.Task[None] | None" = None
    timer: asyncio.TimerHandle | None = None
    heard: bool = False  # that the list changed, while a look was under way
    settled: tuple[str, dict[str, str]] | None = None

    def due(self) -> float:
        """When a request makes the gateway look again; monotonic seconds."""
        return self.started + AGAIN_SECONDS if self.failed is None else self.failed + FAILED_SECONDS


class Looks:
    """Looks at servers as agents see them. `skipped` counts looks that there was no room for."""

    def __init__(self, send: Send, sights: Sights, *, limits: Limits = _LIMITS) -> None:
        self._send = send
        self._sights = sights
        self._limits = limits
        self._known: OrderedDict[tuple[str, str, str], _Known] = OrderedDict()
        self._running: dict[asyncio.Task[None], str] = {}
        self._turns = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._turns_at: dict[str, asyncio.Semaphore] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "gateway-looks")
        self._closed = False
        self.skipped = 0

    async def before(self, way: Way) -> None:
        """Look if it is time to; until the class's first look has ended, wait for it as long as requests do."""
        known = self._of(way)
        if known.task is None and time.monotonic() >= known.due():
            self._begin(way, known)
        if known.task is not None and not known.ended:
            patience = known.started + AWAITED_SECONDS - time.monotonic()
            if patience > 0:
                await asyncio.wait({known.task}, timeout=patience)

    def heard(self, way: Way) -> None:
        """The server says that its list changed: look, not sooner than `CHANGED_SECONDS` after the last look began."""
        known = self._of(way)
        if known.task is not None:
            known.heard = True
        elif known.timer is None and not self._closed:
            wait = max(0.0, known.started + CHANGED_SECONDS - time.monotonic())
            known.timer = asyncio.get_running_loop().call_later(wait, self._after_change, way, known)

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
        key = (way.vantage, way.slug, way.url)
        known = self._known.setdefault(key, _Known())
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

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
        known.task.add_done_callback(partial(self._done, way, known))

    def _skip(self, way: Way) -> None:
        self.skipped += 1
        if self.skipped & (self.skipped - 1) == 0:  # the first, and every doubling
            logger.warning(
                "no room to look at %s as %s sees it; %d skipped so far", way.slug, way.vantage, self.skipped
            )

    def _done(self, way: Way, known: _Known, task: "asyncio.Task[None]") -> None:
        self._running.pop(task, None)
        if way.slug not in self._running.values():
            self._turns_at.pop(way.slug, None)
        known.task, known.ended = None, True
        if known.heard and not self._closed:
            self.heard(way)

    async def _look(self, way: Way, known: _Known) -> None:
        try:
            # Waiting for a server's turn holds none of the others'. Turns are kept until what was read is let go.
            async with self._turns_at.setdefault(way.slug, asyncio.Semaphore(LOOKS_PER_SERVER)), self._turns:
                await self._compare(way, known, await read_surface(self._send, way, self._threads, self._limits))
        except Refused as refused:
            # Without a fresh snapshot nothing can be compared; nothing is served by a stale one either.
            logger.info("a look at %s came to nothing: %s", way.slug, refused.reason)
        except Exception:
            logger.exception("a look at %s failed", way.slug)

    async def _compare(self, way: Way, known: _Known, surface: Surface) -> None:
        """Write down what was shown, unless it is what is known already."""
        expected = self._expected(way)
        if expected is None:
            return
        work = partial(_digested, surface, expected)
        del surface  # it may be large; what is written down needs less
        name, light = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        del work
        if known.settled == (name, expected):
            return
        if not await self._sights.sight(way.slug, way.url, light):
            known.failed = time.monotonic()
        elif self._is_on_record(way, light):
            known.settled = (name, self._expected(way) or {})

    def _expected(self, way: Way) -> dict[str, str] | None:
        server = self._server(way)
        return server.known_shown(way.vantage) if server is not None else None

    def _is_on_record(self, way: Way, light: Surface) -> bool:
        """Whether all that was shown of tools that may be served is on record, so that it need not be told again."""
        server = self._server(way)
        if server is None:
            return False
        known = server.known_shown(way.vantage)
        return all(known.get(item.name) == item.digest for item in light.items if item.name in server.observed)

    def _server(self, way: Way) -> ServerPart | None:
        server = self._sights.current().servers.get(way.slug)
        return server if server is not None and server.url == way.url else None


def _digested(surface: Surface, known: Mapping[str, str]) -> tuple[str, Surface]:
    """What tells one look from another, and the surface with digests, without the texts that are `known` by theirs."""
    look = take(surface)
    if look.problem is not None:
        return look.problem.cls.value, replace(surface, items=(), complete=False, problem=look.problem)
    light = [
        replace(seen.item, digest=seen.digest, body={} if known.get(seen.item.name) == seen.digest else seen.item.body)
        for seen in look.seen.values()
    ]
    return look.surface_digest, replace(surface, items=tuple(light))


@dataclass(slots=True)
class _Pages:
    """What has been read of a list so far."""

    found: Found = field(default_factory=Found)
    bytes: int = 0
    values: int = 0


async def read_surface(send: Send, way: Way, threads: ThreadPoolExecutor, limits: Limits = _LIMITS) -> Surface:
    """A server's tools as they are shown by `way`. What the server does wrong is in `problem`, never raised."""
    started, began = time.monotonic(), datetime.now(UTC)
    pages, problem = _Pages(), None
    try:
        async with asyncio.timeout(limits.total_seconds):
            await _read(send, way, threads, limits, pages)
    except TimeoutError:
        problem = _problem(Problem.TIMEOUT)
    except UpstreamFailed as error:
        problem = _problem(_PROBLEMS.get(error.cls, Problem.PROTOCOL_ERROR))
    except ObservationFailed as error:
        problem = error.problem
    return Surface(
        items=tuple(pages.found.items),
        vantage=way.vantage,
        complete=problem is None,
        problem=problem,
        protocol_version=way.wire.version,
        era=(Era.MODERN if way.wire.modern else Era.HANDSHAKE).value,
        duration_ms=round((time.monotonic() - started) * 1000),
        began=began,
    )


def _problem(cls: Problem) -> ObservationProblem:
    return ObservationProblem(cls, SENTENCES[cls])


async def _read(send: Send, way: Way, threads: ThreadPoolExecutor, limits: Limits, pages: _Pages) -> None:
    """Every page, to the end of the list. Raises `ObservationFailed`, `UpstreamFailed`, `TimeoutError`."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(limits.pages):
        result = await _page(send, way, cursor, limits)
        work = partial(_take_page, result, limits, pages)
        await asyncio.get_running_loop().run_in_executor(threads, work)
        cursor = next_cursor(result)
        if cursor is None:
            return
        if cursor in seen:
            raise ObservationFailed(Problem.ENDLESS_LIST, "A list of the server leads back to a page already read.")
        seen.add(cursor)
    raise ObservationFailed(Problem.ENDLESS_LIST)


async def _page(send: Send, way: Way, cursor: str | None, limits: Limits) -> dict[str, object]:
    params = {} if cursor is None else {"cursor": cursor}
    async with asyncio.timeout(limits.answer_seconds):
        response = await send(Outgoing(way.url, way.wire, "tools/list", params, way.owner, looking=True))
    if response.error is not None:
        if response.error["code"] == METHOD_NOT_FOUND and cursor is None and not way.has_tools:
            return {_TOOLS.field: []}  # it announced none to the poller either
        raise ObservationFailed(Problem.PROTOCOL_ERROR, _REFUSED)
    result = response.result
    if not isinstance(result, dict) or result.get("resultType", "complete") != "complete":
        raise ObservationFailed(Problem.PROTOCOL_ERROR)
    return result


def _take_page(result: dict[str, object], limits: Limits, pages: _Pages) -> None:
    """Check a page by the poller's bounds and add it, beside the event loop. Raises `ObservationFailed`."""
    raw = jsonrpc.dumps(result)
    text = raw.decode()
    pages.bytes += len(raw)
    pages.values += sum(text.count(mark) for mark in "[{,")
    if max(len(raw) - limits.answer_bytes, pages.bytes - limits.surface_bytes) > 0:
        raise ObservationFailed(Problem.TOO_LARGE)
    if pages.values > limits.surface_values:
        raise ObservationFailed(Problem.TOO_MANY, "The server's answers hold more values than we accept.")
    if strictjson.nesting(text) >= limits.depth:  # the envelope around the result is one more
        raise ObservationFailed(Problem.MALFORMED)
    absorb_page(result, _TOOLS, pages.found, limits, len(raw))
