"""The interface as a whole: settings, and who is told what by `/metrics`."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from access.policy import Reason
from gateway.errors import Refused, refuse
from gateway.front import Doors, Head
from gateway.reply import Reply
from gateway.telemetry import Telemetry
from tests.fixtures_mcp.processes import HonestServer
from tests.gateway.collector import collector
from tests.gateway.observed import SERVERS, head, scraped, told, value

if TYPE_CHECKING:
    from tests.gateway.world import World

TOKEN = "a-token-of-this-installation"
BEARER = (b"authorization", f"Bearer {TOKEN}".encode())
DOORS = Doors(("http://127.0.0.1:8000",), loopback=True)


def scrape(*lines: tuple[bytes, bytes], host: bytes = b"127.0.0.1", ip: str = "127.0.0.1", method: str = "GET") -> Head:
    found = head(*lines, ip=ip, path="/metrics", method=method)
    return Head(found.method, found.path, b"", {**found.headers, "host": host.decode()}, found.repeated, ip)


async def answered(token: str, asked: Head) -> Reply:
    return await Telemetry(is_server=SERVERS.__contains__, token=token).scraped(asked, DOORS.check)


async def test_a_near_peer_reads_the_metrics_where_there_is_no_token():
    reply = await answered("", scrape((b"accept", b"text/plain")))
    assert reply.status == 200
    assert dict(reply.headers)["content-type"].startswith("text/plain; version=0.0.4")
    assert b"holdfast_operations_in_flight 0.0" in reply.body


@pytest.mark.parametrize("asked", [scrape(ip="10.0.0.7"), scrape((b"x-forwarded-for", b"127.0.0.1"))])
async def test_anybody_else_is_told_nothing(asked):
    assert await answered("", asked) == Reply(404)


async def test_where_there_is_a_token_a_near_peer_needs_it_too():
    assert await answered(TOKEN, scrape()) == Reply(404)
    assert await answered(TOKEN, scrape((b"authorization", b"Bearer wrong"))) == Reply(404)
    assert (await answered(TOKEN, scrape(BEARER))).status == 200


async def test_the_token_opens_from_afar_and_under_any_name():
    assert (await answered(TOKEN, scrape(BEARER, ip="10.0.0.7", host=b"gateway-3.internal:8000"))).status == 200


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize(
    "asked", [scrape(host=b"evil.example"), scrape((b"origin", b"http://evil.example"))], ids=["host", "origin"]
)
async def test_a_web_page_of_others_is_refused(token, asked):
    with pytest.raises(Refused):
        await answered(token, asked)


async def test_only_reading_is_possible():
    assert (await answered("", scrape(method="POST"))).status == 405


async def test_a_scrape_is_written_down_beside_the_event_loop():
    telemetry, threads = Telemetry(), []

    def waiting() -> int:
        threads.append(threading.current_thread())
        return 0

    telemetry.watch(audit_queue=waiting)
    await telemetry.scraped(scrape(), DOORS.check)
    assert threads
    assert threading.main_thread() not in threads


def test_what_is_not_a_request_is_counted_too():
    telemetry = Telemetry(is_server=SERVERS.__contains__)
    telemetry.refused("shutting_down", "files")
    telemetry.commit(0.001, 3)
    telemetry.commit(0.001, 3, failed=True)
    telemetry.refreshed(0.002)
    telemetry.looked("files", "same")
    telemetry.session_ended(5, of="server")
    telemetry.watch(snapshot_age=lambda: 1.5)
    with telemetry.stream():
        assert value(telemetry.metrics, "holdfast_streams_open") == 1
    found = told(telemetry.metrics)
    assert found["holdfast_refusals_total"] == {(("reason", "shutting_down"), ("server", "files")): 1}
    assert found["holdfast_streams_open"][()] == 0
    assert found["holdfast_policy_age_seconds"][()] == 1.5
    assert found["mcp_server_session_duration_seconds_count"][()] == 1
    assert found["holdfast_audit_batch_records_sum"][()] == 3


async def test_calls_side_by_side_do_not_mix():
    telemetry = Telemetry(is_server=SERVERS.__contains__)

    async def one(number: int) -> None:
        with telemetry.request("files", head()) as operation:
            operation.asked("tools/call", {})
            await asyncio.sleep(0)
            if number % 2:
                raise refuse(Reason.NOT_GRANTED)
            operation.ended("ok")

    await asyncio.gather(*(one(number) for number in range(10)), return_exceptions=True)
    counts = told(telemetry.metrics)["mcp_server_operation_duration_seconds_count"]
    assert sorted(counts.values()) == [5, 5]


@pytest.mark.network
async def test_the_settings_say_whether_and_where_spans_go(settings: Any):
    with collector() as receiver:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url
        settings.OTEL_EXPORTER_OTLP_HEADERS = {"authorization": "Bearer of-the-collector"}
        settings.METRICS_TOKEN = TOKEN
        telemetry = Telemetry.from_settings(is_server=SERVERS.__contains__)
        with telemetry.request("files", head()) as operation:
            operation.asked("ping", {})
        await telemetry.close()
        assert receiver.names == ["ping"]
        assert "Bearer of-the-collector" in receiver.heads[0]
    assert (await telemetry.scraped(scrape(BEARER, ip="10.0.0.7"), DOORS.check)).status == 200


def sessions(url: str) -> dict[str, tuple[float, float]]:
    """How many sessions of each kind a gateway says have ended, and how many seconds they were open together."""
    found = scraped(url)
    names = {of: f"mcp_{of}_session_duration_seconds" for of in ("server", "client")}
    return {of: (found[f"{name}_count"][()], found[f"{name}_sum"][()]) for of, name in names.items()}


@pytest.mark.network
def test_the_end_of_a_session_is_counted_once_by_the_process_that_brings_it_about(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    from gateway.models import Session
    from gateway.session import LIFETIME
    from tests.gateway.clients import CALL, READ, initialized
    from tests.gateway.relay import relaying
    from tests.gateway.world import free_port, running

    none = {"server": (0, 0), "client": (0, 0)}
    port = free_port()
    a, b = world.url, f"http://127.0.0.1:{port}"
    with relaying(servers["handshake"].url) as tap, running(port):
        world.register(tap.url)
        world.approve()
        token = world.agent(READ, CALL).token()
        speaker = initialized(world.endpoint(), token)
        other = speaker.at(f"{b}/mcp/files")
        began = time.monotonic()
        speaker.call("echo")
        other.call("echo")
        assert sessions(a) == sessions(b) == none
        tap.forget()
        other.call("echo")
        assert [sessions(each)["client"][0] for each in (a, b)] == [0, 1], "b found that the server had forgotten it"
        long_open = Session.objects.get()
        Session.objects.update(created_at=long_open.created_at - timedelta(seconds=1000))
        assert speaker.send("DELETE").opened().status == 204
        assert other.send("DELETE").opened().status == 404
        (ours, seconds), (theirs, behind) = sessions(a)["server"], sessions(a)["client"]
        assert (ours, theirs, sessions(b)["server"][0]) == (1, 1, 0)
        assert 1000 <= seconds <= 1000 + time.monotonic() - began + 60
        assert 0 < behind + sessions(b)["client"][1] <= time.monotonic() - began
        # Nobody ends this one: it was open until it expired, and is counted once its row is removed.
        initialized(world.endpoint(), token)
        Session.objects.update(created_at=long_open.created_at - timedelta(seconds=LIFETIME + 70))
        initialized(other.url, token)
        assert sessions(b)["server"] == (1, LIFETIME)
        assert (sessions(a)["server"][0], sessions(b)["client"][0]) == (1, 1)


@pytest.mark.network
def test_a_session_that_a_process_has_for_itself_is_counted_when_the_server_forgets_it(
    world: "World", servers: dict[str, HonestServer]
) -> None:
    from tests.gateway.clients import CALL, READ, Modern
    from tests.gateway.relay import relaying

    with relaying(servers["handshake"].url) as tap:
        world.register(tap.url)
        world.approve()
        speaker = Modern(world.endpoint(), world.agent(READ, CALL).token())
        began = time.monotonic()
        speaker.call("echo")
        assert sessions(world.url)["client"] == (0, 0)
        tap.forget()
        speaker.call("echo")
        count, seconds = sessions(world.url)["client"]
    assert count == 1
    assert 0 < seconds <= time.monotonic() - began
