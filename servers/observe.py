"""One look at an MCP server's surface: negotiate the era, read every list to its end, say what went wrong.

The `mcp` package's session does the talking in both eras; `servers.transport` keeps what is received exact and
bounded. Nothing is compared or stored here. An observation is complete, or it says why it is not: then what was
read so far is shown to people and changes nothing (architecture, flow 1).
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx2
from mcp.client import ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    Implementation,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError

from core.outbound import (
    OutboundError,
    OutboundLimits,
    OutboundPolicy,
    outbound_client,
    policy_from_settings,
)
from core.sse import EventDecoder
from servers.challenge import authorization
from servers.limits import Limits
from servers.listing import LISTS, Found, announced, card_body, identity_of
from servers.paging import read_list
from servers.problems import SENTENCES, ObservationFailed
from servers.rules import Era
from servers.surface import CARD_NAME, Item, Kind, ObservationProblem, Problem, Surface, Target
from servers.transport import StrictDispatcher

__all__ = ["Limits", "Target", "observe"]

CLIENT_INFO: Final = Implementation(name="holdfast", title="Holdfast", version="1")
_LEGACY_SECONDS: Final = 3.0


@dataclass(slots=True)
class _Sighting:
    """The look under way; what it holds when it ends, early or not, is the surface."""

    target: Target
    limits: Limits
    client: httpx2.AsyncClient
    dispatcher: StrictDispatcher
    found: Found = field(default_factory=Found)
    card: dict[str, Any] = field(default_factory=dict)
    era: Era = Era.UNKNOWN
    version: str = ""
    problem: ObservationProblem | None = None


async def observe(target: Target, limits: Limits | None = None, *, policy: OutboundPolicy | None = None) -> Surface:
    """Look at `target` once. What the server does wrong is in the surface's `problem`, never raised."""
    bounds = limits or Limits()
    started = time.monotonic()
    async with outbound_client(policy or policy_from_settings(), _outbound_limits(bounds)) as client:
        dispatcher = StrictDispatcher(client, target.url, bounds, target.headers)
        look = _Sighting(target, bounds, client, dispatcher)
        with anyio.move_on_after(bounds.total_seconds) as whole:
            await _see(look)
        if whole.cancelled_caught:
            look.problem = ObservationProblem(Problem.TIMEOUT, SENTENCES[Problem.TIMEOUT])
    return _surface(look, int((time.monotonic() - started) * 1000))


def _outbound_limits(limits: Limits) -> OutboundLimits:
    return OutboundLimits(
        head_seconds=limits.answer_seconds,
        total_seconds=limits.answer_seconds,
        body_bytes=limits.answer_bytes,
        event_bytes=limits.answer_bytes,
        idle_seconds=limits.answer_seconds,
        lifetime_seconds=limits.total_seconds,
        connections=4,
    )


def _surface(look: _Sighting, duration_ms: int) -> Surface:
    card = (Item(Kind.CARD, CARD_NAME, look.card),) if look.card else ()
    return Surface(
        items=(*card, *look.found.items),
        vantage=look.target.vantage,
        complete=look.problem is None,
        problem=look.problem,
        protocol_version=look.version,
        era=look.era.value,
        duration_ms=duration_ms,
        asked_for_authentication=look.dispatcher.asked_for_authentication,
    )


async def _see(look: _Sighting) -> None:
    # The session's task group wraps what leaves it in a group, so failures are caught inside.
    async with ClientSession(dispatcher=look.dispatcher, client_info=CLIENT_INFO) as session:
        try:
            await _negotiate(look, session)
            await _read(look, session)
        except ObservationFailed as error:
            look.problem = await _explained(look, error.problem)
        finally:
            await look.dispatcher.end_session()


async def _read(look: _Sighting, session: ClientSession) -> None:
    if not look.target.allow_unauthenticated and not look.target.headers:
        raise ObservationFailed(Problem.UNAUTHENTICATED_PRODUCTION)
    kinds = announced(look.card["capabilities"])
    for of in LISTS:
        if of.kind in kinds:
            await read_list(session, look.dispatcher, of, look.found, look.limits)


async def _negotiate(look: _Sighting, session: ClientSession) -> None:
    """`server/discover`, and `initialize` where that shows a server of the handshake era."""
    if await _is_modern(session):
        look.era = Era.MODERN
    else:
        await _initialize(session)
        # Sending `notifications/initialized` leaves the dispatcher's last result as it is.
        look.era = Era.HANDSHAKE
    look.version = session.protocol_version or ""
    result, size = look.dispatcher.result, look.dispatcher.result_bytes
    info = identity_of(result, modern=look.era is Era.MODERN)
    look.card = card_body(result, info, look.target.url, size=size, limits=look.limits)


async def _is_modern(session: ClientSession) -> bool:
    try:
        await session.discover()
    except MCPError as error:
        if error.error.code == UNSUPPORTED_PROTOCOL_VERSION and not _speaks_handshake(error.error.data):
            raise _unknown_version() from error
        return False
    except (ValidationError, RuntimeError):
        return False  # not an answer to `server/discover`, or one that names no modern version
    return True


def _speaks_handshake(data: Any) -> bool:
    supported = data.get("supported") if isinstance(data, dict) else None
    return not isinstance(supported, list) or any(version in HANDSHAKE_PROTOCOL_VERSIONS for version in supported)


async def _initialize(session: ClientSession) -> None:
    try:
        await session.initialize()
    except MCPError as error:
        if error.error.code == METHOD_NOT_FOUND:
            raise ObservationFailed(Problem.NOT_MCP) from error
        if error.error.code == UNSUPPORTED_PROTOCOL_VERSION:
            raise _unknown_version() from error
        raise ObservationFailed(Problem.PROTOCOL_ERROR, "The server refuses to begin a session.") from error
    except ValidationError as error:
        raise ObservationFailed(
            Problem.PROTOCOL_ERROR,
            "The server's answer to the beginning of a session lacks what the protocol asks for.",
        ) from error
    except RuntimeError as error:
        raise _unknown_version() from error


def _unknown_version() -> ObservationFailed:
    return ObservationFailed(Problem.PROTOCOL_ERROR, "The server speaks no protocol version that we know.")


async def _explained(look: _Sighting, problem: ObservationProblem) -> ObservationProblem:
    """The problem, after a second look at what may stand behind it."""
    if problem.cls is Problem.NEEDS_CREDENTIALS and not look.card:
        found = await authorization(look.client, look.target.url, look.dispatcher.challenge)
        look.card = {
            "instructions": None,
            "serverInfo": {},
            "capabilities": {},
            "endpoint": look.target.url,
            "authorization": found,
        }
    if problem.cls is Problem.NOT_MCP and await _is_legacy(look.client, look.target.url):
        return ObservationProblem(Problem.DEPRECATED_TRANSPORT, SENTENCES[Problem.DEPRECATED_TRANSPORT])
    if problem.cls is Problem.NOT_MCP and look.target.url.partition("?")[0].rstrip("/").endswith("/sse"):
        hint = " Its URL ends in /sse, which is usual for the deprecated HTTP+SSE transport."
        return ObservationProblem(problem.cls, problem.sentence + hint)
    return problem


async def _is_legacy(client: httpx2.AsyncClient, url: str) -> bool:
    """Whether a GET opens with the event `endpoint`, as HTTP+SSE (2024-11-05) does."""
    decoder, read = EventDecoder(), 0
    try:
        with anyio.fail_after(_LEGACY_SECONDS):
            async with client.stream("GET", url, headers={"accept": "text/event-stream"}) as response:
                if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
                    return False
                async for chunk in response.aiter_raw():
                    read += len(chunk)
                    for event in decoder.feed(chunk):
                        return event.name == "endpoint"
                    if read > 65_536:
                        return False
    except (OutboundError, TimeoutError):
        return False
    return False
