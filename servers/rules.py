"""States of a server and the transitions between them. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ServerState(StrEnum):
    """`registered` has not been observed completely yet; `retired` keeps its slug for ever."""

    REGISTERED = "registered"
    ACTIVE = "active"
    NEEDS_CREDENTIALS = "needs_credentials"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Environment(StrEnum):
    """Where a server runs; production asks for more."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Transport(StrEnum):
    """The transports we speak. Legacy HTTP+SSE and stdio are refused with a sentence."""

    STREAMABLE_HTTP = "streamable_http"


class DriftMode(StrEnum):
    """What agents get while a change waits: nothing, or the approved text where the change cannot hurt.

    Only the first can be chosen so far; the column is there because every server has to have an answer.
    """

    BLOCK = "block"
    SERVE_PINNED = "serve_pinned"


class Era(StrEnum):
    """Protocol generations: with `initialize` and sessions, or stateless (MCP 2026-07-28)."""

    UNKNOWN = ""
    HANDSHAKE = "handshake"
    MODERN = "modern"


TRANSITIONS: Final[Mapping[ServerState, frozenset[ServerState]]] = {
    ServerState.REGISTERED: frozenset(
        {ServerState.ACTIVE, ServerState.NEEDS_CREDENTIALS, ServerState.SUSPENDED, ServerState.RETIRED}
    ),
    ServerState.ACTIVE: frozenset(
        {ServerState.REGISTERED, ServerState.NEEDS_CREDENTIALS, ServerState.SUSPENDED, ServerState.RETIRED}
    ),
    ServerState.NEEDS_CREDENTIALS: frozenset(
        {ServerState.REGISTERED, ServerState.ACTIVE, ServerState.SUSPENDED, ServerState.RETIRED}
    ),
    ServerState.SUSPENDED: frozenset({ServerState.REGISTERED, ServerState.RETIRED}),
    ServerState.RETIRED: frozenset({ServerState.REGISTERED}),
}
POLLED: Final = frozenset({ServerState.REGISTERED, ServerState.ACTIVE, ServerState.NEEDS_CREDENTIALS})

RESERVED_SLUGS: Final = frozenset({"register"})  # `/servers/register/` is the form, no server

REFUSED_TRANSPORTS: Final[Mapping[str, str]] = {
    "sse": "HTTP+SSE is deprecated since MCP 2025-03-26; register the server's Streamable HTTP endpoint.",
    "stdio": "A stdio server runs commands on this host and cannot be registered; run it behind Streamable HTTP.",
}


def may_become(current: str, wanted: ServerState) -> bool:
    """Whether a server in state `current` may go to `wanted`."""
    return wanted in TRANSITIONS[ServerState(current)]
