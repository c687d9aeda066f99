"""Servers that break, lie, hang and flood, the running gateway between them and callers, and another server beside.

Each fault has to end in bounded time and memory, with one intent and one outcome that has a class, with nothing secret
in a log, and without one failed call to the other server.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from django.db import transaction
from django.test import override_settings
from redis import Redis

from access.services import bump_revision, server_part
from servers.models import Server
from tests import databases
from tests.fixtures_mcp.processes import HonestServer, honest_server, hostile_server
from tests.gateway.faults import HONEST, QUICK, agency, answer, called, honest_calls, register
from tests.gateway.test_pipeline import INITIALIZE
from tests.gateway.world import PLAIN, World, free_port, running, until
from tools.models import DefinitionVersion, Review

pytestmark = [
    pytest.mark.story,
    pytest.mark.network,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
]

MEGABYTES = 400  # what a fault may make a process grow by; a gigabyte sent to it is far beyond
SECONDS = 45  # a call may take three, and the machine may do other things as well
CANARY = "canary-of-an-argument"


@pytest.fixture(scope="module")
def honest() -> Iterator[HonestServer]:
    with honest_server() as server:
        yield server


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    with hostile_server() as url:
        yield url


@contextmanager
def a_world(honest: HonestServer) -> Iterator[World]:
    """A gateway in this process, and an honest server that is approved."""
    from django.conf import settings

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    addresses = override_settings(PUBLIC_URL=url, ISSUER=url, GATEWAY_URL=f"{url}/mcp")
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    with databases.fresh_copy(), addresses, running(port) as gateway:
        world = World(url, gateway)
        register(world, {HONEST: honest.url})
        yield world


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, honest: HonestServer) -> Iterator[World]:
    """One gateway for all tests here: each has servers and agents of its own."""
    with django_db_blocker.unblock(), a_world(honest) as found:
        yield found


# What a server does when its tool is called, and how that is recorded. Only time ends what is impatient.
IMPATIENT: dict[str, tuple[str, str]] = dict.fromkeys(
    ("busy-events", "drip", "drip-head", "endless-continue", "hang", "idle-events", "stops reading"),
    ("failed", "timeout"),
)
PATIENT: dict[str, tuple[str, str]] = {
    "done": ("ok", ""),
    "two-responses": ("ok", ""),  # the first counts
    "deep-100": ("ok", ""),
    "error": ("error", "jsonrpc -32603"),
    "404": ("failed", "protocol_error"),
    "500": ("failed", "protocol_error"),
    "503": ("failed", "protocol_error"),
    "closed": ("failed", "protocol_error"),
    "gzip": ("failed", "protocol_error"),
    "html": ("failed", "protocol_error"),
    "not-http": ("failed", "protocol_error"),
    "reset": ("failed", "protocol_error"),
    "reset-in-events": ("failed", "protocol_error"),
    "text-id": ("failed", "protocol_error"),
    "wrong-id": ("failed", "protocol_error"),
    "wrong-id-events": ("failed", "protocol_error"),
    "challenged": ("failed", "needs_credentials"),
    "big-header": ("failed", "too_large"),
    "endless-event": ("failed", "too_large"),
    "gigabyte": ("failed", "too_large"),
    "many-headers": ("failed", "too_large"),
    "notification-storm": ("failed", "too_many"),
    "four-million-values": ("failed", "too_many"),
    "result-list": ("failed", "not_carried"),
    "stream-without-answer": ("failed", "ended"),
    "accepted": ("failed", "malformed"),
    "batch": ("failed", "malformed"),
    "both": ("failed", "malformed"),
    "case-variant": ("failed", "malformed"),
    "deep-200": ("failed", "malformed"),
    "duplicate-keys": ("failed", "malformed"),
    "infinite": ("failed", "malformed"),
    "invalid-utf8": ("failed", "malformed"),
    "long-number": ("failed", "malformed"),
    "nan": ("failed", "malformed"),
    "no-version": ("failed", "malformed"),
    "redirect": ("failed", "malformed"),
    "surrogate": ("failed", "malformed"),
    "truncated": ("failed", "malformed"),
    "two-documents": ("failed", "malformed"),
    "very-deep": ("failed", "malformed"),
}
WELL = ("ok", "error")


def test_a_call_that_goes_wrong_hurts_nobody_else(world: World, hostile: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every misbehaviour at once, one call each, beside honest calls to another server."""
    caplog.set_level(logging.INFO)
    to = "to=http://169.254.169.254/latest/meta-data/"
    register(world, {"patient": f"{hostile}/mcp/call-a?{to}"})
    register(world, {"impatient": f"{hostile}/mcp/call-b"}, **QUICK)
    robot = agency(world, [HONEST, "patient", "impatient"])
    tokens = {slug: robot.token(slug) for slug in (HONEST, "patient", "impatient")}
    faults = [("impatient", name) for name in IMPATIENT] + [("patient", name) for name in PATIENT]
    traces = {fault: uuid4().hex for fault in faults}

    def play(fault: tuple[str, str]) -> tuple[float, httpx2.Response]:
        slug, name = fault
        arguments = {"do": name, "text": "x" * 3_000_000 if name == "stops reading" else CANARY}
        began = time.monotonic()
        response = called(world.endpoint(slug), tokens[slug], arguments, tool="plain", trace=traces[fault])
        return time.monotonic() - began, response

    with honest_calls(world.endpoint(HONEST), tokens[HONEST]) as beside, ThreadPoolExecutor(10) as pool:
        answers = dict(zip(faults, pool.map(play, faults), strict=True))
    assert beside.failed == []
    assert beside.grown < MEGABYTES
    assert {fault: seconds for fault, (seconds, _) in answers.items() if seconds > SECONDS} == {}
    for fault, (_, response) in answers.items():
        expected = {"patient": PATIENT, "impatient": IMPATIENT}[fault[0]][fault[1]]
        intent, outcome = world.records(trace_id=traces[fault])
        recorded = (intent.type, outcome.type, (outcome.status, outcome.error_class))
        assert recorded == ("intent", "outcome", expected), fault
        body = answer(response)
        told = body["error"]["data"]["reason"] if expected[0] not in WELL else ""
        assert told == (expected[1] if told else ""), fault
        assert "secret" not in response.text, fault
    assert_nothing_secret(caplog.text, *tokens.values())
    assert fetched(hostile, "/meta/") == {}


def test_a_server_that_hangs_takes_its_own_places_and_no_others(world: World, hostile: str) -> None:
    """A hundred callers wait for it: those that have a place for three seconds, all others not at all."""
    register(world, {"hanging": f"{hostile}/mcp/call-d"}, concurrent_calls=4, **QUICK)
    robots = [agency(world, ["hanging"], name=f"waiting {number}") for number in range(4)]
    tokens, url = [robot.token("hanging") for robot in robots], world.endpoint("hanging")
    honest_token = agency(world, [HONEST], name="beside the hanging").token(HONEST)
    trace = uuid4().hex

    def play(number: int) -> str:
        return reason(called(url, tokens[number % 4], {"do": "hang"}, tool="plain", trace=trace))

    with honest_calls(world.endpoint(HONEST), honest_token) as beside, ThreadPoolExecutor(20) as pool:
        told = Counter(pool.map(play, range(100)))
    assert beside.failed == []
    assert told.keys() == {"server_busy", "timeout"}
    recorded = Counter(record.reason or record.error_class for record in world.records(trace_id=trace))
    # Who got no place was denied, and is on record as well; who got one has an intent beside the outcome.
    assert recorded == told + Counter({"": told["timeout"]})


def test_a_server_that_is_not_there_is_said_to_be_so(world: World, hostile: str) -> None:
    """It went away after it was approved; nothing of the address is told."""
    register(world, {"gone": f"{hostile}/mcp/call-e"}, **QUICK)
    token = agency(world, ["gone"], name="caller of the gone").token("gone")
    port = free_port()
    with transaction.atomic():
        Server.objects.filter(slug="gone").update(url=f"http://127.0.0.1:{port}/mcp")
        bump_revision(server_part("gone"))
    world.settle()
    response = called(world.endpoint("gone"), token, {}, tool="plain")
    assert reason(response) == "refused"
    assert str(port) not in response.text


def reason(response: httpx2.Response) -> str:
    """Why a call failed."""
    return str(answer(response)["error"]["data"]["reason"])


def assert_nothing_secret(text: str, *tokens: str) -> None:
    """No token, no argument, no word of a server's own about its failure."""
    assert [secret for secret in (*tokens, CANARY, "Traceback: secret") if secret in text] == []


def fetched(hostile: str, path: str) -> dict[str, int]:
    """The requests below `path` that the hostile server got."""
    return {
        what: n
        for what, n in httpx2.get(f"{hostile}/count", verify=PLAIN, timeout=60).json().items()
        if what.startswith(path)
    }


# What a server shows agents in place of the two tools that were approved.
MONSTROUS = (
    "many-tools",
    "endless-pages",
    "cursor-loop",
    "duplicate-names",
    "huge-description",
    "second-page-fails",
    "many-values",
    "very-deep",
    "invalid-utf8",
    "list-gigabyte",
)


def test_a_list_beyond_all_bounds_changes_nothing_that_was_approved(world: World, hostile: str) -> None:
    """Each server was approved with two tools; what agents' looks meet afterwards is one of the monsters."""
    slugs = {f"m{number}": name for number, name in enumerate(MONSTROUS)}
    register(world, {slug: f"{hostile}/mcp/turn-{name}" for slug, name in slugs.items()}, **QUICK)
    robot = agency(world, [HONEST, *slugs], name="lister")
    tokens = {slug: robot.token(slug) for slug in (HONEST, *slugs)}
    for name in MONSTROUS:
        httpx2.get(f"{hostile}/turn/{name}", verify=PLAIN, timeout=60)
    before = (DefinitionVersion.objects.count(), Review.objects.count())

    def list_tools(slug: str) -> tuple[str, ...]:
        response = world.modern(tokens[slug], "tools/list", {}, slug=slug)
        return tuple(sorted(tool["name"] for tool in answer(response)["result"]["tools"]))

    looks = world.gateway._pipeline._parts.looks  # type: ignore[union-attr]  # it was started
    with honest_calls(world.endpoint(HONEST), tokens[HONEST]) as beside:
        with ThreadPoolExecutor(4) as pool:
            first = dict(zip(slugs, pool.map(list_tools, slugs), strict=True))
        until(lambda: not looks._running, seconds=SECONDS)
        second = {slug: list_tools(slug) for slug in slugs}
    assert beside.failed == []
    assert beside.grown < MEGABYTES
    approved = ("future", "plain")
    assert first == second == dict.fromkeys(slugs, approved)
    assert (DefinitionVersion.objects.count(), Review.objects.count()) == before


def test_a_storm_of_changed_lists_is_one_look_and_few_words(world: World, hostile: str) -> None:
    """A thousand a second, in a call and on the stream of a session."""
    register(world, {"storm": f"{hostile}/mcp/turn-changed-storm"})
    robot = agency(world, [HONEST, "storm"], name="stormy")
    token, url = robot.token("storm"), world.endpoint("storm")
    bearer = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    path = "/mcp/turn-changed-storm tools/list"
    with honest_calls(url=world.endpoint(HONEST), token=robot.token(HONEST)) as beside:
        session = str(world.post(token, INITIALIZE, slug="storm").headers["mcp-session-id"])
        began, looks = time.monotonic(), fetched(hostile, path)[path]
        response = called(url, token, {"do": "changed-storm"}, tool="plain")
        assert "result" in answer(response)
        with httpx2.stream("GET", url, headers={**bearer, "mcp-session-id": session}, timeout=30) as stream:
            lines = stream.iter_lines()
            until(lambda: "list_changed" in next(lines))
            time.sleep(3)  # what is measured is how much comes in a time
        seconds = time.monotonic() - began
    assert beside.failed == []
    assert response.text.count("list_changed") <= seconds * 10
    # One before the first request, then one in five seconds at most.
    assert fetched(hostile, path)[path] - looks <= 2 + seconds / 5
