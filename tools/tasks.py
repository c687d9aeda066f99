"""Background work: hand out due servers, poll them, end emergencies. A task is a door like a view: no rules here."""

import asyncio
import logging
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread
from typing import Final
from uuid import UUID

from celery import shared_task

from core.queue import enqueue
from servers.models import Server
from servers.observe import observe
from servers.surface import Surface
from tools import services
from tools.services import Lease, absorb, claim_due_servers, end_run_out, still_held
from tools.services.polling import POLLING, target_of

BATCH: Final = 20
CONCURRENCY: Final = 10
SKETCHES: Final = 100  # texts of a megabyte each are read at a time
SKETCHED_AT_ONCE: Final = 2_000
RESCANNED: Final = 100  # versions in one transaction
RESCANNED_AT_ONCE: Final = 1_000
logger = logging.getLogger(__name__)


@shared_task(name="tools.hand_out_due_servers")
def hand_out_due_servers() -> int:
    """Lease every due server and queue it; answers how many. What no worker takes is leased again later."""
    handed_out = 0
    while leases := claim_due_servers(limit=BATCH):
        enqueue("tools.poll_servers", leases=[[lease.server_id, str(lease.token)] for lease in leases])
        handed_out += len(leases)
    return handed_out


@shared_task(name="tools.poll_servers")
def poll_servers(leases: list[tuple[int, str]]) -> int:
    """Poll these servers together; answers how many results were stored. One server's failure is its own."""
    held = still_held([Lease(server_id, UUID(token)) for server_id, token in leases])
    return sum(_stored(server, token, surface) for token, server, surface in _surfaces(held))


@shared_task(name="tools.check_server")
def check_server(slug: str) -> bool:
    """Judge how a server is reached after it was registered or changed. The next look at it would do so as well."""
    return services.check_server_now(slug=slug)


@shared_task(name="tools.end_emergencies")
def end_emergencies() -> int:
    """Note the end of emergencies whose time has passed; answers how many. The gateway does not wait for it."""
    return end_run_out()


@shared_task(name="tools.settle_expired")
def settle_expired() -> int:
    """Put to review what is withheld because its approval ran out; answers how many."""
    return services.settle_expired()


@shared_task(name="tools.count_uses")
def count_uses() -> int:
    """Count what grants were used for; answers how many places of the audit log were read."""
    return services.count_uses()


@shared_task(name="tools.sketch_old_versions")
def sketch_old_versions() -> int:
    """Sketch versions that have none, so that new definitions are compared with them too; answers how many."""
    done = 0
    while done < SKETCHED_AT_ONCE and (found := services.sketch_old_versions(limit=SKETCHES)):
        done += found
    return done


@shared_task(name="tools.rescan_outdated")
def rescan_outdated() -> int:
    """Scan again what was read by other rules than these; answers how many. What is left is for the next tick."""
    done = 0
    while done < RESCANNED_AT_ONCE and (found := services.rescan_outdated(limit=RESCANNED)):
        done += found
    return done


def _stored(server: Server, token: UUID, surface: Surface) -> bool:
    try:
        return not absorb(server=server, surface=surface, actor=POLLING, lease_token=token).stale
    except Exception:
        # The edge of the process: nothing was changed, and the lease runs out and is handed out again.
        logger.exception("the observation of server %s was not stored", server.slug)
        return False


def _surfaces(held: dict[UUID, Server]) -> Iterator[tuple[UUID, Server, Surface]]:
    """Each server's surface as soon as it is there, so that one that hangs holds up no other."""
    arrived: SimpleQueue[tuple[UUID, Surface | None]] = SimpleQueue()
    loop = Thread(target=lambda: asyncio.run(_look_at_all(held, arrived)), name="poll")
    loop.start()
    for _ in held:
        token, surface = arrived.get()
        if surface is not None:
            yield token, held[token], surface
    loop.join()


async def _look_at_all(held: dict[UUID, Server], arrived: "SimpleQueue[tuple[UUID, Surface | None]]") -> None:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def look(token: UUID, server: Server) -> None:
        surface = None
        try:
            async with slots:
                surface = await observe(target_of(server))
        except Exception:
            logger.exception("server %s could not be observed", server.slug)
        finally:
            arrived.put((token, surface))

    await asyncio.gather(*(look(token, server) for token, server in held.items()))
