"""States of a server and the transitions between them. Pure."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from access.counted import Counted

POLICY_ROWS: Final = (
    Counted(
        "servers_server",
        (
            "id", "slug", "url", "environment", "state", "owner_team_id", "required_approvals", "drift_mode",
            "intention", "endpoint_changed_by_id",
        ),
        of_part="t.slug = %s",
    ),
)  # fmt: skip


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
    """What agents get while a change waits: nothing, or the approved text where the change cannot hurt."""

    BLOCK = "block"
    SERVE_PINNED = "serve_pinned"


class Answers(StrEnum):
    """What becomes of an answer in which something speaks to the model: nothing, a record, a mark, or it stays here."""

    OFF = "off"
    RECORD = "record"
    MARK = "mark"
    WITHHOLD = "withhold"


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

RESERVED_SLUGS: Final = frozenset(
    {"onboard", "register"}
)  # `/servers/register/` is the form and `/servers/onboard/` the way there, no servers

REFUSED_TRANSPORTS: Final[Mapping[str, str]] = {
    "sse": "HTTP+SSE is deprecated since MCP 2025-03-26; register the server's Streamable HTTP endpoint.",
    "stdio": "A stdio server runs commands on this host and cannot be registered; run it behind Streamable HTTP.",
}


def may_become(current: str, wanted: ServerState) -> bool:
    """Whether a server in state `current` may go to `wanted`."""
    return wanted in TRANSITIONS[ServerState(current)]


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ESCAPED: Final = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def endpoint_key(url: str) -> str:
    """`url` in a form that spelling does not change (RFC 3986, 6.2.2 and 6.2.3); empty if it is no URL.

    Letters of scheme and host, the default port, a slash or dot at the end, dot segments and needless escapes make no
    difference. Internationalised names stay as they are given. (`migrations/0005_endpoint_keys.py` holds the same.)
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if not scheme or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    port_part = "" if port in (None, _DEFAULT_PORTS.get(scheme)) else f":{port}"
    query = f"?{_plainly_escaped(parts.query)}" if parts.query else ""
    return f"{scheme}://{host}{port_part}{_without_dots(_plainly_escaped(parts.path))}{query}"


def _plainly_escaped(text: str) -> str:
    """What need not be escaped is not, and the rest is in capitals."""

    def plain(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if char in _UNRESERVED else match[0].upper()

    return _ESCAPED.sub(plain, text)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    return "".join(f"/{segment}" for segment in kept).rstrip("/")
