"""Reading every list of a server by the way that an agent's calls take, within the bounds that the poller keeps.

What a server does wrong is in the surface's `problem`, never raised. Work that grows with what was read is done beside
the event loop, and a page that was read before, by whoever and of whichever server, is not measured and digested again.
"""

import asyncio
import hashlib
import marshal
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from core import strictjson
from gateway import jsonrpc
from gateway.errors import METHOD_NOT_FOUND
from gateway.jsonrpc import Response
from gateway.protocol import Wire
from gateway.snapshot import Key, ServerPart, Token
from gateway.transport import UpstreamFailed
from gateway.upstream import Outgoing, Sessions
from servers.limits import Limits
from servers.listing import LISTS, Cursors, Found, ListOf, absorb_page, announced, card_body, identity_of
from servers.problems import SENTENCES, ObservationFailed
from servers.rules import Era
from servers.surface import CARD_NAME, Item, Kind, ObservationProblem, Problem, Surface
from tools.fingerprint import Unfit, digest

LIMITS: Final = Limits(total_seconds=10.0)
DIGESTS_KEPT: Final = 50_000  # of pages that were read, about 6 MB
_PROBLEMS: Final = {problem.value: problem for problem in Problem}
_REFUSED: Final = "The server refuses agents a list that it announced."
_LISTED: Final = frozenset(of.kind for of in LISTS)

Send = Callable[[Outgoing], Awaitable[Response]]
ClassKey = tuple[str, str, str]  # a class of principals at a server: vantage, slug, URL
Answer = Mapping[str, Any]  # the result of `initialize` or `server/discover`


@dataclass(frozen=True, slots=True)
class Way:
    """How one caller reaches a server, and the class of principals that it belongs to.

    `sessions` carry it in the handshake era; without, this process's own of `owner` do. `lists`: the kinds that the
    server is asked for where it said nothing else by this way; `polled`: digests of what the poller was shown.
    """

    slug: str
    vantage: str
    url: str
    wire: Wire
    owner: str
    lists: frozenset[str] = frozenset()
    polled: Mapping[Key, str] = field(default_factory=dict, repr=False)
    sessions: Sessions | None = field(default=None, repr=False)

    @property
    def key(self) -> ClassKey:
        """The class that looks by this way are for."""
        return self.vantage, self.slug, self.url


def class_of(token: Token, server: ServerPart) -> ClassKey:
    """The class that a caller belongs to at a server."""
    return token.vantage, server.facts.slug, server.url


def way_of(token: Token, server: ServerPart) -> Way:
    """The way that looks for this caller take."""
    slug = server.facts.slug
    return Way(
        slug=slug,
        vantage=token.vantage,
        url=server.url,
        wire=server.upstream,
        owner=f"{token.holder}@{slug}",
        lists=server.lists,
        polled=server.observed,
    )


@dataclass(frozen=True, slots=True)
class Read:
    """What was read.

    `fresh`: for how many seconds the server says that it stays so (infinity: it did not say). `answer`: what it said of
    itself, as far as it was heard.
    """

    surface: Surface
    fresh: float
    answer: Answer | None


@dataclass(slots=True)
class _Pages:
    """What has been read so far."""

    found: Found = field(default_factory=Found)
    covers: set[Kind] = field(default_factory=set)
    fresh: float = float("inf")
    answer: Answer | None = None
    bytes: int = 0
    values: int = 0


class Reader:
    """Reads surfaces. `threads` do what grows with their size."""

    def __init__(self, send: Send, threads: ThreadPoolExecutor, limits: Limits = LIMITS) -> None:
        self._send = send
        self._threads = threads
        self._limits = limits
        self._known = _KnownPages()

    async def read(self, way: Way, heard: Callable[[], Answer | None] = lambda: None) -> Read:
        """All of what `way` is shown. `heard` gives what the server said of itself as it opened the session, if known.

        Reading may be what opens it, so that is asked for before and after.
        """
        started, began = time.monotonic(), datetime.now(UTC)
        pages, problem = _Pages(), None
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                await self._read(way, heard, pages)
        except TimeoutError:
            problem = _problem(Problem.TIMEOUT)
        except UpstreamFailed as error:
            problem = _problem(_PROBLEMS.get(error.cls, Problem.PROTOCOL_ERROR))
        except ObservationFailed as error:
            problem = error.problem
        surface = Surface(
            items=tuple(pages.found.items),
            vantage=way.vantage,
            complete=problem is None,
            problem=problem,
            protocol_version=way.wire.version,
            era=(Era.MODERN if way.wire.modern else Era.HANDSHAKE).value,
            duration_ms=round((time.monotonic() - started) * 1000),
            began=began,
            covers=frozenset(pages.covers),
        )
        return Read(surface, pages.fresh, pages.answer)

    async def _read(self, way: Way, heard: Callable[[], Answer | None], pages: _Pages) -> None:
        """The card, if it can be had, and every list. Raises `ObservationFailed`, `UpstreamFailed`, `TimeoutError`."""
        answer = await self._discovered(way) if way.wire.modern else heard()
        has = frozenset(kind for kind in _LISTED if kind.value in way.lists)
        pages.covers |= has
        if answer is not None:
            has = announced(answer["capabilities"])
            pages.covers |= _LISTED  # what it does not announce by this way, it does not have by it
        for of in LISTS:
            if of.kind in has:
                await self._read_list(way, of, pages)
        pages.answer = answer if way.wire.modern else heard()
        if pages.answer is not None:
            await self._aside(self._take_card, way, pages)
            pages.covers.add(Kind.CARD)

    async def _discovered(self, way: Way) -> Answer | None:
        """What a server of the modern era says of itself; None: nothing of use, and its lists are read all the same."""
        response = await self._ask(way, "server/discover", {})
        found = response.result
        return found if isinstance(found, dict) and isinstance(found.get("capabilities"), dict) else None

    async def _read_list(self, way: Way, of: ListOf, pages: _Pages) -> None:
        cursors = Cursors(self._limits)
        while not cursors.at_end:
            result = await self._page(way, of, cursors.current)
            pages.fresh = min(pages.fresh, _fresh(result, way.wire))
            await self._aside(self._take_page, result, of, pages)
            cursors.follow(result)

    async def _page(self, way: Way, of: ListOf, cursor: str | None) -> dict[str, object]:
        response = await self._ask(way, of.method, {} if cursor is None else {"cursor": cursor})
        if response.error is not None:
            showed_poller = any(kind == of.kind.value for kind, _ in way.polled)
            if response.error["code"] == METHOD_NOT_FOUND and cursor is None and not showed_poller:
                return {of.field: []}  # it had none for the poller either
            raise ObservationFailed(Problem.PROTOCOL_ERROR, _REFUSED)
        result = response.result
        if not isinstance(result, dict) or result.get("resultType", "complete") != "complete":
            raise ObservationFailed(Problem.PROTOCOL_ERROR)
        return result

    async def _ask(self, way: Way, method: str, params: Mapping[str, Any]) -> Response:
        async with asyncio.timeout(self._limits.answer_seconds):
            return await self._send(
                Outgoing(way.url, way.wire, method, params, way.owner, sessions=way.sessions, looking=True)
            )

    async def _aside(self, work: Callable[..., None], *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *arguments))

    def _take_card(self, way: Way, pages: _Pages) -> None:
        answer = pages.answer or {}
        measured = _measured(answer, self._limits)
        self._count(measured, pages)
        info = identity_of(answer, modern=way.wire.modern)
        body = card_body(answer, info, way.url, size=measured.bytes, limits=self._limits)
        pages.found.items.append(Item(Kind.CARD, CARD_NAME, body))

    def _take_page(self, result: dict[str, object], of: ListOf, pages: _Pages) -> None:
        """Check a page by the poller's bounds and add it, with digests. Raises `ObservationFailed`."""
        mark = _mark(of.kind, result)
        known = self._known.get(mark)
        measured = known or _measured(result, self._limits)
        self._count(measured, pages)
        items, before = pages.found.items, len(pages.found.items)
        absorb_page(result, of, pages.found, self._limits, measured.bytes)
        try:
            digests = known.digests if known else tuple(digest(of.kind, item.body) for item in items[before:])
        except Unfit:
            return  # the comparison says of which
        items[before:] = [
            Item(of.kind, item.name, item.body, found) for item, found in zip(items[before:], digests, strict=True)
        ]
        if known is None:
            self._known.put(mark, replace(measured, digests=digests))

    def _count(self, measured: "_Page", pages: _Pages) -> None:
        pages.bytes += measured.bytes
        pages.values += measured.values
        if pages.bytes > self._limits.surface_bytes:
            raise ObservationFailed(Problem.TOO_LARGE)
        if pages.values > self._limits.surface_values:
            raise ObservationFailed(Problem.TOO_MANY, "The server's answers hold more values than we accept.")


@dataclass(frozen=True, slots=True)
class _Page:
    """What was found out about an answer that is within the bounds of one: bytes, values, digests in its order."""

    bytes: int
    values: int
    digests: tuple[str, ...] = ()


def _measured(result: Answer, limits: Limits) -> _Page:
    """Raises `ObservationFailed` where an answer by itself is too large or too deep."""
    raw = jsonrpc.dumps(result)
    if len(raw) > limits.answer_bytes:
        raise ObservationFailed(Problem.TOO_LARGE)
    text = raw.decode()
    if strictjson.nesting(text) >= limits.depth:  # the envelope around the result is one more
        raise ObservationFailed(Problem.MALFORMED)
    return _Page(len(raw), sum(text.count(mark) for mark in "[{,"))


def _mark(kind: Kind, result: Answer) -> bytes:
    """What only pages of the same values, in the same order, have in common.

    `marshal` is many times as fast as JSON, and its version 2 writes equal values alike; what it cannot write are
    numbers that keep their digits.
    """
    try:
        written = b"m" + marshal.dumps(dict(result), 2)
    except ValueError:
        written = b"j" + jsonrpc.dumps(result)
    return hashlib.sha256(kind.value.encode() + b"\0" + written).digest()


class _KnownPages:
    """Pages that were read, the least used leave first. Used by several threads."""

    def __init__(self) -> None:
        self._pages: OrderedDict[bytes, _Page] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, mark: bytes) -> _Page | None:
        """A page by its mark."""
        with self._lock:
            found = self._pages.get(mark)
            if found is not None:
                self._pages.move_to_end(mark)
            return found

    def put(self, mark: bytes, page: _Page) -> None:
        """Remember a page."""
        with self._lock:
            if mark not in self._pages:
                self._pages[mark] = page
                self._held += len(page.digests) + 1
            while self._held > DIGESTS_KEPT:
                _, oldest = self._pages.popitem(last=False)
                self._held -= len(oldest.digests) + 1


def _problem(cls: Problem) -> ObservationProblem:
    return ObservationProblem(cls, SENTENCES[cls])


def _fresh(result: Mapping[str, object], wire: Wire) -> float:
    """Seconds for which a page says that it stays as it is (MCP 2026-07-28, server/utilities/caching)."""
    given = result.get("ttlMs")
    if not wire.modern or not isinstance(given, int) or isinstance(given, bool):
        return float("inf")
    return max(0, min(given, 10**9)) / 1000
