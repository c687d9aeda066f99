"""Who polls which server now: leases, and a poll that a person asked for.

A lease is a token in the server's row. It makes a lost task heal (the lease runs out) and a doubled or late one
harmless (its token is no longer the row's, so its result is dropped).
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from audit.permit import audited_denials, refuse_unless
from core.actor import Actor, system_actor
from core.errors import Conflict
from core.names import subject
from core.permissions import Permission
from core.queue import enqueue
from servers.models import Server
from servers.rules import POLLED, Environment
from servers.surface import Target
from tools.rules import POLLER
from tools.services.absorbing import PollResult, absorb

LEASE_SECONDS: Final = 240  # longer than any observation may take, queueing in a batch included
POLLING: Final = system_actor("poller")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to store the next observation of one server."""

    server_id: int
    token: UUID


def target_of(server: Server) -> Target:
    """Where to look, and what is asked of a production server."""
    in_production = server.environment == Environment.PRODUCTION.value
    return Target(url=server.url, vantage=POLLER, allow_unauthenticated=not in_production)


def claim_due_servers(*, limit: int) -> list[Lease]:
    """Lease up to `limit` servers whose poll is due. Rows that another worker is claiming are passed over."""
    with transaction.atomic():
        due = Server.objects.due(timezone.now()).exclude(url="").select_for_update(skip_locked=True, of=("self",))
        return [_lease(server) for server in due[:limit]]


def still_held(leases: list[Lease]) -> dict[UUID, Server]:
    """The servers of those leases that are still good, by token: a repeated message finds none."""
    found = Server.objects.filter(lease_token__in=[lease.token for lease in leases], lease_until__gt=timezone.now())
    return {server.lease_token: server for server in found if server.lease_token is not None}


def poll_now(*, slug: str, actor: Actor) -> PollResult:
    """Look at a server at once and compare.

    Takes the lease over from a worker that may be polling it. Raises `NotFound`, `PermissionDenied`, `Conflict`
    (suspended, retired, or polled again meanwhile).
    """
    from servers.observe import observe  # with the `mcp` package it costs 30 MB, which a gateway has no use for

    server, lease = _claim(slug=slug, actor=actor)
    surface = asyncio.run(observe(target_of(server)))
    result = absorb(server=server, surface=surface, actor=actor, lease_token=lease.token)
    if result.stale:
        raise Conflict(result.error or "The server was polled again meanwhile.")
    return result


@audited_denials
def poll_soon(*, slug: str, actor: Actor) -> None:
    """Let a worker look at a server as soon as one is free. Raises as `poll_now`."""
    server = _pollable(slug, actor)
    # Made due rather than leased: a lost message costs one tick, not a lease.
    server.next_poll_at = timezone.now()
    server.save(update_fields=["next_poll_at"])
    enqueue("tools.hand_out_due_servers")


@audited_denials
def _claim(*, slug: str, actor: Actor) -> tuple[Server, Lease]:
    server = _pollable(slug, actor)
    return server, _lease(server)


def _pollable(slug: str, actor: Actor) -> Server:
    server = Server.objects.visible_to(actor).locked(slug)
    refuse_unless(
        actor.may(Permission.SERVER_POLL, team_id=server.owner_team_id),
        actor=actor,
        permission=Permission.SERVER_POLL,
        subject=subject("server", slug),
    )
    if server.state not in POLLED:
        raise Conflict(f"A server that is {server.state} is not polled.")
    if not server.url:
        raise Conflict("A server without a URL cannot be polled.")
    return server


def _lease(server: Server) -> Lease:
    server.lease_token = uuid4()
    server.lease_until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    server.save(update_fields=["lease_token", "lease_until"])
    return Lease(server.pk, server.lease_token)
