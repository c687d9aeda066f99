"""What the benchmark calls: a catalogue of tools with real schemas, and the messages of both wires. Pure module."""

import json
from collections.abc import Mapping
from typing import Any, Final

HANDSHAKE: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
WIRES: Final = {"2025": HANDSHAKE, "2026": MODERN}
TEXT: Final = "hello governance"
ARGUMENTS: Final = {
    "message": TEXT,
    "count": 3,
    "tags": ["alpha", "beta-2"],
    "options": {"upper": False, "lang": "en"},
}
SCHEMA: Final = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "maxLength": 4096, "description": "The text."},
        "count": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How often."},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9-]+$"}, "maxItems": 16},
        "options": {
            "type": "object",
            "properties": {"upper": {"type": "boolean"}, "lang": {"enum": ["en", "de", "fr"]}},
            "additionalProperties": False,
        },
    },
    "required": ["message"],
    "additionalProperties": False,
}
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def tools(count: int) -> list[dict[str, Any]]:
    """`count` tools: `echo`, and others of the same shape, about 600 bytes each."""
    others = (
        {
            "name": f"tool_{number:04d}",
            "description": f"Tool number {number}. Does one thing to one record of the system of record and returns a "
            "short text that says what was done and to which record.",
            "inputSchema": SCHEMA,
        }
        for number in range(1, count)
    )
    return [{"name": "echo", "description": "Returns the message.", "inputSchema": SCHEMA}, *others]


def body(method: str, wire: str, *, tool: str = "echo", id_: int = 1) -> bytes:
    """A request for `tools/call` or `tools/list` on the wire named "2025" or "2026"."""
    params: dict[str, Any] = {"name": tool, "arguments": ARGUMENTS} if method == "tools/call" else {}
    if wire == "2026":
        params["_meta"] = _META
    message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
    return json.dumps(message, separators=(",", ":")).encode()


def headers(method: str, wire: str, *, tool: str = "echo") -> Mapping[str, str]:
    """The headers that the specification asks of the request."""
    found = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": WIRES[wire],
    }
    if wire == "2026":
        found["mcp-method"] = method
        if method == "tools/call":
            found["mcp-name"] = tool
    return found


def initialize() -> bytes:
    """The request that opens a session of the handshake era."""
    params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
    return json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).encode()
