"""The two protocol eras and the translation between them. Pure module.

Handshake era (MCP 2025-03-26 to 2025-11-25): `initialize`, sessions, plain results. Modern era (2026-07-28):
every request carries its version, identity and capabilities in `_meta`, every result its `resultType`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
SERVER_INFO: Final = _RESERVED + "serverInfo"
GATEWAY_INFO: Final[Mapping[str, Any]] = {"name": "holdfast-gateway", "version": "1"}
CAPABILITIES: Final[Mapping[str, Any]] = {"tools": {}}


@dataclass(frozen=True, slots=True)
class Wire:
    """How one side speaks."""

    modern: bool
    version: str


class NotCarried(Exception):
    """A kind of result that cannot be handed on yet; the message says which."""


def negotiated(requested: Any) -> str:
    """The version of a session: what the client asked for where we speak it, else our newest of its era."""
    return requested if requested in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0]


def initialize_result(version: str, identity: Mapping[str, Any], instructions: str) -> bytes:
    """Answer of `initialize`."""
    result: dict[str, Any] = {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": identity}
    return dumps({**result, "instructions": instructions} if instructions else result)


def discover_result(identity: Mapping[str, Any], instructions: str) -> bytes:
    """Answer of `server/discover`."""
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": [*MODERN_VERSIONS, *HANDSHAKE_VERSIONS],
        "capabilities": CAPABILITIES,
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
        "_meta": {SERVER_INFO: identity},
    }
    return dumps({**result, "instructions": instructions} if instructions else result)


def list_result(member: str, bodies: Iterable[bytes], wire: Wire, identity: Mapping[str, Any]) -> bytes:
    """Answer of a list method around approved texts, which stay byte for byte."""
    joined = b'{"' + member.encode() + b'":[' + b",".join(bodies) + b"]"
    if not wire.modern:
        return joined + b"}"
    hints = {"resultType": "complete", "ttlMs": LIST_TTL_MS, "cacheScope": "private", "_meta": {SERVER_INFO: identity}}
    return joined + b"," + dumps(hints)[1:]


def outgoing_meta(meta: Mapping[str, Any], wire: Wire, progress_token: int | None) -> dict[str, Any]:
    """The `_meta` of a request to an upstream.

    The protocol's own keys are ours, because we are the client there. We declare no capability, so an upstream
    has no reason to ask anything back. The progress token is ours too: two callers may have chosen the same.
    """
    sent = {key: value for key, value in meta.items() if not key.startswith(_RESERVED) and key != "progressToken"}
    if progress_token is not None:
        sent["progressToken"] = progress_token
    if wire.modern:
        sent |= {PROTOCOL_VERSION: wire.version, CLIENT_INFO: GATEWAY_INFO, CLIENT_CAPABILITIES: {}}
    return sent


def released_result(result: Any, wire: Wire, identity: Mapping[str, Any]) -> dict[str, Any]:
    """An upstream's result as the client of era `wire` may have it. Raises `NotCarried`.

    The upstream's own identity is left out: what names a server to a model is approved text.
    """
    if not isinstance(result, dict):
        raise NotCarried("The server's result is no object.")
    kind = result.get("resultType", "complete")
    if kind == "input_required":
        raise NotCarried("The server asks for input in the middle of the call, which is not carried yet.")
    if kind != "complete":
        raise NotCarried("The server answered with a kind of result that is not carried yet.")
    meta = result.get("_meta")
    kept = {key: value for key, value in meta.items() if key != SERVER_INFO} if isinstance(meta, dict) else {}
    released = {key: value for key, value in result.items() if key not in ("_meta", "resultType")}
    if wire.modern:
        return {"resultType": "complete", **released, "_meta": {**kept, SERVER_INFO: identity}}
    return {**released, "_meta": kept} if kept else released
