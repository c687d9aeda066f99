"""Leases, and polls that a person asks for, against a real server in another process."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from access.models import Person
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, NotFound, PermissionDenied
from core.permissions import Permission
from servers.models import Server
from tests.fixtures_mcp.processes import HonestServer, honest_server, hostile_server
from tests.tools.making import actor_of, approve, make_server, served, waiting
from tools import services
from tools.models import Review
from tools.services.polling import LEASE_SECONDS, target_of

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def upstream() -> Iterator[HonestServer]:
    with honest_server() as running:
        yield running


def test_a_due_server_is_leased_once(server: Server) -> None:
    (lease,) = services.claim_due_servers(limit=5)
    assert lease.server_id == server.pk
    assert services.claim_due_servers(limit=5) == []
    assert list(services.still_held([lease])) == [lease.token]


def test_a_lease_runs_out_and_the_server_is_leased_again(server: Server) -> None:
    (lease,) = services.claim_due_servers(limit=5)
    Server.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert services.still_held([lease]) == {}
    (again,) = services.claim_due_servers(limit=5)
    assert again.token != lease.token
    assert services.still_held([lease]) == {}


def test_only_due_servers_with_a_url_that_may_be_polled_are_leased(server: Server) -> None:
    make_server("later", next_poll_at=timezone.now() + timedelta(minutes=1))
    make_server("asleep", state="suspended")
    make_server("packaged", url="", template="npm")
    assert [lease.server_id for lease in services.claim_due_servers(limit=5)] == [server.pk]


def test_a_lease_outlives_every_observation_of_its_batch() -> None:
    from servers.limits import Limits
    from tools.tasks import BATCH, CONCURRENCY

    assert Limits().total_seconds * (BATCH / CONCURRENCY) < LEASE_SECONDS


def test_production_servers_are_looked_at_strictly(server: Server) -> None:
    assert target_of(server).allow_unauthenticated
    server.environment = "production"
    assert not target_of(server).allow_unauthenticated


@pytest.mark.network
def test_polling_now_sees_a_real_server_and_its_change(upstream: HonestServer, reviewer: Actor) -> None:
    server = make_server("real", url=upstream.url)
    upstream.change(tools=[{"name": "read", "description": "Read.", "inputSchema": {"type": "object"}}])
    result = services.poll_now(slug="real", actor=reviewer)
    assert (result.complete, result.error) == (True, None)
    assert result.reviews_opened == result.definitions > 1
    approve(waiting("read"), reviewer)
    assert list(served(server)) == ["read"]
    upstream.change(tools=[{"name": "read", "description": "Read and send.", "inputSchema": {"type": "object"}}])
    assert services.poll_now(slug="real", actor=reviewer).reviews_opened == 1
    assert served(server) == {}
    assert Record.objects.filter(event="tool.drifted").count() == 1


@pytest.mark.network
def test_a_hostile_server_gives_a_sentence_and_changes_nothing(reviewer: Actor) -> None:
    with hostile_server() as base:
        make_server("evil", url=f"{base}/mcp/html")
        result = services.poll_now(slug="evil", actor=reviewer)
    assert not result.complete
    assert result.error
    assert result.error_class
    assert not Review.objects.exists()


@pytest.mark.parametrize("state", ["suspended", "retired"])
def test_a_server_out_of_use_is_not_polled(server: Server, reviewer: Actor, state: str) -> None:
    Server.objects.update(state=state)
    with pytest.raises(Conflict):
        services.poll_now(slug="files", actor=reviewer)
    with pytest.raises(Conflict):
        services.poll_soon(slug="files", actor=reviewer)


def test_a_server_without_a_url_is_not_polled(reviewer: Actor) -> None:
    make_server("packaged", url="", template="npm")
    with pytest.raises(Conflict):
        services.poll_now(slug="packaged", actor=reviewer)


def test_polling_needs_its_permission_and_the_denial_is_recorded(server: Server) -> None:
    nina = actor_of(Person.objects.create(username="nina"), Permission.SERVER_READ)
    with pytest.raises(PermissionDenied):
        services.poll_now(slug="files", actor=nina)
    assert Record.objects.filter(event="action.denied", subject="server:files").count() == 1
    with pytest.raises(NotFound):
        services.poll_now(slug="none", actor=nina)


def test_a_poll_that_lost_its_lease_says_so(server: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    from servers.observe import Target
    from servers.surface import Surface
    from tests.tools.making import surface, tool

    async def slow(target: Target) -> Surface:
        return surface(tool())

    def run(coroutine: object) -> Surface:
        coroutine.close()  # type: ignore[attr-defined]  # a coroutine
        Server.objects.update(lease_token=uuid4())
        return surface(tool())

    monkeypatch.setattr("servers.observe.observe", slow)
    monkeypatch.setattr("tools.services.polling.asyncio.run", run)
    with pytest.raises(Conflict, match="meanwhile"):
        services.poll_now(slug="files", actor=reviewer)
    assert not Review.objects.exists()
