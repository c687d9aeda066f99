"""Observing real servers: everything of an honest one, and the right class of failure of each hostile one."""

import asyncio
import ipaddress
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.outbound import OutboundPolicy
from servers.limits import Limits
from servers.observe import Target, observe
from servers.surface import Kind, Problem, Surface
from tests.fixtures_mcp.processes import HonestServer, honest_server, hostile_server
from tests.ports import free_ports

pytestmark = pytest.mark.network
LOOPBACK = OutboundPolicy(allow=(ipaddress.ip_network("127.0.0.0/8"),))
QUICK = Limits(total_seconds=4.0, answer_seconds=1.0, probe_seconds=0.5)
# Where something else than time is to end it: a machine that stands still for a moment must not.
PATIENT = Limits(total_seconds=60.0, answer_seconds=60.0, probe_seconds=60.0)


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The misbehaving server's base URL."""
    with hostile_server() as base:
        yield base


@pytest.fixture(scope="module", params=["both", "handshake"])
def honest(request: pytest.FixtureRequest) -> Iterator[HonestServer]:
    """An honest server of each era."""
    with honest_server(era=request.param) as server:
        yield server


def look(url: str, limits: Limits | None = None, **target: Any) -> Surface:
    return asyncio.run(observe(Target(url, **target), limits, policy=LOOPBACK))


def names(surface: Surface, kind: Kind) -> list[str]:
    return [item.name for item in surface.items if item.kind is kind]


def body(surface: Surface, name: str) -> Any:
    return next(item.body for item in surface.items if item.name == name)


# --- honest servers -----------------------------------------------------------------------------------------


def test_every_page_of_every_list_is_read_in_both_eras(honest: HonestServer) -> None:
    surface = look(honest.url)
    assert surface.problem is None
    assert surface.complete
    assert (surface.era, surface.protocol_version) == (
        ("modern", "2026-07-28") if honest.era == "both" else ("handshake", "2025-11-25")
    )
    assert names(surface, Kind.TOOL) == ["echo", "add", "delete", "slow", "fail"]
    assert names(surface, Kind.RESOURCE) == ["memo://0", "memo://1", "memo://2"]
    assert names(surface, Kind.TEMPLATE) == ["memo://{year}/{n}"]
    assert names(surface, Kind.PROMPT) == ["greet-0", "greet-1", "greet-2"]
    assert body(surface, "add")["inputSchema"]["properties"]["n"]["maximum"] == 2**64 - 1
    assert surface.vantage == "poller"
    assert not surface.asked_for_authentication


def test_card_holds_instructions_identity_capabilities_and_endpoint(honest: HonestServer) -> None:
    card = body(look(honest.url), "card")
    assert card["instructions"] == "Use echo to repeat a text."
    assert card["serverInfo"]["name"] == "honest"
    assert set(card["capabilities"]) >= {"tools", "resources", "prompts"}
    assert card["endpoint"] == honest.url
    assert card["authorization"] is None


def test_change_shows_in_the_next_observation() -> None:
    with honest_server(json_response=True) as server:
        before = look(server.url, vantage="agents")
        server.change(tools=[{"name": "echo", "description": "Now different.", "inputSchema": {"type": "object"}}])
        after = look(server.url)
    assert before.vantage == "agents"
    assert len(names(before, Kind.TOOL)) == 5
    assert body(after, "echo")["description"] == "Now different."


def test_many_observations_run_in_one_loop(honest: HonestServer) -> None:
    async def run() -> list[Surface]:
        return await asyncio.gather(*(observe(Target(honest.url), policy=LOOPBACK) for _ in range(20)))

    assert all(surface.complete for surface in asyncio.run(run()))


def test_what_was_received_is_kept_exactly(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/well-behaved")
    assert surface.complete, surface.problem
    assert body(surface, "future") == {
        "name": "future",
        "description": "d",
        "inputSchema": {
            "type": "object",
            "properties": {"n": {"type": "integer", "maximum": 2**64 - 1, "minimum": 0.1}},
        },
        "fromTheFuture": {"a": [None, True, 1.0, 2**80]},
        "_meta": {"x": 1},
    }
    assert body(surface, "plain") == {"name": "plain", "description": "d", "inputSchema": {"type": "object"}}
    assert isinstance(body(surface, "future")["inputSchema"]["properties"]["n"]["maximum"], int)


def test_stream_of_events_is_read_up_to_the_answer(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/events-in-pieces")
    assert surface.complete, surface.problem
    assert names(surface, Kind.TOOL) == ["streamed"]


def test_first_of_two_answers_counts(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/two-responses")
    assert names(surface, Kind.TOOL) == ["first"]


# --- hostile servers ----------------------------------------------------------------------------------------

FAILURES = {
    # from the first request
    "html": Problem.NOT_MCP,
    "404": Problem.NOT_MCP,
    "not-here": Problem.NOT_MCP,
    "ok": Problem.NOT_MCP,
    "other-json": Problem.NOT_MCP,
    "401": Problem.NEEDS_CREDENTIALS,
    "401-outside": Problem.NEEDS_CREDENTIALS,
    "403": Problem.NEEDS_CREDENTIALS,
    "500": Problem.PROTOCOL_ERROR,
    "redirect": Problem.PROTOCOL_ERROR,
    "legacy": Problem.DEPRECATED_TRANSPORT,
    "unknown-version": Problem.PROTOCOL_ERROR,
    "modern-disjoint": Problem.PROTOCOL_ERROR,
    "initialize-refused": Problem.PROTOCOL_ERROR,
    "initialize-incomplete": Problem.PROTOCOL_ERROR,
    "bad-session": Problem.PROTOCOL_ERROR,
    "hang": Problem.TIMEOUT,
    "drip": Problem.TIMEOUT,
    "drip-head": Problem.TIMEOUT,
    "idle-events": Problem.TIMEOUT,
    "busy-events": Problem.TIMEOUT,
    "endless-continue": Problem.TIMEOUT,
    "gigabyte": Problem.TOO_LARGE,
    "big-header": Problem.TOO_LARGE,
    "many-headers": Problem.TOO_LARGE,
    "endless-event": Problem.TOO_LARGE,
    "gzip": Problem.PROTOCOL_ERROR,
    "not-http": Problem.PROTOCOL_ERROR,
    "closed": Problem.PROTOCOL_ERROR,
    "reset": Problem.PROTOCOL_ERROR,
    # while tools are listed
    "list-hang": Problem.TIMEOUT,
    "list-drip": Problem.TIMEOUT,
    "list-gigabyte": Problem.TOO_LARGE,
    "list-endless-event": Problem.TOO_LARGE,
    "list-gzip": Problem.PROTOCOL_ERROR,
    "list-reset": Problem.PROTOCOL_ERROR,
    "list-closed": Problem.PROTOCOL_ERROR,
    "list-redirect": Problem.PROTOCOL_ERROR,
    "list-error": Problem.PROTOCOL_ERROR,
    "list-ok": Problem.PROTOCOL_ERROR,
    "second-page-fails": Problem.PROTOCOL_ERROR,
    "many-tools": Problem.TOO_MANY,
    "endless-pages": Problem.ENDLESS_LIST,
    "empty-pages": Problem.ENDLESS_LIST,
    "cursor-loop": Problem.ENDLESS_LIST,
    "duplicate-names": Problem.DUPLICATE_NAME,
    "huge-description": Problem.TOO_LARGE,
    "many-values": Problem.TOO_MANY,
    "notification-storm": Problem.TOO_LARGE,
    "stream-without-answer": Problem.PROTOCOL_ERROR,
    "accepted": Problem.PROTOCOL_ERROR,
    "wrong-id": Problem.PROTOCOL_ERROR,
    "wrong-id-events": Problem.PROTOCOL_ERROR,
    "batch": Problem.PROTOCOL_ERROR,
    "two-documents": Problem.MALFORMED,
    "case-variant": Problem.MALFORMED,
    "invalid-utf8": Problem.MALFORMED,
    "deep": Problem.MALFORMED,
    "very-deep": Problem.MALFORMED,
    "duplicate-keys": Problem.MALFORMED,
    "nan": Problem.MALFORMED,
    "infinite": Problem.MALFORMED,
    "long-number": Problem.MALFORMED,
    "surrogate": Problem.MALFORMED,
    "truncated": Problem.MALFORMED,
    "nul-name": Problem.MALFORMED,
    "no-name": Problem.MALFORMED,
    "empty-name": Problem.MALFORMED,
    "number-name": Problem.MALFORMED,
    "not-objects": Problem.MALFORMED,
    "not-a-list": Problem.MALFORMED,
    "no-list": Problem.MALFORMED,
    "bad-cursor": Problem.MALFORMED,
    "result-list": Problem.PROTOCOL_ERROR,
}
# Bounds that a hostile answer must reach; otherwise as in production.
SMALL = replace(QUICK, pages=50, answer_bytes=8_000_000, surface_bytes=12_000_000)
GENEROUS = {"many-tools", "many-values", "huge-description", "notification-storm"}


@pytest.mark.parametrize(("name", "cls"), FAILURES.items(), ids=FAILURES.keys())
def test_misbehaviour_has_its_class_in_bounded_time(hostile: str, name: str, cls: Problem) -> None:
    limits = SMALL if cls is Problem.TIMEOUT else replace(PATIENT, pages=SMALL.pages)
    if name not in GENEROUS:
        limits = replace(limits, answer_bytes=SMALL.answer_bytes, surface_bytes=SMALL.surface_bytes)
    started = time.monotonic()
    surface = look(f"{hostile}/mcp/{name}?to=http://127.0.0.1:1/", limits)
    assert surface.problem is not None
    assert surface.problem.cls is cls, surface.problem
    assert not surface.complete
    assert time.monotonic() - started < limits.total_seconds + 15
    for theirs in ("Traceback", "secret", "script", "Welcome", "doctype", "127.0.0.1"):
        assert theirs not in surface.problem.sentence


@pytest.mark.parametrize(
    "name", ["gigabyte", "list-gigabyte", "many-tools", "many-values", "list-endless-event", "notification-storm"]
)
def test_memory_is_bounded_whatever_is_sent(hostile: str, name: str) -> None:
    limits = Limits(total_seconds=15.0, answer_seconds=12.0, probe_seconds=5.0)
    tracemalloc.start()
    try:
        surface = look(f"{hostile}/mcp/{name}", limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not surface.complete
    assert peak < 300_000_000


def test_observation_ends_at_its_total_time(hostile: str) -> None:
    limits = Limits(total_seconds=1.0, answer_seconds=60.0, probe_seconds=60.0)
    started = time.monotonic()
    surface = look(f"{hostile}/mcp/list-hang", limits)
    assert surface.problem is not None
    assert surface.problem.cls is Problem.TIMEOUT
    assert time.monotonic() - started < 30  # an answer, or a probe, would have twice as long


def test_what_was_read_before_the_failure_is_shown_but_not_complete(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/second-page-fails", PATIENT)
    assert names(surface, Kind.TOOL) == ["first"]
    assert names(surface, Kind.CARD) == ["card"]
    assert not surface.complete


def test_server_that_asks_for_credentials_says_where_they_come_from(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/401", PATIENT)
    assert surface.asked_for_authentication
    found = body(surface, "card")["authorization"]
    assert found["scheme"] == "Bearer"
    assert found["scope"] == "a b"
    assert found["metadata"]["authorization_servers"] == ["https://as.example"]


def test_metadata_is_not_fetched_from_elsewhere(hostile: str) -> None:
    found = body(look(f"{hostile}/mcp/401-outside", PATIENT), "card")["authorization"]
    assert found["metadata"] is None


def test_production_refuses_a_server_that_answers_anybody(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/well-behaved", PATIENT, allow_unauthenticated=False)
    assert surface.problem is not None
    assert surface.problem.cls is Problem.UNAUTHENTICATED_PRODUCTION
    assert names(surface, Kind.TOOL) == []


def test_url_that_looks_like_the_old_transport_gets_a_hint(hostile: str) -> None:
    surface = look(f"{hostile}/mcp/somewhere/sse", PATIENT)
    assert surface.problem is not None
    assert surface.problem.cls is Problem.NOT_MCP
    assert "/sse" in surface.problem.sentence


@pytest.mark.parametrize(
    ("url", "cls"),
    [
        ("https://nowhere.invalid/mcp", Problem.DNS),
        ("https://10.0.0.1/mcp", Problem.BLOCKED),
        ("http://169.254.169.254/latest", Problem.BLOCKED),
        ("https://2130706433/mcp", Problem.BLOCKED),
        ("http://[::1", Problem.BLOCKED),
        ("nonsense", Problem.BLOCKED),
        ("", Problem.BLOCKED),
        ("ftp://127.0.0.1/", Problem.BLOCKED),
        ("http://user:password@127.0.0.1/", Problem.BLOCKED),
    ],
)
def test_wrong_url_has_its_class(url: str, cls: Problem) -> None:
    surface = look(url, QUICK)
    assert surface.problem is not None
    assert surface.problem.cls is cls
    assert surface.items == ()


def test_closed_port_is_refused() -> None:
    surface = look(f"http://127.0.0.1:{free_ports()}/mcp", PATIENT)
    assert surface.problem is not None
    assert surface.problem.cls is Problem.REFUSED


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_open(hostile: str) -> None:
    look(f"{hostile}/mcp/list-hang", QUICK)
    before = descriptors()
    for name in ("list-hang", "gigabyte", "well-behaved", "busy-events"):
        look(f"{hostile}/mcp/{name}", QUICK)
    assert descriptors() <= before
