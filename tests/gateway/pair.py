"""Several gateways of one process, with one database and one Valkey.

with gateways(django_db_blocker) as world, relaying(world.a, world.b) as front:
    ...
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.test import override_settings
from redis import Redis

from audit.models import Record
from gateway.application import Gateway
from tests import databases
from tests.gateway.clients import CALL, READ
from tests.gateway.world import World, free_port, running, until


@dataclass
class Shared(World):
    """What a test sees of several gateways with one database; `url` is the first's."""

    others: list[Gateway] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    server: str = ""
    names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def a(self) -> str:
        """The endpoint at the first gateway."""
        return f"{self.urls[0]}/mcp/files"

    @property
    def b(self) -> str:
        """The endpoint at the second."""
        return f"{self.urls[-1]}/mcp/files"

    def settle(self) -> None:
        """Wait until every gateway knows the present state."""
        from access.models import Revision

        wanted = dict(Revision.objects.values_list("part", "n"))
        for gateway in (self.gateway, *self.others):
            until(partial(_knows, gateway, wanted))

    def token(self, *scopes: str) -> str:
        """The token of a new agent."""
        return self.agent(*(scopes or (READ, CALL)), name=f"robot {next(self.names)}").token()

    def told(self, token: str, **filters: Any) -> list[tuple[str, str, str, str]]:
        """Event, method, subject and reason or status of the records about a token, oldest first."""
        from access.tokens import verify_access_token

        facts = verify_access_token(token)
        assert facts is not None
        found = Record.objects.filter(token_id=str(facts.public_id), **filters).exclude(type="admin").order_by("id")
        return [(each.event, each.method, each.tool, each.reason or each.status) for each in found if each.server]


@contextmanager
def gateways(blocker: Any, *, count: int = 2) -> Iterator[Shared]:
    """So many gateways, with a database of their own, for a module's tests."""
    ports = [free_port() for _ in range(count)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    with ExitStack() as stack:
        stack.enter_context(blocker.unblock())
        stack.enter_context(databases.fresh_copy())
        stack.enter_context(override_settings(PUBLIC_URL=urls[0], ISSUER=urls[0], GATEWAY_URL=f"{urls[0]}/mcp"))
        first, *others = [stack.enter_context(running(port)) for port in ports]
        try:
            yield Shared(urls[0], first, others=others, urls=urls)
        finally:
            # A server waits for streams that its tests left open, and nobody in this process is told by a signal.
            for gateway in (first, *others):
                gateway.drain()


def _knows(gateway: Gateway, revisions: Mapping[str, int]) -> bool:
    return dict(gateway._store._snapshot.revisions) == revisions
