"""Values in `Mcp-*` headers and the headers that a tool's schema asks for (`x-mcp-header`). Pure module.

MCP 2026-07-28, transports, "Custom headers": a property reachable from the schema's root by `properties` alone
may carry `x-mcp-header: <token>`; the argument's value then travels as `Mcp-Param-<token>` too.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

NAME_BEARING: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/cancel": "taskId",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
}
PREFIX: Final = "mcp-param-"
_SENTINEL: Final = re.compile(r"=\?base64\?(?P<payload>.*)\?=")
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,4000}(?:\.0+)?")
_UNKNOWN_MAX: Final = 32
_VALUE_MAX: Final = 1024  # characters
_TYPES: Final = frozenset({"string", "integer", "boolean"})

Path = tuple[str, ...]
HeaderMap = Mapping[Path, str]


def encode_value(value: str) -> str:
    """`value` as a header field's value; what would not survive the trip goes in base64 with a sentinel."""
    # Printable ASCII is what `_PLAIN` matches; two patterns would cost each call more than the rest of its headers.
    plain = value.isascii() and value.isprintable() and value == value.strip()
    if plain and not (value.startswith("=?") and _SENTINEL.fullmatch(value)):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode_value(value: str | None) -> str | None:
    """Inverse of `encode_value`; None for a malformed sentinel, so that it never agrees with a body."""
    match = _SENTINEL.fullmatch(value) if value is not None else None
    if match is None:
        return value
    try:
        raw = base64.b64decode(match["payload"], validate=True)
        canonical = base64.b64encode(raw).decode() == match["payload"]
        return raw.decode() if canonical else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def header_map(schema: Any) -> HeaderMap:
    """Property path to header name of an input schema; empty where an annotation is invalid.

    Clients drop a tool with an invalid annotation, so there is nothing to agree on then.
    """
    found: dict[Path, str] = {}
    for path, property_ in _properties(schema):
        token = property_.get("x-mcp-header")
        if token is None:
            continue
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not _is_scalar(property_.get("type")):
            return {}
        found[path] = PREFIX + token.lower()
    return found if len(set(found.values())) == len(found) else {}


def _properties(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    inner = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(inner, Mapping) or len(path) > 16:
        return
    for name, property_ in inner.items():
        if isinstance(property_, Mapping):
            yield (*path, name), property_
            yield from _properties(property_, (*path, name))


def param_headers(headers: HeaderMap, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The `Mcp-Param-*` headers of a call with these arguments."""
    if not headers:  # of most tools
        return {}
    rendered = {name: _rendered(_at(arguments, path)) for path, name in headers.items()}
    return {name: encode_value(value) for name, value in rendered.items() if value is not None}


def unknown_headers(headers: HeaderMap, received: Mapping[str, str]) -> dict[str, str]:
    """The caller's `Mcp-Param-*` headers that the schema does not ask for; they pass, within bounds."""
    if PREFIX not in "\n".join(received):  # of most requests
        return {}
    known = set(headers.values())
    found = {name: value for name, value in received.items() if name.startswith(PREFIX) and name not in known}
    fits = len(found) <= _UNKNOWN_MAX and all(
        len(value) <= _VALUE_MAX and _PLAIN.fullmatch(value) and _TOKEN.fullmatch(name) for name, value in found.items()
    )
    return found if fits else {}


def disagreement(headers: HeaderMap, arguments: Mapping[str, Any], received: Mapping[str, str]) -> str | None:
    """The first header of `headers` that does not agree with the arguments, or None."""
    for path, name in headers.items():
        value = _at(arguments, path)
        expected, raw = _rendered(value), received.get(name)
        if expected is None or raw is None:
            if expected is not raw:
                return name
        elif not _agree(value, expected, decode_value(raw)):
            return name
    return None


def _is_scalar(kind: Any) -> bool:
    return isinstance(kind, str) and kind in _TYPES


def _at(arguments: Any, path: Path) -> Any:
    node = arguments
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _rendered(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _agree(value: Any, expected: str, received: str | None) -> bool:
    if received == expected:
        return True
    whole = isinstance(value, int) and not isinstance(value, bool) and received is not None
    return bool(whole and _DECIMAL.fullmatch(str(received)) and int(str(received).partition(".")[0]) == value)
