"""The one door to models for calls: keeps the snapshot, looks tokens up, and notices what changed.

Revisions are read every second and at once when a message says that something changed; a message never brings
the change itself. Only parts whose revision differs are read again. All of it runs in this module's own threads,
whose connections live outside Django's request cycle, so they are tried again once when they broke and closed at
the end.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from django.db import InterfaceError, OperationalError, connection

from access.checks import problems_at_start
from access.keys import token_key
from access.models import Revision
from access.policy import Reason
from access.services import ACCESS_PART, policy_digest, server_part, stamp
from access.services.revisions import CHANNEL
from access.token_format import TokenKind, is_genuine
from access.tokens import TokenFacts, verify_access_token
from audit.subjects import pseudonym_for
from core.actor import system_actor
from core.errors import Conflict
from gateway.errors import refuse
from gateway.facts import read_access, readable_server
from gateway.kept_tokens import Bearer, KeptTokens
from gateway.messenger import REVISED, Messenger
from gateway.snapshot import Snapshot, Token
from servers.models import Server
from servers.surface import Surface
from tools.services import sight

logger = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS: Final = 1.0
LOOKUP_SECONDS: Final = 2.0
_THREADS: Final = 3
_LOOK_THREADS: Final = 1  # apart: what a thread lets go, others do not use again, and parts of the policy are large
_SIGHT_THREADS: Final = 1  # apart: what is written waits for locks, and nobody's token may wait with it
_RECANCEL_SECONDS: Final = 0.2
_SERVER_PREFIX: Final = server_part("")
_LOOKING: Final = system_actor("gateway")


class Store:
    """Keeps the snapshot fresh while it runs. `resource` gives the resource indicator of a server's endpoint."""

    def __init__(self, *, resource: Callable[[str], str], redis_url: str) -> None:
        self._resource = resource
        self._redis_url = redis_url
        self._snapshot = Snapshot()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(_THREADS, "gateway-store")
        self._look_threads = ThreadPoolExecutor(_LOOK_THREADS, "gateway-policy")
        self._sight_threads = ThreadPoolExecutor(_SIGHT_THREADS, "gateway-sights")
        self._looking = asyncio.Lock()
        self._tokens = KeptTokens()
        self._messenger = Messenger(redis_url, self._heard, revisions=CHANNEL)
        self._hear: Callable[[str, str], None] | None = None
        self.refreshed: Callable[[float], None] = _nobody  # told how many seconds each look took

    async def problems(self) -> list[str]:
        """Why this process must not serve, as sentences (`access.checks`); empty when it may."""
        return await self._in_thread(problems_at_start)

    async def start(self) -> None:
        """Take the first look; a database that is away leaves the snapshot stale, and the looks go on."""
        await self._look()
        self._tasks = [
            asyncio.create_task(self._look_forever(), name="gateway snapshot"),
            asyncio.create_task(self._messenger.listen_forever(), name="gateway messages"),
        ]

    async def stop(self) -> None:
        """Stop looking and close the connections of every thread."""
        pending: set[asyncio.Task[None]] = set(self._tasks)
        while pending:
            # Repeated, because the messenger's client can swallow a cancellation while it connects.
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_RECANCEL_SECONDS)
        await self._messenger.close()
        await asyncio.to_thread(self._close_threads)

    def current(self) -> Snapshot:
        """The snapshot. Raises `Refused` when it is too old to decide by."""
        if self.is_stale():
            raise refuse(Reason.POLICY_STALE)
        return self._snapshot

    def is_stale(self) -> bool:
        """Whether nothing can be decided now."""
        return self._snapshot.is_stale(time.monotonic())

    def age(self) -> float:
        """Seconds since the policy was last known to be in force."""
        return time.monotonic() - self._snapshot.read_at

    def is_server(self, slug: str) -> bool:
        """Whether the last snapshot knows a server, be it stale."""
        return slug in self._snapshot.servers

    def kept(self, bearer: Bearer) -> Token | None:
        """The same as `token`, for one that was found a moment ago; None where it has to be looked up."""
        return self._tokens.get(bearer, self._snapshot.revisions.get(ACCESS_PART))

    async def token(self, bearer: Bearer) -> Token | None:
        """The facts of a token that is valid now. Raises `Refused` when that cannot be found out.

        What was found holds for five seconds, and no longer than the revision of `access`, by which any change of
        tokens, agents, people and grants shows (`gateway.kept_tokens`).
        """
        # Taken before the look-up: what changes during it shows in a later revision.
        revision = self._snapshot.revisions.get(ACCESS_PART)
        kept = self._tokens.get(bearer, revision)
        if kept is not None:
            return kept
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found: tuple[Token, datetime] | None = await self._in_thread(_token, bearer.raw)
        except (TimeoutError, OperationalError, InterfaceError) as error:
            raise refuse(Reason.POLICY_STALE, "Access tokens cannot be checked now, so the call is refused.") from error
        if found is None:
            return None
        self._tokens.keep(bearer, revision, *found)
        return found[0]

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """What a function answers that uses the database. Raises `Refused` when the database is away."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._in_thread(work, *arguments)
        except (TimeoutError, OperationalError, InterfaceError) as error:
            raise refuse(Reason.POLICY_STALE, "Sessions cannot be looked up now, so the call is refused.") from error

    async def tell(self, what: str, mark: str) -> None:
        """Tell every gateway process; what nobody hears makes something late, never wrong."""
        await self._messenger.tell(what, mark)

    def hear(self, listener: Callable[[str, str], None]) -> None:
        """From now on `listener` hears what processes tell each other."""
        self._hear = listener

    def _heard(self, what: str, mark: str) -> None:
        if what == REVISED:
            self._changed.set()
        elif self._hear is not None:
            self._hear(what, mark)

    async def sight(self, slug: str, url: str, surface: Surface) -> bool:
        """Take in what a class of principals was shown of the server at `url`; whether it was.

        When this returns, the snapshot holds what follows from it.
        """
        try:
            await self._in_thread(_sight, slug, url, surface, threads=self._sight_threads)
        except (OperationalError, InterfaceError, Conflict, Server.DoesNotExist) as error:
            logger.warning("what %s was shown is not recorded: %s", surface.vantage, type(error).__name__)
            return False
        await self._look()
        return True

    def is_ours(self, bearer: Bearer) -> bool:
        """Whether we issued the token, however long ago."""
        return self._tokens.has(bearer) or is_genuine(bearer.raw, TokenKind.ACCESS, token_key())

    async def _look_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            await self._look()

    async def _look(self) -> None:
        began = time.monotonic()
        try:
            # One at a time: a look that began earlier must not put back what a later one read.
            async with self._looking:
                given = self._snapshot, self._resource
                self._snapshot = await self._in_thread(_refreshed, *given, threads=self._look_threads)
        except (OperationalError, InterfaceError) as error:
            logger.warning("policy not read: %s", type(error).__name__)
        except Exception:
            logger.exception("policy not read")
        else:
            self.refreshed(time.monotonic() - began)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any, threads: ThreadPoolExecutor | None = None) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads or self._threads, _tried_again, work, arguments)

    def _close_threads(self) -> None:
        for threads, count in (
            (self._threads, _THREADS),
            (self._look_threads, _LOOK_THREADS),
            (self._sight_threads, _SIGHT_THREADS),
        ):
            # Every thread waits for the others, so each of them closes its own connection exactly once.
            meeting = threading.Barrier(count)
            for done in [threads.submit(_close_own, meeting) for _ in range(count)]:
                done.result()
            threads.shutdown()


def _nobody(_seconds: float) -> None:
    """Nobody is told."""


def _tried_again(work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    """Once more on a new connection: a server that was restarted shows only when the old one is used."""
    try:
        return work(*arguments)
    except (OperationalError, InterfaceError):
        connection.close()
    return work(*arguments)


def _close_own(meeting: threading.Barrier) -> None:
    connection.close()
    with contextlib.suppress(threading.BrokenBarrierError):
        meeting.wait(LOOKUP_SECONDS)


def _token(raw: str) -> tuple[Token, datetime] | None:
    facts = verify_access_token(raw)
    if facts is None:
        return None
    token = Token(
        id=str(facts.public_id),
        client_id=facts.client_id,
        agent=facts.agent_id,
        agent_active=facts.agent_active,
        person=facts.person_id,
        person_active=facts.person_active,
        principal=_principal(facts),
        resource=facts.resource,
        scopes=facts.scopes,
    )
    return token, facts.expires_at


def _sight(slug: str, url: str, surface: Surface) -> None:
    sight(server=Server.objects.get(slug=slug, url=url), surface=surface, actor=_LOOKING)


def _principal(facts: TokenFacts) -> str:
    if facts.person_public_id is None:
        return f"agent:{facts.client_id}"
    return pseudonym_for(public_id=facts.person_public_id, name=facts.person_name)


def _refreshed(snapshot: Snapshot, resource: Callable[[str], str]) -> Snapshot:
    """The snapshot with every part read again whose revision differs.

    Revisions are read first: a part read afterwards is at least as new as its number says.
    """
    looked_at = time.monotonic()
    revisions = dict(Revision.objects.values_list("part", "n"))
    digests = dict(snapshot.digests)
    for part, n in revisions.items():
        if snapshot.revisions.get(part) == n:
            continue
        digests[part] = policy_digest(part)
        if part == ACCESS_PART:
            snapshot = replace(snapshot, access=read_access())
        elif part.startswith(_SERVER_PREFIX):
            slug = part.removeprefix(_SERVER_PREFIX)
            snapshot = snapshot.with_server(slug, readable_server(slug, resource))
    if digests != snapshot.digests:
        snapshot = replace(snapshot, digests=MappingProxyType(digests), stamps=_stamps(digests))
    return replace(snapshot, revisions=MappingProxyType(revisions), read_at=looked_at)


def _stamps(digests: Mapping[str, str]) -> Mapping[str, str]:
    access = digests.get(ACCESS_PART, "")
    servers = ((part.removeprefix(_SERVER_PREFIX), each) for part, each in digests.items() if part != ACCESS_PART)
    return MappingProxyType({slug: stamp(access, each) for slug, each in servers})
