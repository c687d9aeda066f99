"""The one reader of a process for everybody who looks: it runs while somebody does, once a second.

It lives in the event loop that also serves calls, so nothing here waits in it: the database is read in a thread of
the hub's own, what is shown is made there too, and both are bounded.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

from django.db import DatabaseError, connection

from controlplane.context import counts_for
from controlplane.live import reading
from controlplane.live.rows import Row, sees
from controlplane.live.viewer import Viewer, Wish
from core.actor import Actor
from core.permissions import Permission

TICK: Final = 1.0  # seconds
PATIENCE: Final = 10.0  # seconds that a look at the database may take
STREAMS: Final = 50  # open at once in a process
STREAMS_EACH: Final = 5  # of one person; browsers keep six connections to one host
ROWS_EACH: Final = 20  # rows to one viewer at a tick: nobody reads more in a second
ROWS: Final = 200  # rows made at a tick, of all languages together
_CHECKED: Final = 3  # ticks between looks at who still may
_COUNTED: Final = 30  # ticks between counts, if nothing happens
_SETTLES: Final = 3  # ticks for which counts may follow what was recorded
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    """What one tick asks: whether sessions are looked at again, and counts counted."""

    position: int
    viewers: frozenset[Viewer]
    checks: bool
    counts: bool


@dataclass(slots=True)
class _Round:
    """One tick's work in the thread: what was found, for whom."""

    batch: reading.Batch
    actors: dict[Viewer, Actor | None] = field(default_factory=dict)
    counts: dict[Viewer, dict[str, int]] = field(default_factory=dict)
    rows: dict[Viewer, tuple[list[str], int]] = field(default_factory=dict)
    health: dict[Viewer, dict[str, str]] = field(default_factory=dict)


class Hub:
    """Open streams, and what is told to each."""

    def __init__(self, *, leaving: Callable[[], bool], tick: float = TICK):
        """`leaving`: whether this process is to stop, so that streams end and none begins."""
        self._leaving = leaving
        self._tick = tick
        self._viewers: set[Viewer] = set()
        self._running: asyncio.Task[None] | None = None

    def refuses(self, wish: Wish) -> HTTPStatus | None:
        """Why there is no stream for this wish now: the person has too many, or this process has; None: there is one.

        The two are told apart, because of the first a person can close some.
        """
        each = Counter(viewer.wish.person_id for viewer in self._viewers)
        if self._leaving() or len(self._viewers) >= STREAMS:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.TOO_MANY_REQUESTS if each[wish.person_id] >= STREAMS_EACH else None

    def admit(self, wish: Wish) -> Viewer:
        """A new stream, which nothing `refuses`."""
        viewer = Viewer(wish, wish.actor)
        self._viewers.add(viewer)
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A stream is over."""
        self._viewers.discard(viewer)

    def viewers(self) -> frozenset[Viewer]:
        """Who looks now."""
        return frozenset(self._viewers)

    def __len__(self) -> int:
        return len(self._viewers)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")

        async def in_thread(work: Callable[..., T], *given: Any) -> T:
            async with asyncio.timeout(PATIENCE):
                return await loop.run_in_executor(thread, work, *given)

        try:
            await self._watch(in_thread)
        except (DatabaseError, TimeoutError) as error:
            # Who may look is not known any more: browsers come again when it is.
            logger.warning("live streams end: %s", type(error).__name__)
        finally:
            for viewer in self._viewers:
                viewer.end()
            thread.submit(_close)
            thread.shutdown(wait=False)

    async def _watch(self, in_thread: Callable[..., Any]) -> None:
        position, ticks, unsettled = await in_thread(reading.head), 0, 0
        while self._viewers and not self._leaving():
            counts = unsettled > 0 or ticks % _COUNTED == 0
            task = _Task(position, frozenset(self._viewers), checks=ticks % _CHECKED == 0, counts=counts)
            done: _Round = await in_thread(_look, task)
            position, unsettled = done.batch.position, _SETTLES if done.batch.has_changes else max(unsettled - 1, 0)
            self._tell(done)
            ticks += 1
            await asyncio.sleep(self._tick)

    def _tell(self, done: _Round) -> None:
        for viewer, actor in done.actors.items():
            if actor is None:
                viewer.end()
                self.leave(viewer)
            else:
                viewer.actor = actor
        for viewer in self._viewers:
            if viewer in done.counts:
                viewer.greeted = True
                viewer.count(done.counts[viewer])
            rows, left_out = done.rows.get(viewer, ([], 0))
            viewer.leave_out(left_out)
            for html in rows:
                viewer.offer_row(html)
            for slug, html in done.health.get(viewer, {}).items():
                viewer.show_health(slug, html)


def _close() -> None:
    # Asked of the thread that has it: `connection` is another one in each.
    connection.close()


def _look(task: _Task) -> _Round:
    """All that one tick reads and makes, in the hub's thread."""
    done, viewers = _Round(reading.read_on(task.position)), task.viewers
    if task.checks:
        going_on = reading.standing((viewer.wish.session, viewer.wish.proof) for viewer in viewers)
        done.actors = {viewer: going_on.get(viewer.wish.session) for viewer in viewers}
    actors = {viewer: done.actors.get(viewer, viewer.actor) for viewer in viewers}
    present = {viewer: actor for viewer, actor in actors.items() if actor is not None}
    counts = task.counts or done.batch.has_changes
    _count(done, {viewer: actor for viewer, actor in present.items() if counts or not viewer.greeted})
    _show_rows(done, present)
    _show_health(done, present)
    return done


def _count(done: _Round, present: dict[Viewer, Actor]) -> None:
    of_person: dict[int, dict[str, int]] = {}
    for viewer, actor in present.items():
        person = viewer.wish.person_id
        of_person[person] = of_person.get(person) or counts_for(actor)
        done.counts[viewer] = of_person[person]


def _show_rows(done: _Round, present: dict[Viewer, Actor]) -> None:
    made: dict[tuple[Row, str], str] = {}
    for viewer, actor in present.items():
        calls, language = viewer.wish.calls, viewer.wish.language
        if calls is None:
            continue
        wanted = [row for row in done.batch.rows if sees(actor, row) and calls.fits(row)]
        html = []
        for row in wanted[-ROWS_EACH:]:
            if (row, language) not in made and len(made) < ROWS:
                made[row, language] = reading.shown(row, language)
            if (row, language) in made:
                html.append(made[row, language])
        # How much was skipped is the log's own number, so only who reads all of it is told.
        skipped = done.batch.skipped if actor.may(Permission.AUDIT_READ) else 0
        done.rows[viewer] = html, len(wanted) - len(html) + skipped


def _show_health(done: _Round, present: dict[Viewer, Actor]) -> None:
    watching = {viewer: actor for viewer, actor in present.items() if viewer.wish.health}
    if not watching or not done.batch.servers:
        return
    for server in reading.servers_now(done.batch.servers):
        made: dict[str, str] = {}
        for viewer, actor in watching.items():
            language = viewer.wish.language
            if actor.may(Permission.SERVER_READ, team_id=server.owner_team_id):
                made[language] = made.get(language) or reading.health(server, language)
                done.health.setdefault(viewer, {})[server.slug] = made[language]
