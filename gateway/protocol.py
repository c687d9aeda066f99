"""The two protocol eras and the translation between them. Pure module.

Handshake era (MCP 2025-03-26 to 2025-11-25): `initialize`, sessions, plain results. Modern era (2026-07-28):
every request carries its version, identity and capabilities in `_meta`, every result its `resultType`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from access.intentions import KEY as INTENTION
from gateway.jsonrpc import dumps

DEFAULT_VERSION: Final = "2025-03-26"  # what a request without a version header speaks
HANDSHAKE_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26")  # newest first
MODERN_VERSIONS: Final = ("2026-07-28",)
LIST_TTL_MS: Final = 60_000
# What a server says when a list of it is another now, in both eras.
LIST_CHANGED: Final = frozenset({
    "notifications/prompts/list_changed", "notifications/resources/list_changed", "notifications/tools/list_changed",
})  # fmt: skip

_RESERVED: Final = "io.modelcontextprotocol/"
PROTOCOL_VERSION: Final = _RESERVED + "protocolVersion"
CLIENT_INFO: Final = _RESERVED + "clientInfo"
CLIENT_CAPABILITIES: Final = _RESERVED + "clientCapabilities"
LOG_LEVEL: Final = _RESERVED + "logLevel"
SERVER_INFO: Final = _RESERVED + "serverInfo"
SUBSCRIPTION_ID: Final = _RESERVED + "subscriptionId"
# Of RFC 5424. No set, for what is looked up in it may be a list or an object.
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
GATEWAY_INFO: Final[Mapping[str, Any]] = {"name": "holdfast-gateway", "version": "1"}
# What a client chose for its own side of a request, and is made anew on ours, or told us alone.
_OURS: Final = frozenset({
    PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL, SERVER_INFO, SUBSCRIPTION_ID, INTENTION,
})  # fmt: skip
_TRACE: Final = frozenset({"traceparent", "tracestate", "baggage"})
_MADE_ANEW: Final = _OURS | _TRACE | {"progressToken"}
_MODERN_ONLY: Final = frozenset({"resultType", "ttlMs", "cacheScope", "requestState", "inputRequests"})


@dataclass(frozen=True, slots=True)
class Wire:
    """How one side speaks."""

    modern: bool
    version: str


class NotCarried(Exception):
    """A kind of result that cannot be handed on; the message says which."""


def negotiated(requested: Any) -> str:
    """The version of a session: what the client asked for where we speak it, else our newest of its era."""
    return requested if requested in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0]


def initialize_result(
    version: str, identity: Mapping[str, Any], instructions: str, capabilities: Mapping[str, Any]
) -> bytes:
    """Answer of `initialize`."""
    result: dict[str, Any] = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": identity}
    return dumps({**result, "instructions": instructions} if instructions else result)


def discover_result(identity: Mapping[str, Any], instructions: str, capabilities: Mapping[str, Any]) -> bytes:
    """Answer of `server/discover`."""
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": [*MODERN_VERSIONS, *HANDSHAKE_VERSIONS],
        "capabilities": capabilities,
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
        "_meta": {SERVER_INFO: identity},
    }
    return dumps({**result, "instructions": instructions} if instructions else result)


def list_result(
    member: str, bodies: Iterable[bytes], wire: Wire, identity: Mapping[str, Any], cursor: str | None = None
) -> bytes:
    """Answer of a list method around approved texts, which stay byte for byte."""
    joined = b'{"' + member.encode() + b'":[' + b",".join(bodies) + b"]"
    hints: dict[str, Any] = {} if cursor is None else {"nextCursor": cursor}
    if wire.modern:
        hints |= {"resultType": "complete", "ttlMs": LIST_TTL_MS, "cacheScope": "private"}
        hints["_meta"] = {SERVER_INFO: identity}
    return joined + (b"," + dumps(hints)[1:] if hints else b"}")


def outgoing_meta(
    meta: Mapping[str, Any],
    wire: Wire,
    *,
    progress_token: int | None,
    capabilities: Mapping[str, Any],
    trace: Mapping[str, str],
) -> dict[str, Any]:
    """The `_meta` of a request to an upstream.

    Version, identity and capabilities are ours, because we are the client there; of its capabilities a client's are
    told that we pass on. The progress token is ours too: two callers may have chosen the same. The trace context is
    `trace`. A log level is kept between sides of the modern era. Why the call is made stays here. Everything else is
    the caller's and goes on.
    """
    if not meta and progress_token is None and not trace and not wire.modern:
        return {}
    sent: dict[str, Any] = {}
    if not _MADE_ANEW.issuperset(meta):
        sent = {key: value for key, value in meta.items() if key not in _MADE_ANEW}
    if progress_token is not None:
        sent["progressToken"] = progress_token
    if wire.modern:
        sent[PROTOCOL_VERSION] = wire.version
        sent[CLIENT_INFO] = GATEWAY_INFO
        sent[CLIENT_CAPABILITIES] = capabilities
        if meta.get(LOG_LEVEL) in LEVELS:
            sent[LOG_LEVEL] = meta[LOG_LEVEL]
    sent.update(trace)
    return sent


def kind_of_result(result: Any) -> str:
    """The `resultType` of an upstream's result, `complete` where it says none. Raises `NotCarried` for no object."""
    if not isinstance(result, dict):
        raise NotCarried("The server's result is no object.")
    kind = result.get("resultType", "complete")
    return kind if isinstance(kind, str) else ""


def released_result(
    result: Mapping[str, Any], wire: Wire, identity: Mapping[str, Any], *, cacheable: bool = False
) -> Mapping[str, Any]:
    """An upstream's result as a client of era `wire` may have it: the very same object where nothing must change.

    The upstream's own identity gives way to the approved one, because what names a server to a model is approved text.
    What is filtered by who asks is nobody else's (`cacheScope`), and not for long (`ttlMs`).
    """
    return _to_modern(result, identity, cacheable=cacheable) if wire.modern else _to_handshake(result)


def _to_handshake(result: Mapping[str, Any]) -> Mapping[str, Any]:
    # Whether `ttlMs` is the protocol's or a tool's own word, only a result of the modern era can tell: it has a type.
    typed = "resultType" in result
    if "_meta" not in result:  # most have none
        if not typed:
            return result
        released = dict(result)
        for key in _MODERN_ONLY:
            released.pop(key, None)
        return released
    meta = result["_meta"]
    named = isinstance(meta, dict) and SERVER_INFO in meta
    if not named and not typed:
        return result
    dropped = _MODERN_ONLY if typed else frozenset()
    released = {key: value for key, value in result.items() if key not in dropped and key != "_meta"}
    kept = {key: value for key, value in meta.items() if key != SERVER_INFO} if isinstance(meta, dict) else {}
    return {**released, "_meta": kept} if kept else released


def _to_modern(result: Mapping[str, Any], identity: Mapping[str, Any], *, cacheable: bool) -> Mapping[str, Any]:
    released: dict[str, Any] = {}
    if "resultType" not in result:
        released["resultType"] = "complete"
    meta = result.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    if meta.get(SERVER_INFO) != identity:
        released["_meta"] = {**meta, SERVER_INFO: identity}
    if cacheable:
        ttl = result.get("ttlMs")
        kept = ttl if isinstance(ttl, int) and not isinstance(ttl, bool) and 0 <= ttl <= LIST_TTL_MS else None
        if kept is None:
            released["ttlMs"] = LIST_TTL_MS if isinstance(ttl, int) and ttl > LIST_TTL_MS else 0
        if result.get("cacheScope") != "private":
            released["cacheScope"] = "private"
    return {**result, **released} if released else result
