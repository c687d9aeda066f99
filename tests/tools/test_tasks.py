"""Background polling: handed out once, doubled messages harmless, one server's failure its own."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.utils import timezone
from redis import Redis

from core.actor import Actor
from core.permissions import Permission
from servers.models import HealthSample, Server
from servers.observe import observe as observe_server
from servers.surface import Surface
from tests.factories import person_with
from tests.fixtures_mcp.processes import HonestServer, honest_server, hostile_server
from tests.tools.making import make_server, poll, tool, waiting
from tools import services, tasks
from tools.models import BreakGlass, Review, Sketch

pytestmark = [pytest.mark.django_db, pytest.mark.network]


@pytest.fixture(scope="module")
def upstream() -> Iterator[HonestServer]:
    with honest_server() as running:
        yield running


def leases() -> list[tuple[int, str]]:
    return [(lease.server_id, str(lease.token)) for lease in services.claim_due_servers(limit=100)]


def test_the_tasks_have_the_names_that_are_queued() -> None:
    assert {"tools.end_emergencies", "tools.hand_out_due_servers", "tools.poll_servers"} <= set(current_app.tasks)
    assert "tools.sketch_old_versions" in current_app.tasks


def test_old_versions_are_sketched_until_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Sketch.objects, "bulk_create", lambda *_, **__: None)
        poll(make_server("files"), *(tool(f"read{number}") for number in range(5)))
    monkeypatch.setattr(tasks, "SKETCHES", 2)
    assert tasks.sketch_old_versions() == 5
    assert tasks.sketch_old_versions() == 0
    assert Sketch.objects.count() == 5


def test_due_servers_are_handed_out_in_batches(valkey_url: str, django_capture_on_commit_callbacks: Any) -> None:
    for number in range(45):
        make_server(f"s{number}")
    with django_capture_on_commit_callbacks(execute=True):
        assert tasks.hand_out_due_servers() == 45
    with Redis.from_url(valkey_url) as broker:
        messages = [json.loads(raw) for raw in broker.lrange("poll", 0, -1)]
    bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
    assert sorted(len(body[1]["leases"]) for body in bodies) == [5, 20, 20]
    assert tasks.hand_out_due_servers() == 0


def test_good_and_bad_servers_are_polled_together_and_each_gets_its_own_result(upstream: HonestServer) -> None:
    with hostile_server() as base:
        make_server("bad", url=f"{base}/mcp/html")
        make_server("good", url=upstream.url)
        make_server("dead", url="http://127.0.0.1:1/mcp")
        assert tasks.poll_servers(leases()) == 3
    states = dict(Server.objects.values_list("slug", "reachable"))
    assert states["good"] is True
    assert states["dead"] is False
    assert {review.definition.server.slug for review in Review.objects.waiting()} == {"good"}
    assert Server.objects.filter(lease_token__isnull=False).count() == 0


def test_a_doubled_message_is_harmless(upstream: HonestServer) -> None:
    make_server("good", url=upstream.url)
    message = leases()
    assert tasks.poll_servers(message) == 1
    assert tasks.poll_servers(message) == 0
    assert HealthSample.objects.count() == 1


def test_a_message_with_a_lost_lease_does_not_even_look() -> None:
    server = make_server("files")
    assert tasks.poll_servers([(server.pk, str(uuid4()))]) == 0
    assert not HealthSample.objects.exists()


def test_a_result_that_cannot_be_stored_harms_no_other(
    upstream: HonestServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored = services.absorb

    def absorb(*, server: Server, surface: Surface, actor: Actor, lease_token: Any) -> services.PollResult:
        if server.slug == "broken":
            raise RuntimeError("a defect")
        return stored(server=server, surface=surface, actor=actor, lease_token=lease_token)

    monkeypatch.setattr(tasks, "absorb", absorb)
    make_server("broken", url=upstream.url)
    make_server("good", url=upstream.url)
    assert tasks.poll_servers(leases()) == 1
    assert "broken was not stored" in caplog.text
    assert Server.objects.get(slug="broken").lease_token is not None


def test_a_defect_while_looking_harms_no_other(
    upstream: HonestServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked = observe_server

    async def observe(target: Any) -> Surface:
        if target.url.endswith("broken"):
            raise RuntimeError("a defect")
        return await looked(target)

    monkeypatch.setattr(tasks, "observe", observe)
    make_server("broken", url="http://127.0.0.1:1/broken")
    make_server("good", url=upstream.url)
    assert tasks.poll_servers(leases()) == 1
    assert "broken could not be observed" in caplog.text


def test_emergencies_whose_time_has_passed_are_ended(
    server: Server, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_with(Permission.REVIEW_DECIDE)
    poll(server, tool())
    review, until = waiting(), timezone.now() + timedelta(hours=1)
    services.break_glass(
        review_id=review.public_id, digest=review.version.digest, reason="Night.", until=until, actor=reviewer
    )
    assert tasks.end_emergencies() == 0
    monkeypatch.setattr(timezone, "now", lambda: until)
    assert tasks.end_emergencies() == 1
    assert not BreakGlass.objects.live().exists()
