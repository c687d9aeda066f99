"""What one look at a server's surface is told, and what it gives. Pure: frozen values, no comparison, no storage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

CARD_NAME: Final = "card"


class Kind(StrEnum):
    """The kinds of definition that a server shows a model."""

    TOOL = "tool"
    RESOURCE = "resource"
    TEMPLATE = "template"
    PROMPT = "prompt"
    CARD = "card"


class Problem(StrEnum):
    """Classes of error of an observation; shown to people, never with the upstream's own words."""

    BLOCKED = "blocked"
    DEPRECATED_TRANSPORT = "deprecated_transport"
    DNS = "dns"
    DUPLICATE_NAME = "duplicate_name"
    ENDLESS_LIST = "endless_list"
    MALFORMED = "malformed"
    NEEDS_CREDENTIALS = "needs_credentials"
    NOT_MCP = "not_mcp"
    PROTOCOL_ERROR = "protocol_error"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAUTHENTICATED_PRODUCTION = "unauthenticated_production"


@dataclass(frozen=True, slots=True)
class Item:
    """One definition as received: `body` is the parsed JSON with nothing added, dropped or rounded.

    `digest` is filled in by who computed it already, and counts for other vantages than the poller's only; the `body`
    of what is known by it may then be left out, which is to say empty.
    """

    kind: Kind
    name: str  # a resource's URI, a template's URI template, "card" for the server's card
    body: Mapping[str, Any]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class ObservationProblem:
    """Why an observation is not complete, with a sentence for the person who registered the server."""

    cls: Problem
    sentence: str


@dataclass(frozen=True, slots=True)
class Surface:
    """One look from one vantage. An incomplete one never approves, removes or frees anything."""

    items: tuple[Item, ...]
    vantage: str
    complete: bool
    problem: ObservationProblem | None = None
    protocol_version: str = ""
    era: str = ""  # "handshake" (up to 2025-11-25) or "modern" (2026-07-28)
    duration_ms: int = 0
    began: datetime | None = None  # None: when it is taken in
    asked_for_authentication: bool = False
    covers: frozenset[Kind] = frozenset(Kind)  # the kinds that were looked for; nothing is said of any other


@dataclass(frozen=True, slots=True)
class Target:
    """What is looked at, and from where. `headers` are a stored credential's, sent to this server only."""

    url: str
    vantage: str = "poller"
    allow_unauthenticated: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
