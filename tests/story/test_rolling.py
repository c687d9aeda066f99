"""A rolling restart of two gateway processes under load, open streams included: no failed call, no lost record."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psycopg
import pytest

from controlplane import up
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.gateway.world import free_port
from tests.story.balancer import Balancer
from tests.story.canaries import environment_of
from tests.story.product import ROOT, Product, running_product, wait_until
from tests.story.traffic import Traffic

pytestmark = pytest.mark.story

SLUG = "files"
RATE = 200  # calls a second at most; a slow machine sends as many as come back
CALLERS = 20  # of short calls, in each era
START_SECONDS = 90
NOTICE_SECONDS = 1
TOOLS = ("echo", "slow")


@dataclass
class Gateways:
    """Two gateway processes of one product, at ports that stay."""

    environment: Mapping[str, str]
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    processes: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, port: int) -> None:
        """As `./dev up` starts the one that it has."""
        command = up.uvicorn("gateway.asgi:application", port)
        self.processes[port] = subprocess.Popen(command, cwd=ROOT, env=self.environment)

    def stop(self) -> None:
        """At the end."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)


@dataclass
class Stage:
    """What the test has."""

    product: Product
    upstream: HonestServer
    gateways: Gateways
    port: int  # the balancer's
    token: str
    database: str

    def records(self) -> list[tuple[Any, ...]]:
        """Type, call, method, status, trace and error class of every record of a call or stream."""
        query = (
            "SELECT type, call_id, method, status, trace_id, error_class FROM audit_record"
            " WHERE server = %s AND type IN ('intent', 'outcome', 'deny')"
        )
        with psycopg.connect(self.database) as connection:
            return connection.execute(query, [SLUG]).fetchall()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory, port = tmp_path_factory.mktemp("rolling"), free_port()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("GATEWAY_URL", f"http://127.0.0.1:{port}/mcp")
        patch.setenv("NOTICE_SECONDS", str(NOTICE_SECONDS))
        upstream = stack.enter_context(honest_server())
        product = stack.enter_context(running_product(directory))
        token = _ready_agent(product, upstream)
        environment = environment_of(product.ready["processes"]["gateway"])
        gateways = Gateways(environment)
        stack.callback(gateways.stop)
        for each in gateways.ports:
            gateways.start(each)
        yield Stage(product, upstream, gateways, port, token, environment["DATABASE_URL"])


def _ready_agent(product: Product, upstream: HonestServer) -> str:
    """Everything is approved; an agent's token."""
    admin = product.admin
    body = {"slug": SLUG, "name": SLUG, "url": upstream.url, "environment": "development", "poll_interval": 86_400}
    body |= {"concurrent_calls": 200}  # while one process is away the other has the calls of both
    admin.post("servers/", body, expect=201)
    assert admin.post(f"servers/{SLUG}/poll/?wait=true", {}, expect=200)["complete"]
    waiting = admin.get("reviews/", server=SLUG, state="waiting", limit="100")["results"]
    items = [{"id": review["id"], "digest": review["digest"]} for review in waiting]
    admin.post("reviews/decide/", {"decision": "approve", "reason": "read", "reviews": items}, expect=200)
    scopes = ["mcp:connect", f"mcp:{SLUG}:read", f"mcp:{SLUG}:call"]
    admin.post("roles/", {"name": "caller", "scopes": scopes}, expect=201)
    agent = admin.post("agents/", {"name": "caller", "grant_types": ["client_credentials"]}, expect=201)
    admin.post("grants/", {"role": "caller", "agent": agent["client_id"], "expires_at": None}, expect=201)
    answer = httpx2.post(
        f"{product.ready['issuer']}/oauth/token/",
        data={"grant_type": "client_credentials", "resource": product.endpoint(SLUG)},
        auth=(agent["client_id"], agent["client_secret"]),
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def _until(what: str, look: Callable[[], Any], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _under_way(traffic: Traffic) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Every kind of traffic, until the block ends; calls are answered to the last."""
    period = 2 * CALLERS / RATE
    calls = [
        asyncio.create_task(traffic.caller(era, "echo", period))
        for era in ("modern", "handshake")
        for _ in range(CALLERS)
    ]
    for era in ("modern", "handshake"):
        slow = [(steps, told) for steps in (10, 20, 30) for told in (True, False)]
        calls += [asyncio.create_task(traffic.caller(era, "slow", 0, steps=steps, told=told)) for steps, told in slow]
    streams = [asyncio.create_task(traffic.listener(f"subscription {number}")) for number in range(4)]
    streams += [asyncio.create_task(traffic.hearer(f"session {number}")) for number in range(4)]
    try:
        yield streams
        traffic.over.set()
        await asyncio.gather(*calls)
    finally:
        for task in (*calls, *streams):
            task.cancel()
        await asyncio.gather(*calls, *streams, return_exceptions=True)


async def _restarted(stage: Stage, balancer: Balancer, traffic: Traffic, number: int) -> None:
    """One process ends and comes back; the streams that it had are open again elsewhere, and it serves calls."""
    process, port = balancer.processes[number], stage.gateways.ports[number]
    old = stage.gateways.processes[port]
    old.send_signal(signal.SIGTERM)
    await _until("it is out of the balancer's turn", lambda: not process.ready)
    await _until("the process ends", lambda: old.poll() is not None)
    assert old.returncode in (0, -signal.SIGTERM)
    await _until("every stream is open", lambda: len(traffic.open) == len(traffic.streams))
    stage.gateways.start(port)
    served = process.served
    await _until("the new process serves", lambda: process.served > served + 50)


async def test_no_call_fails_and_no_record_is_lost_while_both_processes_are_restarted(stage: Stage) -> None:
    path = f"/mcp/{SLUG}"
    async with Balancer(stage.gateways.ports).listening(stage.port) as balancer:
        await _until("both processes are ready", lambda: all(each.ready for each in balancer.processes))
        traffic = Traffic(stage.port, path, stage.token)
        async with _under_way(traffic) as streams:
            began = time.monotonic()
            await _until("both serve", lambda: all(each.served > 50 for each in balancer.processes))
            await _until("every stream is open", lambda: len(traffic.open) == len(streams))
            for number in (0, 1):
                await _restarted(stage, balancer, traffic, number)
            await _until("every stream is open", lambda: len(traffic.open) == len(streams))
            took = time.monotonic() - began
            lost = list(balancer.lost)
    rate = len(traffic.sent) / took
    sys.stdout.write(f"{len(traffic.sent)} calls in {took:.0f} s, {rate:.0f} a second; {traffic.streams}\n")
    assert (traffic.failures[:20], len(traffic.failures), lost) == ([], 0, [])
    assert traffic.answered == len(traffic.sent)
    assert all(opened > 1 for opened in traffic.streams.values()), traffic.streams
    _check_records(stage, traffic)


def _check_records(stage: Stage, traffic: Traffic) -> None:
    """Every call has one intent and one outcome, and the server got nothing else."""
    streams = sum(traffic.streams.values())
    wait_until("the last streams have their outcomes", lambda: _outcomes(stage) == len(traffic.sent) + streams)
    records = stage.records()
    journal = Counter(int(call["arguments"]["text"]) for call in stage.upstream.calls())
    assert journal == dict.fromkeys(traffic.sent, 1)
    of_calls = [record for record in records if record[2] == "tools/call"]
    for type_, status in (("intent", ""), ("outcome", "ok")):
        traces = Counter(int(record[4], 16) for record in of_calls if record[0] == type_ and record[3] == status)
        assert traces == dict.fromkeys(traffic.sent, 1), type_
    by_call = Counter((record[0], record[1]) for record in records)
    assert set(by_call.values()) == {1}
    assert len(by_call) == 2 * (len(traffic.sent) + streams)
    ends = Counter(record[5] for record in records if record[0] == "outcome" and record[3] == "closed")
    assert ends["shutdown"] == streams - len(traffic.streams)


def _outcomes(stage: Stage) -> int:
    return sum(record[0] == "outcome" for record in stage.records())
